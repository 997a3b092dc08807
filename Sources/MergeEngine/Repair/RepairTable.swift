import Libpq

/// Mends the rows of one table on one connection, a batch at a time, within the transaction that is open.
struct RepairTable {
  private let sql: RepairSQL
  private let values: StagedValues
  private let standing: RepairStanding
  private let guardian: DeletionGuard
  private let record: RepairRecord.Writer
  private let production: Connection
  private var copier: RowCopier
  private var rowsInPlace: RowsInPlace?

  private var plan: TablePlan { sql.plan }

  /// The rows of the batch are more than may be held at once.
  struct TooLarge: Error {}

  /// What has become of a batch.
  struct Carried {
    var outcomes: [RepairOutcome] = []
    /// Rows that were written, and that a trigger has made something else of.
    var alteredCount = 0
  }

  /// Makes the connection's temporary table.
  init(
    _ sql: RepairSQL,
    seen: DifferenceFile.Header.Table?,
    schemas: Schemas,
    record: RepairRecord.Writer,
    on connections: WorkerConnections
  ) throws(PostgresError) {
    self.sql = sql
    self.record = record
    production = connections.production
    values = StagedValues(sql.plan, connections.staging)
    standing = RepairStanding(sql, connections.production)
    guardian = DeletionGuard(sql.plan, seen: seen, schemas: schemas, connections.production)
    copier = RowCopier(columnCount: sql.plan.columns.count, connections.production)
    try production.execute(sql.createBatchTable, "creating a temporary table")
    // Deferred triggers run with their statement here.
    rowsInPlace = try RowsInPlace(
      sql.plan,
      connections.production,
      isAllOrNothing: true,
      statementName: "\(sql.batchTable.name)_in_place"
    )
  }

  /// Applies differences, all extra or none.
  ///
  /// - Throws: ``TooLarge``, ``PostgresError``; the transaction is then to be rolled back.
  mutating func carry(
    _ differences: [Difference],
    _ budget: inout LockBudget,
    memory: inout StagedBatch
  ) throws -> Carried {
    let start = ContinuousClock.now
    // Deferred constraints would speak up at the commit, when no row can be told from another any more.
    try production.execute("SET CONSTRAINTS ALL IMMEDIATE", "setting constraints immediate")
    let carried =
      differences.first?.kind == .extra
      ? Carried(outcomes: try delete(differences, &budget)) : try write(differences, &budget, &memory)
    try budget.limitNext(on: production)
    try record.add(carried.outcomes, elapsed: .now - start)
    return carried
  }

  private mutating func write(
    _ differences: [Difference],
    _ budget: inout LockBudget,
    _ batch: inout StagedBatch
  ) throws -> Carried {
    let addresses = try values.addresses(of: differences)
    guard try values.read(addresses.compactMap(\.self), into: &batch) else { throw TooLarge() }
    let lines = Dictionary(
      differences.indices.compactMap { line in addresses[line].map { ($0, line) } },
      uniquingKeysWith: { first, _ in first }
    )
    /// By position in the batch, the line that it belongs to.
    let linesByPosition = batch.rows.map { lines[$0.address] }
    func positions(_ isWanted: (DifferenceKind) -> Bool) -> [UInt32] {
      linesByPosition.indices.compactMap { position in
        linesByPosition[position].flatMap { isWanted(differences[$0].kind) ? UInt32(position) : nil }
      }
    }
    var outcomes = [RepairOutcome?](repeating: nil, count: differences.count)
    var alteredCount = 0
    try budget.start(on: production)
    let inserts = positions { $0 == .missing }
    if !inserts.isEmpty {
      try fill(inserts, of: batch)
      let inserted = try insert()
      for position in inserted { linesByPosition[position].map { outcomes[$0] = .inserted } }
      try budget.limitNext(on: production)
      try requireInPlace(Apply.Counts(inserted: inserted.count), inserts: inserts, updates: [], batch)
      alteredCount += try countAltered(inserted, plan.columns)
    }
    let updates = positions { $0 == .outdated || $0 == .differing }
    if !updates.isEmpty, !plan.updatedColumns.isEmpty {
      try fill(updates, of: batch)
      let transactions = linesByPosition.map { line in
        line.flatMap { differences[$0].productionRow?.xmin } ?? "0"
      }
      let updated = try update([.textArray(transactions)])
      for position in updated { linesByPosition[position].map { outcomes[$0] = .updated } }
      try budget.limitNext(on: production)
      try requireInPlace(Apply.Counts(updated: updated.count), inserts: [], updates: updates, batch)
      alteredCount += try countAltered(updated, plan.updatedColumns)
    }
    return Carried(
      outcomes: try explain(outcomes, of: differences, isInStaging: addresses.map { $0 != nil }),
      alteredCount: alteredCount
    )
  }

  /// - Returns: the positions of the rows that were inserted.
  /// - Throws: an error that refuses the row where a trigger has given one another key.
  private func insert() throws(PostgresError) -> [Int] {
    let result = try production.query(sql.insert, [], "mending rows of \(plan.production)")
    let positions = numbers(result)
    guard positions.count == result.count else { throw Apply.otherKey(plan) }
    return positions
  }

  /// How many of the rows at these positions are another one than was written, now that all triggers have run.
  private func countAltered(_ written: [Int], _ columns: [TablePlan.Column]) throws(PostgresError) -> Int {
    // Citus takes no such question; there are hardly any triggers on its tables.
    guard plan.writing.triggers.runAtAll, plan.citus == nil, !written.isEmpty else { return 0 }
    let altered = try production.query(
      sql.altered(columns),
      "checking what triggers of \(plan.production) did to mended rows"
    )
    return Set(numbers(altered)).intersection(written).count
  }

  /// Sees that the rows of the batch table are there. Deferred triggers have run with their statement.
  private mutating func requireInPlace(
    _ written: Apply.Counts,
    inserts: [UInt32],
    updates: [UInt32],
    _ batch: StagedBatch
  ) throws {
    let production = production
    try rowsInPlace?.require(written, inserts: inserts, updates: updates, of: batch, on: production)
    guard plan.writing.triggers.mayMisplace, !RowsInPlace.canAsk(plan) else { return }
    try AbsentRows(plan: plan, production: production, batchTable: sql.batchTable)
      .requireNone(of: inserts.count + updates.count, written, isAllOrNothing: true)
  }

  private func delete(_ differences: [Difference], _ budget: inout LockBudget) throws -> [RepairOutcome] {
    if let obstacle = try guardian.obstacle() {
      return differences.map { _ in .left(.stagingInDoubt(obstacle)) }
    }
    // Staging need not have an index on its key.
    try production.execute(
      "SET LOCAL enable_hashjoin = on; SET LOCAL enable_seqscan = on",
      "deleting rows of \(plan.production)"
    )
    let parameters =
      KeyTexts.parameters(plan, differences.map(\.key))
      + [.textArray(differences.map { $0.productionRow?.xmin ?? "0" })]
    try budget.start(on: production)
    if !sql.references.isEmpty {
      _ = try production.query(sql.lockExtra, parameters, "locking rows of \(plan.production)")
      try budget.limitNext(on: production)
    }
    var outcomes = [RepairOutcome?](repeating: nil, count: differences.count)
    for ordinal in try execute(sql.delete, parameters) { outcomes[ordinal - 1] = .deleted }
    try requireGone(differences.indices.filter { outcomes[$0] == .deleted }.map { differences[$0] })
    return try explain(outcomes, of: differences, isInStaging: differences.map { _ in false })
  }

  /// Sees that no trigger has inserted the rows again that were deleted.
  ///
  /// - Throws: an error that refuses the row where one has.
  private func requireGone(_ differences: [Difference]) throws {
    guard plan.writing.triggers.runAtAll, !differences.isEmpty else { return }
    let found = try standing.look(differences, isInStaging: differences.map { _ in false })
    guard found.isAnyOwn else { return }
    throw Apply.refusal(plan, "inserts the row again when it is deleted; disable it for the repair")
  }

  /// Says why rows were left.
  private func explain(
    _ outcomes: [RepairOutcome?],
    of differences: [Difference],
    isInStaging: [Bool]
  ) throws -> [RepairOutcome] {
    let left = outcomes.indices.filter { outcomes[$0] == nil }
    guard !left.isEmpty else { return outcomes.compactMap(\.self) }
    let found = try standing.look(left.map { differences[$0] }, isInStaging: left.map { isInStaging[$0] })
    // What is reported as left alone is left alone.
    guard !found.isAnyOwn else { throw Apply.refusal(plan, "writes the row in its own way instead") }
    var outcomes = outcomes
    for (line, reason) in zip(left, found.outcomes) {
      if case .left = reason { outcomes[line] = reason } else { outcomes[line] = .left(.keptByServer) }
    }
    return outcomes.compactMap(\.self)
  }

  private mutating func fill(_ rows: [UInt32], of batch: StagedBatch) throws {
    try production.execute(
      ApplySQL.emptyBatchTable(sql.batchTable, truncates: false),
      "emptying the temporary table"
    )
    try copier.copy(
      rows,
      of: batch,
      by: sql.copyIntoBatchTable,
      numbered: true,
      "copying rows of \(plan.production) into a temporary table"
    )
  }

  /// - Returns: the positions of the rows that were updated.
  private func update(_ parameters: [Parameter]) throws(PostgresError) -> [Int] {
    let result = try production.query(sql.update, parameters, "mending rows of \(plan.production)")
    if let last = result.count > 0 ? result.text(result.count - 1, 1) : nil {
      try production.execute(
        ApplySQL.discardUnwritten(plan, sql.images, at: TupleAddress.addresses(ofArray: last)),
        "discarding images of rows of \(plan.production) that were not written"
      )
    }
    return numbers(result)
  }

  /// - Returns: the numbers that the statement answers with.
  private func execute(_ statement: SQL, _ parameters: [Parameter]) throws(PostgresError) -> [Int] {
    numbers(try production.query(statement, parameters, "mending rows of \(plan.production)"))
  }

  private func numbers(_ result: ResultSet) -> [Int] {
    (0..<result.count).compactMap { result.integer($0, 0) }
  }
}
