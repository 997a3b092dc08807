import BinaryCopy
import Libpq

/// The first look at the rows of one table: a batch of staging in key order against production, in key order too.
///
/// Where the key is one integer column, production is streamed by its key index between the batch's lowest and highest
/// key and joined on the client (``RangeScan``), as long as production is not much denser there than the batch. Else,
/// and for all other keys, whose order only the server knows, the batch's keys are looked up.
///
/// This look only tells rows that are certainly right from suspects; ``SecondLook`` decides about those.
struct RowCheck {
  private let plan: TablePlan
  private let connections: WorkerConnections
  private let claim: Claim
  private let judge: RowJudge
  private var lookUp: RowLookUp
  private var scan: RangeScan?
  private var found = ProductionRows()

  init(
    _ plan: TablePlan,
    _ comparison: RowComparison,
    number: Int,
    _ connections: WorkerConnections
  ) throws(PostgresError) {
    self.plan = plan
    self.connections = connections
    claim = Claim(plan: plan, staging: connections.staging)
    judge = RowJudge(plan, comparison)
    lookUp = try RowLookUp(plan, connections.production, statementName: "rows_\(number)")
    scan = RangeScan(plan)
  }

  /// Compares the staging rows of `range`.
  ///
  /// - Parameters:
  ///   - counts: gets what is certain.
  ///   - suspects: gets the addresses of the other rows.
  /// - Returns: how many rows were read.
  /// - Throws: ``Claim/TooLarge`` when the range holds more than a batch may.
  mutating func look(
    _ range: TupleRange,
    _ memory: inout BatchMemory,
    _ counts: inout RowCheckCounts,
    _ suspects: inout [UInt64]
  ) throws -> Int {
    try claim.read(range, into: &memory.batch)
    try memory.order.arrange(&memory.batch, plan)
    let read = memory.batch.rows.count
    counts.read += read
    counts.superseded += read - memory.batch.candidates.count
    let rest = try scan?.look(memory.batch, judge, on: connections.production, &counts, &suspects)
    try lookUpRows(rest ?? memory.batch.candidates, memory.batch, &counts, &suspects)
    return read
  }

  private mutating func lookUpRows(
    _ rows: [UInt32],
    _ batch: StagedBatch,
    _ counts: inout RowCheckCounts,
    _ suspects: inout [UInt64]
  ) throws {
    guard !rows.isEmpty else { return }
    try lookUp.lookUp(rows, of: batch, on: connections.production, &found)
    for (index, row) in rows.enumerated() {
      let staged = batch.rows[Int(row)]
      let standing = try judge.standing(staged, batch.bytes.rawSpan, found.ranges[index], found.bytes.rawSpan)
      counts.add(standing, staged.address, &suspects)
    }
  }
}

extension RowCheckCounts {
  /// Counts what is certain, and keeps the address of what is not.
  mutating func add(_ standing: RowStanding, _ address: UInt64, _ suspects: inout [UInt64]) {
    switch standing {
    case .equal: equal += 1
    case .productionNewer: productionNewer += 1
    case .missing, .outdated, .unequal: suspects.append(address)
    }
  }
}
