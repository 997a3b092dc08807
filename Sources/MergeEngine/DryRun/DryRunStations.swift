import BinaryCopy
import Libpq

/// The stations of one table without the writing ones: claim without marks, probe, classify, and a look at ties.
///
/// ```
/// staging rows ──COPY (SELECT …)──▶ Claim ─▶ Probe ─▶ Classify ─▶ TieCheck ─▶ Foresight ─▶ counts, samples, widths
/// ```
/// Everything that decides a verdict is the merge's own code.
struct DryRunStations {
  let plan: TablePlan
  /// Differing ties are updates (`--ties compare`) rather than only counted.
  private let updatesTies: Bool
  private let connections: WorkerConnections
  private let claim: Claim
  private var probe: Probe
  private var pageCounter = PageCounter()
  private var tieCheck: TieCheck?
  private(set) var foresight: Foresight

  /// - Parameter plan: with ``TablePlan/ties`` set, and without marks.
  init(
    _ plan: TablePlan,
    number: Int,
    updatesTies: Bool,
    _ connections: WorkerConnections
  ) throws(PostgresError) {
    self.plan = plan
    self.updatesTies = updatesTies
    self.connections = connections
    claim = Claim(plan: plan, staging: connections.staging)
    probe = try Probe(plan, connections.production, statementName: "probe_\(number)")
    tieCheck = try plan.writing.ties.map { comparison throws(PostgresError) in
      try TieCheck(plan, comparison, on: connections.production, statementName: "ties_\(number)")
    }
    foresight = try Foresight(plan, number: number, isSplit: connections.isSplit, on: connections.production)
  }

  /// Classifies the staging rows of a batch, as many as a merge would take, and adds what it finds to `outcome`.
  ///
  /// - Throws: ``Claim/TooLarge`` when the range holds more than a batch may.
  mutating func look(_ item: WorkQueue.Item, memory: inout BatchMemory, outcome: inout DryRunOutcome) throws -> Carried
  {
    let start = ContinuousClock.now
    let (range, refused) = try claim.readToLook(item.range, rowLimit: item.rowLimit, into: &memory.batch)
    outcome.readTime += .now - start
    for (address, error) in refused { outcome.addUnreadable(address, error) }
    try memory.order.arrange(&memory.batch, plan)
    let probeStart = ContinuousClock.now
    for (row, error) in try plan.reading.cacheFit.isLikelyCold ? lookUpCold(&memory, &outcome) : lookUp(&memory) {
      memory.batch.setVerdict(.error, row: row)
      outcome.addUnreadable(memory.batch.rows[Int(row)].address, error)
    }
    outcome.probeTime += .now - probeStart
    try memory.classifier.classify(&memory.batch, memory.answer, plan)
    let differing =
      try tieCheck?.differing(memory.classifier.ties, of: memory.batch, on: connections.production) ?? []
    outcome.differingTieCount += differing.count
    if updatesTies { memory.classifier.update(differing, &memory.batch) }
    outcome.measureWidths(memory)
    try foresight.look(&memory.batch, memory.classifier, &outcome)
    let counts = tally(memory, refused.count)
    outcome.counts += counts
    outcome.ranges.append(range)
    outcome.takeSamples(memory.batch, differingTies: updatesTies ? [] : differing)
    return Carried(counts: counts, place: .blocks(range))
  }

  /// - Returns: the rows whose keys production can't read.
  private mutating func lookUp(_ memory: inout BatchMemory) throws -> [(row: UInt32, error: PostgresError)] {
    try probe.lookUpReadable(&memory.batch, on: connections.production, &memory.answer) { try $0() }
  }

  /// Looks up as a merge would that expects the pages on a disk, and counts them.
  private mutating func lookUpCold(_ memory: inout BatchMemory, _ outcome: inout DryRunOutcome) throws
    -> [(row: UInt32, error: PostgresError)]
  {
    let production = connections.production
    try production.execute("BEGIN", "beginning to look up \(plan.production)")
    let unreadable = try probe.lookUpReadable(&memory.batch, on: production, readsAhead: true, &memory.answer) {
      lookUp in
      try Savepoint.attempt(on: production) { try lookUp() }
    }
    let counted = try production.query(
      "SELECT \(PageCounter.outputs(plan.reading.cacheFit.relations))",
      "counting the pages of \(plan.production)"
    )
    try production.execute("COMMIT", "ending to look up \(plan.production)")
    outcome.pages += pageCounter.advance(
      to: PageCounter.Reading(visited: counted.integer(0, 0) ?? 0, hit: counted.integer(0, 1) ?? 0)
    )
    return unreadable
  }

  private func tally(_ memory: BatchMemory, _ refusedCount: Int) -> VerdictCounts {
    var counts = VerdictCounts()
    counts.read = memory.batch.rows.count + refusedCount
    counts.errors = refusedCount
    for row in memory.batch.rows {
      switch row.verdict {
      case .insert: counts.inserted += 1
      case .update: counts.updated += 1
      case .error: counts.errors += 1
      case .unchanged: counts.unchanged += 1
      case .stale: counts.stale += 1
      case .duplicate: counts.duplicate += 1
      }
    }
    counts.batches = 1
    return counts
  }
}
