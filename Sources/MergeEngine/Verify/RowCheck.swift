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
  /// Digests travel in the place of values.
  let usesDigests: Bool
  private let connections: WorkerConnections
  private let claim: Claim
  private let judge: RowJudge
  private var lookUp: RowLookUp
  private var scan: RangeScan?
  private var found = ProductionRows()

  /// - Parameter sendsDigests: digests are to travel in the place of values, where that can be.
  init(
    _ plan: TablePlan,
    _ comparison: RowComparison,
    number: Int,
    sendsDigests: Bool,
    on connections: WorkerConnections
  ) throws(PostgresError) {
    let digested = sendsDigests ? RowDigest.digested(plan, comparison) : nil
    let (plan, comparison) = digested ?? (plan, comparison)
    usesDigests = digested != nil
    self.plan = plan
    self.connections = connections
    claim = Claim(plan: plan, staging: connections.staging)
    judge = RowJudge(plan, comparison)
    lookUp = try RowLookUp(
      plan,
      connections.production,
      statementName: "\(usesDigests ? "digests" : "rows")_\(number)"
    )
    scan = RangeScan(plan)
  }

  /// Compares the staging rows of `range`.
  ///
  /// - Parameters:
  ///   - outcome: gets what is certain, and the rows that can't be read.
  ///   - suspects: gets the other rows.
  /// - Returns: how many rows were read.
  /// - Throws: ``Claim/TooLarge`` when the range holds more than a batch may.
  mutating func look(
    _ range: TupleRange,
    memory: inout BatchMemory,
    outcome: inout RowCheckOutcome,
    suspects: inout [SuspectRow]
  ) throws -> Int {
    let refused = try claim.readToLook(range, into: &memory.batch).refused
    try memory.order.arrange(&memory.batch, plan)
    let read = memory.batch.rows.count
    outcome.counts.read += read + refused.count
    outcome.counts.superseded += read - memory.batch.candidates.count
    for (address, error) in refused { outcome.addUnreadable(address, error) }
    let rest = try scan?.look(
      memory.batch,
      judge,
      on: connections.production,
      counts: &outcome.counts,
      suspects: &suspects
    )
    try lookUpRows(rest ?? memory.batch.candidates, of: memory.batch, counts: &outcome.counts, suspects: &suspects)
    return read + refused.count
  }

  private mutating func lookUpRows(
    _ rows: [UInt32],
    of batch: StagedBatch,
    counts: inout RowCheckCounts,
    suspects: inout [SuspectRow]
  ) throws {
    guard !rows.isEmpty else { return }
    try lookUp.lookUp(rows, of: batch, on: connections.production, &found)
    var unequal: [Int] = []
    for (index, row) in rows.enumerated() {
      let staged = batch.rows[Int(row)]
      let standing = try judge.standing(staged, in: batch.bytes.rawSpan, found.ranges[index], in: found.bytes.rawSpan)
      if case .unequal = standing, !plan.keyEqualityIsBytewise {
        unequal.append(index)
      } else {
        counts.add(standing, at: staged.address, suspects: &suspects)
      }
    }
    guard !unequal.isEmpty else { return }
    // Keys of other bytes may be equal: a row that lost to one as new in the same batch is no more wrong than where equal
    // keys have equal bytes.
    let matched = try keysOfEqualRows(rows, batch)
    for index in unequal {
      if try productionKey(index).map({ matched.contains($0) }) ?? false {
        counts.superseded += 1
      } else {
        suspects.append(SuspectRow(batch.rows[Int(rows[index])].address, wasInProduction: true))
      }
    }
  }

  /// Production's keys, in production's bytes, of those rows that are there as they should be.
  private func keysOfEqualRows(_ rows: [UInt32], _ batch: StagedBatch) throws -> Set<[UInt8]> {
    var keys: Set<[UInt8]> = []
    for (index, row) in rows.enumerated() {
      let standing = try judge.standing(
        batch.rows[Int(row)],
        in: batch.bytes.rawSpan,
        found.ranges[index],
        in: found.bytes.rawSpan
      )
      if case .equal = standing, let key = try productionKey(index) { keys.insert(key) }
    }
    return keys
  }

  private func productionKey(_ index: Int) throws -> [UInt8]? {
    guard let range = found.ranges[index] else { return nil }
    var cursor = CopyCursor(offset: range.lowerBound)
    try cursor.skipFields(plan.keyColumnCount, in: found.bytes.rawSpan)
    return Array(found.bytes[range.lowerBound..<cursor.offset])
  }
}

extension RowCheckCounts {
  /// Counts what is certain, and keeps the address of what is not.
  mutating func add(_ standing: RowStanding, at address: UInt64, suspects: inout [SuspectRow]) {
    switch standing {
    case .equal: equal += 1
    case .productionNewer: productionNewer += 1
    case .missing: suspects.append(SuspectRow(address, wasInProduction: false))
    case .outdated, .unequal: suspects.append(SuspectRow(address, wasInProduction: true))
    }
  }
}
