import BinaryCopy
import Libpq

/// Reads the staging rows of a range into a batch.
struct Claim {
  let plan: TablePlan
  let staging: Connection

  /// The range holds more than a batch may.
  struct TooLarge: Error {}

  /// Reads the range with one statement, up to a number of rows.
  ///
  /// - Parameters:
  ///   - columnCount: how many of the plan's columns are read of each row; nil for all.
  ///   - rowLimit: how many rows are read at most; nil for all.
  /// - Returns: the part of the range that was read: all of it, or up to the last row.
  /// - Throws: ``TooLarge``; ``PostgresError``. In both cases the transaction has failed.
  @discardableResult
  func read(
    _ range: TupleRange,
    columnCount: Int? = nil,
    rowLimit: Int? = nil,
    into batch: inout StagedBatch
  ) throws -> TupleRange {
    batch.removeAll()
    try copy(ClaimSQL.copy(plan, .range(range), columnCount: columnCount, rowLimit: rowLimit), into: &batch)
    try batch.index(plan, columnCount: columnCount)
    guard let rowLimit, batch.rows.count == rowLimit, let last = batch.rows.map(\.address).max() else { return range }
    return TupleRange(start: range.start, end: last + 1)
  }

  /// Reads rows by their addresses with one statement.
  ///
  /// - Throws: as ``read(_:columnCount:rowLimit:into:)``.
  func read(rows: [UInt64], into batch: inout StagedBatch) throws {
    batch.removeAll()
    try copy(ClaimSQL.copy(plan, .rows(rows), columnCount: nil), into: &batch)
    try batch.index(plan)
  }

  /// Reads the place in halves wherever the server refuses it, down to the single rows that can't be read as
  /// production's types.
  ///
  /// - Parameter refuse: gets the address of each row that was refused, and the server's reason.
  func readCarefully(
    _ place: StagedPlace,
    into batch: inout StagedBatch,
    refuse: (UInt64, PostgresError) throws -> Void
  ) throws {
    batch.removeAll()
    try appendCarefully(place, to: &batch, refuse)
    try batch.index(plan)
  }

  /// The part of a range that holds no more rows than `rowLimit`, found without reading their values.
  func start(of range: TupleRange, rowLimit: Int) throws(PostgresError) -> TupleRange {
    let end = try staging.query(
      """
      SELECT max(a.address)::text, count(*)
      FROM (SELECT s.ctid AS address FROM \(plan.batchSource) AS s
            WHERE \(ClaimSQL.isWanted(plan, in: range)) LIMIT \(rowLimit)) AS a
      """,
      "measuring a batch of \(plan.staging)"
    )
    guard end.integer(0, 1) == rowLimit, let last = end.text(0, 0).flatMap(TupleAddress.init(text:)) else {
      return range
    }
    return TupleRange(start: range.start, end: last.packed + 1)
  }

  /// Reads the range for commands that write nothing, with care only where it is needed.
  ///
  /// - Returns: the part of the range that was read; the addresses of the rows that were refused, and the server's reasons.
  /// - Throws: ``TooLarge``; ``PostgresError``. No transaction is left open.
  func readToLook(_ range: TupleRange, rowLimit: Int = .max, into batch: inout StagedBatch) throws
    -> (range: TupleRange, refused: [(UInt64, PostgresError)])
  {
    do {
      return (try read(range, rowLimit: rowLimit, into: &batch), [])
    } catch let error as PostgresError where error.refusesRow {
      // Row by row then.
    }
    var refused: [(UInt64, PostgresError)] = []
    let range = try start(of: range, rowLimit: rowLimit)
    try staging.execute("BEGIN", "beginning to read row by row")
    do {
      try readCarefully(.range(range), into: &batch) { refused.append(($0, $1)) }
      try staging.execute("COMMIT", "ending to read row by row")
    } catch {
      if !staging.isBroken { try staging.execute("ROLLBACK", "giving up reading row by row") }
      throw error
    }
    return (range, refused)
  }

  private func copy(_ statement: SQL, into batch: inout StagedBatch) throws {
    let end: Connection.CopyOutEnd
    do throws(PostgresError) {
      end = try staging.copyOut(
        statement,
        into: &batch.bytes,
        byteLimit: BatchLimit.byteCount,
        "reading \(plan.staging)"
      )
    } catch {
      if PlannedShape.isBroken(error) { throw PlannedShape.Broken(plan: plan) }
      throw error
    }
    if end == .byteLimitReached { throw TooLarge() }
  }

  private func appendCarefully(
    _ place: StagedPlace,
    to batch: inout StagedBatch,
    _ refuse: (UInt64, PostgresError) throws -> Void
  ) throws {
    let byteCount = batch.bytes.count
    do {
      try Savepoint.attempt(on: staging) { try copy(ClaimSQL.copy(plan, place, columnCount: nil), into: &batch) }
    } catch let error as PostgresError where error.refusesRow {
      batch.bytes.removeSubrange(byteCount...)
      guard let (lower, upper) = place.halves else { return try refuse(place.start, KeyCast.explained(error)) }
      try appendCarefully(lower, to: &batch, refuse)
      try appendCarefully(upper, to: &batch, refuse)
    }
  }
}
