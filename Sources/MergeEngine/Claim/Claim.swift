import BinaryCopy
import Libpq

/// Reads the staging rows of a range into a batch, and marks them.
struct Claim {
  let plan: TablePlan
  let staging: Connection

  /// A batch holds at most this much, unless a single row is longer; a range with more is divided.
  static let batchByteLimit = 32 << 20

  /// The range holds more than a batch may.
  struct TooLarge: Error {}

  /// Reads the whole range with one statement.
  ///
  /// - Throws: ``TooLarge``; ``PostgresError``. In both cases the transaction has failed.
  func read(_ range: TupleRange, into batch: inout StagedBatch) throws {
    batch.removeAll()
    try append(range, to: &batch)
    try batch.index(plan)
  }

  /// Reads the range in halves wherever the server refuses it, down to the single rows that can't be read as
  /// production's types.
  ///
  /// - Parameter refuse: gets the address of each row that was refused, and the server's reason.
  /// - Returns: how many rows were refused.
  func readCarefully(
    _ range: TupleRange,
    into batch: inout StagedBatch,
    refuse: (UInt64, PostgresError) throws -> Void
  ) throws -> Int {
    batch.removeAll()
    let refusedCount = try appendCarefully(range, to: &batch, refuse)
    try batch.index(plan)
    return refusedCount
  }

  private func append(_ range: TupleRange, to batch: inout StagedBatch) throws {
    let end = try staging.copyOut(
      ClaimSQL.copy(plan, range),
      into: &batch.bytes,
      byteLimit: Self.batchByteLimit,
      "reading \(plan.staging)"
    )
    if end == .byteLimitReached { throw TooLarge() }
  }

  private func appendCarefully(
    _ range: TupleRange,
    to batch: inout StagedBatch,
    _ refuse: (UInt64, PostgresError) throws -> Void
  ) throws -> Int {
    let byteCount = batch.bytes.count
    do {
      try Savepoint.attempt(on: staging) { try append(range, to: &batch) }
      return 0
    } catch let error as PostgresError where error.refusesRow {
      batch.bytes.removeSubrange(byteCount...)
      guard let (lower, upper) = range.halves else {
        try refuse(range.start, error)
        return 1
      }
      return try appendCarefully(lower, to: &batch, refuse) + appendCarefully(upper, to: &batch, refuse)
    }
  }
}
