import BinaryCopy
import Libpq

/// Production's rows between a batch's lowest and highest key, streamed in key order and joined on the client.
///
/// Only for keys of one integer column, whose order is the same for client and server. No production row is kept: each
/// is compared as it comes.
struct RangeScan {
  private let plan: TablePlan
  private let layout: KeyLayout
  private var keys: [UInt64] = []

  /// Production may hold so many rows for one of the batch's before look-ups are cheaper. A row that is read and not
  /// needed costs about 0.7 µs, a look-up instead of a read about 1.4 µs.
  private static let densityLimit = 3

  /// - Returns: nil for keys of other kinds.
  init?(_ plan: TablePlan) {
    guard plan.keyColumnCount == 1, let key = plan.keyColumns.first, key.travel == .binary,
      [20, 21, 23].contains(key.baseType.oid)
    else { return nil }
    self.plan = plan
    layout = KeyLayout(plan)
  }

  /// Compares the batch's candidates with what production has in their range.
  ///
  /// - Returns: how many candidates, from the first, are settled; not all of them when production is too dense.
  mutating func look(
    _ batch: StagedBatch,
    _ judge: RowJudge,
    on production: Connection,
    _ counts: inout RowCheckCounts,
    _ suspects: inout [UInt64]
  ) throws -> Int {
    keys.removeAll(keepingCapacity: true)
    for candidate in batch.candidates {
      keys.append(try layout.prefix(batch.rows[Int(candidate)], batch.bytes.rawSpan))
    }
    guard let first = batch.candidates.first, let last = batch.candidates.last,
      let lowest = try key(batch, first), let highest = try key(batch, last)
    else { return 0 }
    let limit = Self.densityLimit * keys.count + 100
    var join = Join(next: 0, rowCount: 0)
    try production.copyOut(
      query(lowest, highest, limit: limit),
      "streaming \(plan.production) in key order"
    ) { message in
      try take(message, batch, judge, &join, &counts, &suspects)
    }
    // The stream ended by itself: what is left in the batch has no row in production.
    guard join.rowCount < limit else { return join.next }
    while join.next < keys.count { skip(batch, &join, &counts, &suspects) }
    return join.next
  }

  private struct Join {
    /// The candidate to be met next.
    var next: Int
    /// Production rows seen.
    var rowCount: Int
  }

  private func take(
    _ message: RawSpan,
    _ batch: StagedBatch,
    _ judge: RowJudge,
    _ join: inout Join,
    _ counts: inout RowCheckCounts,
    _ suspects: inout [UInt64]
  ) throws(BinaryCopyError) {
    var cursor = CopyCursor()
    // The first message has the header in front.
    if message.byteCount >= 19, try message.bigEndian(at: 0, as: UInt32.self) == CopyCursor.signaturePrefix {
      try cursor.readHeader(in: message)
    }
    guard cursor.offset < message.byteCount, try cursor.beginRow(in: message) != nil else { return }
    join.rowCount += 1
    let key = try layout.prefix(at: cursor.offset, message)
    while join.next < keys.count, keys[join.next] < key { skip(batch, &join, &counts, &suspects) }
    guard join.next < keys.count, keys[join.next] == key else { return }
    let row = batch.rows[Int(batch.candidates[join.next])]
    let standing = try judge.standing(row, batch.bytes.rawSpan, cursor.offset..<message.byteCount, message)
    counts.add(standing, row.address, &suspects)
    join.next += 1
  }

  /// Production has no row for the candidate.
  private func skip(
    _ batch: StagedBatch,
    _ join: inout Join,
    _ counts: inout RowCheckCounts,
    _ suspects: inout [UInt64]
  ) {
    counts.add(.missing, batch.rows[Int(batch.candidates[join.next])].address, &suspects)
    join.next += 1
  }

  /// The key as a number; nil for NULL.
  private func key(_ batch: StagedBatch, _ row: UInt32) throws(BinaryCopyError) -> Int64? {
    let bytes = batch.bytes.rawSpan
    var cursor = CopyCursor(offset: batch.rows[Int(row)].fields.lowerBound)
    let field = try cursor.readField(in: bytes)
    return switch field.byteCount {
    case 2: Int64(try bytes.bigEndian(at: field.offset, as: Int16.self))
    case 4: Int64(try bytes.bigEndian(at: field.offset, as: Int32.self))
    case 8: try bytes.bigEndian(at: field.offset, as: Int64.self)
    default: nil
    }
  }

  private func query(_ lowest: Int64, _ highest: Int64, limit: Int) -> SQL {
    let key: SQL = "p.\(plan.columns[0].name)"
    let type = plan.columns[0].baseType.fullName
    return """
      COPY (
        SELECT \(ProbeSQL.columns(plan).joined(", "))
        FROM \(plan.production) AS p
        WHERE \(key) BETWEEN '\(lowest)'::\(type) AND '\(highest)'::\(type)
        ORDER BY \(key)
        LIMIT \(limit)
      ) TO STDOUT (FORMAT binary)
      """
  }
}
