import BinaryCopy
import Libpq

/// Reads the staging rows of a range into a batch, and marks them.
struct Claim {
  let plan: TablePlan
  let staging: Connection

  /// The range holds more than a batch may.
  struct TooLarge: Error {}

  /// Reads the whole range with one statement.
  ///
  /// - Parameter columnCount: how many of the plan's columns are read of each row; nil for all.
  /// - Throws: ``TooLarge``; ``PostgresError``. In both cases the transaction has failed.
  func read(_ range: TupleRange, columnCount: Int? = nil, into batch: inout StagedBatch) throws {
    batch.removeAll()
    try copy(ClaimSQL.copy(plan, range, columnCount: columnCount), into: &batch)
    try batch.index(plan, columnCount: columnCount)
  }

  /// Reads whole the rows that are to be written and were not read whole before.
  ///
  /// - Parameter rows: positions in ``StagedBatch/rows``, in any order.
  /// - Precondition: the rows were marked in this transaction, so that nobody else can have changed them.
  /// - Throws: ``TooLarge``; ``RowRoute/Closed`` when rows are not at their addresses any more, a trigger having moved
  ///   them on; ``PostgresError``; ``BinaryCopyError``.
  func readWhole(_ rows: [UInt32], of batch: inout StagedBatch) throws {
    guard !rows.isEmpty else { return }
    let inOrder = rows.sorted { batch.rows[Int($0)].address < batch.rows[Int($1)].address }
    let start = batch.bytes.count
    try copy(ClaimSQL.copyRows(plan, at: inOrder.map { batch.rows[Int($0)].address }), into: &batch)
    guard try batch.replaceFields(of: inOrder, from: start, plan) else { throw RowRoute.Closed() }
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

  /// Reads the range for commands that write nothing, with care only where it is needed.
  ///
  /// - Returns: the addresses of the rows that were refused, and the server's reasons.
  /// - Throws: ``TooLarge``; ``PostgresError``. No transaction is left open.
  func readWithoutMarks(_ range: TupleRange, into batch: inout StagedBatch) throws -> [(UInt64, PostgresError)] {
    do {
      try read(range, into: &batch)
      return []
    } catch let error as PostgresError where error.refusesRow {
      // Row by row then.
    }
    var refused: [(UInt64, PostgresError)] = []
    try staging.execute("BEGIN", "beginning to read with care")
    do {
      _ = try readCarefully(range, into: &batch) { refused.append(($0, $1)) }
      try staging.execute("COMMIT", "ending to read with care")
    } catch {
      if !staging.isBroken { try staging.execute("ROLLBACK", "giving up reading with care") }
      throw error
    }
    return refused
  }

  private func copy(_ statement: SQL, into batch: inout StagedBatch) throws {
    let end = try staging.copyOut(
      statement,
      into: &batch.bytes,
      byteLimit: BatchLimit.byteCount,
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
      try Savepoint.attempt(on: staging) { try copy(ClaimSQL.copy(plan, range, columnCount: nil), into: &batch) }
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
