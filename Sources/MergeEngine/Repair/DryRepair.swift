import Libpq
import Logging

/// Counts what a repair would do now, on a read-only session.
///
/// It goes through the lines as a repair does, again for those that other lines may help, and remembers what would have been
/// written by then. What production would refuse it asks with the questions of a merge's plan; what a trigger does shows only
/// when it is tried.
struct DryRepair {
  private let plan: RepairPlan
  private let options: RepairOptions
  private let connections: WorkerConnections
  private let stop: StopSignal
  private let logger: Logger
  private var forecast: RepairForecast
  private var foresights: [Int: Foresight] = [:]
  private var staged = StagedBatch()
  /// What the questions have to say beside their answers.
  private var notes = DryRunOutcome(sampleLimit: 0)

  /// Lines that are looked at together: whoever holds no locks need not hurry, and rows that want the same value see each
  /// other. Arbitrary: a merge's batch.
  private static let batchRowCount = 50_000

  init(
    _ plan: RepairPlan,
    _ options: RepairOptions,
    _ connections: WorkerConnections,
    stop: StopSignal,
    logger: Logger
  ) {
    self.plan = plan
    self.options = options
    self.connections = connections
    self.stop = stop
    self.logger = logger
    forecast = RepairForecast(plan.tables.tables)
  }

  /// - Returns: one entry a table.
  mutating func run() throws -> [RepairReport.Table] {
    let queue = RepairQueue(plan, batchRowCount: Self.batchRowCount, sampleLimit: options.sampleLimit)
    while stop.signal == nil, let batch = queue.take() {
      try look(at: batch, queue)
      queue.complete(batch)
    }
    for warning in notes.warnings { logger.warning("\(warning)") }
    return queue.result().tables
  }

  private mutating func look(at batch: RepairQueue.Batch, _ queue: RepairQueue) throws {
    let differences = try plan.differences.differences(batch.lines)
    try connections.execute("BEGIN READ ONLY", "beginning to look")
    let outcomes =
      try batch.lines.first?.kind == .extra
      ? deletions(differences, of: batch.table) : writes(differences, of: batch.table)
    try connections.execute("COMMIT", "ending to look")
    guard let outcomes else {
      guard let halves = batch.halves else { preconditionFailure("a single row is never too large") }
      return try halves.forEach { try look(at: $0, queue) }
    }
    queue.add(outcomes, of: differences, batch.lines, table: batch.table)
  }

  private mutating func deletions(_ differences: [Difference], of index: Int) throws -> [RepairOutcome] {
    let found = try standings(differences, isInStaging: differences.map { _ in false }, of: index)
    let (outcomes, places) = (found.outcomes, found.places)
    for case (.deleted, let place?) in zip(outcomes, places) { forecast.delete(at: place, table: index) }
    return outcomes
  }

  /// - Returns: nil when the rows are more than may be held at once.
  private mutating func writes(_ differences: [Difference], of index: Int) throws -> [RepairOutcome]? {
    let values = StagedValues(plan.tables.tables[index], connections.staging)
    let addresses = try values.addresses(of: differences)
    let found = try standings(differences, isInStaging: addresses.map { $0 != nil }, of: index)
    var outcomes = found.outcomes
    let lines = Dictionary(
      outcomes.indices.filter { outcomes[$0] == .inserted || outcomes[$0] == .updated }
        .compactMap { line in addresses[line].map { ($0, line) } },
      uniquingKeysWith: { first, _ in first }
    )
    guard try values.read(lines.keys.sorted(), into: &staged) else { return nil }
    func positions(_ outcome: RepairOutcome) -> [UInt32] {
      staged.rows.indices.filter { position in
        lines[staged.rows[position].address].map { outcomes[$0] == outcome } ?? false
      }.map { UInt32($0) }
    }
    var foresight =
      try foresights[index]
      ?? Foresight(plan.tables.tables[index], number: index, isSplit: connections.isSplit, on: connections.production)
    let refusals = try foresight.refusals(
      inserts: positions(.inserted),
      updates: positions(.updated),
      of: staged,
      &notes
    )
    foresights[index] = foresight
    var hopeful: [DryRunOutcome.HopefulRow] = []
    for (position, row) in staged.rows.enumerated() {
      guard let line = lines[row.address] else { continue }
      switch refusals[UInt32(position)] {
      case .final(let words), .contested(let words):
        outcomes[line] = .refused(words, dependsOnOtherRows: false)
        continue
      case .hopeful(let objections):
        hopeful.append(.init(address: row.address, verdict: row.verdict, objections: objections))
      case nil: break
      }
      forecast.write(row.address, over: found.places[line], table: index)
    }
    // Whoever is not helped may have been somebody's last hope.
    while !hopeful.isEmpty {
      let remedies = Remedies(
        tables: plan.tables.tables,
        staging: connections.staging,
        isSplit: connections.isSplit,
        batchRows: .max,
        updatesTies: false,
        writes: forecast.writes
      )
      var helpless = try remedies.helpless(hopeful, of: index, foresight.objections)
      let left = hopeful.filter { helpless[$0.address] == nil }
      helpless.merge(try remedies.outrun(left, of: index, foresight.objections)) { first, _ in first }
      guard !helpless.isEmpty else { break }
      for (address, objection) in helpless {
        guard let line = lines[address] else { continue }
        outcomes[line] = .refused(foresight.objections[objection].words, dependsOnOtherRows: true)
        forecast.takeBack(address, over: found.places[line], table: index)
      }
      hopeful.removeAll { helpless[$0.address] != nil }
    }
    return outcomes
  }

  private func standings(_ differences: [Difference], isInStaging: [Bool], of index: Int) throws(PostgresError)
    -> RepairStanding.Look
  {
    try connections.execute("SET LOCAL enable_hashjoin = on; SET LOCAL enable_seqscan = on", "beginning to look")
    var sql = RepairSQL(
      plan: plan.tables.tables[index],
      // Nothing is kept, since nothing is written.
      images: BeforeImageTable(name: plan.tables.tables[index].production),
      references: plan.references[index],
      needsStagedRows: true,
      batchTable: Identifier("none")
    )
    sql.forecast = forecast
    return try RepairStanding(sql, connections.production).look(differences, isInStaging: isInStaging)
  }
}

extension RepairOutcome {
  /// A row that production would refuse.
  ///
  /// - Parameter words: what is said of such rows, behind "3 rows".
  fileprivate static func refused(_ words: String, dependsOnOtherRows: Bool) -> Self {
    let text = words.hasSuffix(",") ? String(words.dropLast()) : words
    return .left(.refused("a row \(text)", dependsOnOtherRows: dependsOnOtherRows))
  }
}
