import BinaryCopy
import Libpq

/// Production's rows between a batch's lowest and highest key, streamed in key order and joined on the client.
///
/// Only for keys of one integer column, whose order is the same for client and server. No production row is kept: each
/// is compared as it comes. Where the batch's keys leave a gap, so does the scan: a batch with old and new keys is two
/// stretches.
struct RangeScan {
  private let plan: TablePlan
  private let layout: KeyLayout
  private let keyByteCount: Int
  private var keys: [UInt64] = []

  /// Production may hold so many rows for one of the batch's before look-ups are cheaper: a look-up costs the server
  /// about as much as reading four or five rows in key order.
  private static let densityLimit = 4

  /// Fewer rows are looked up: a scan is a statement of its own. Arbitrary.
  private static let smallestStretch = 200

  /// Keys further apart than this begin another stretch. Arbitrary.
  private static let widestGap: UInt64 = 10_000

  /// Batches in which stretches of unknown density are looked up before one is scanned again.
  private var holidays = 0

  /// - Returns: nil for keys of other kinds.
  init?(_ plan: TablePlan) {
    guard plan.keyColumnCount == 1, let key = plan.keyColumns.first, key.travel == .binary,
      [20, 21, 23].contains(key.baseType.oid)
    else { return nil }
    self.plan = plan
    layout = KeyLayout(plan)
    keyByteCount = key.baseType.oid == 20 ? 8 : key.baseType.oid == 23 ? 4 : 2
  }

  /// Compares the batch's candidates with what production has in their ranges.
  ///
  /// - Returns: the candidates that are not settled, since production is too dense around them, or they are too few.
  mutating func look(
    _ batch: StagedBatch,
    _ judge: RowJudge,
    on production: Connection,
    _ counts: inout RowCheckCounts,
    _ suspects: inout [UInt64]
  ) throws -> [UInt32] {
    keys.removeAll(keepingCapacity: true)
    for candidate in batch.candidates {
      keys.append(try layout.prefix(batch.rows[Int(candidate)], batch.bytes.rawSpan))
    }
    var rest: [UInt32] = []
    var isSparse = false
    for stretch in stretches() {
      let isKnownToBeDense = keyDistance(stretch) < UInt64(Self.densityLimit * stretch.count)
      guard stretch.count >= Self.smallestStretch, isKnownToBeDense || holidays == 0 else {
        rest += batch.candidates[stretch]
        continue
      }
      let settledEnd = try look(stretch, batch, judge, on: production, &counts, &suspects)
      rest += batch.candidates[settledEnd..<stretch.upperBound]
      if settledEnd - stretch.lowerBound < stretch.count / 2 { isSparse = true }
    }
    // 16 is arbitrary: one scan in vain for so many batches costs little.
    holidays = isSparse ? 16 : max(holidays - 1, 0)
    return rest
  }

  /// The candidates without wide gaps between their keys.
  private func stretches() -> [Range<Int>] {
    var stretches: [Range<Int>] = []
    var start = 0
    for index in keys.indices.dropFirst() where keyDistance((index - 1)..<(index + 1)) > Self.widestGap {
      stretches.append(start..<index)
      start = index
    }
    if start < keys.count { stretches.append(start..<keys.count) }
    return stretches
  }

  /// How far the last key of a stretch is from its first.
  private func keyDistance(_ stretch: Range<Int>) -> UInt64 {
    guard let first = stretch.first, let last = stretch.last else { return 0 }
    // Keys stand at the upper end of their 64 bits.
    return (keys[last] - keys[first]) >> UInt64(64 - 8 * keyByteCount)
  }

  /// - Returns: the place behind the last candidate that is settled.
  private func look(
    _ stretch: Range<Int>,
    _ batch: StagedBatch,
    _ judge: RowJudge,
    on production: Connection,
    _ counts: inout RowCheckCounts,
    _ suspects: inout [UInt64]
  ) throws -> Int {
    guard let lowest = try key(batch, batch.candidates[stretch.lowerBound]),
      let highest = try key(batch, batch.candidates[stretch.upperBound - 1])
    else { return stretch.lowerBound }
    let limit = Self.densityLimit * stretch.count + 100
    var join = Join(next: stretch.lowerBound, end: stretch.upperBound, rowCount: 0)
    try production.copyOut(
      query(lowest, highest, limit: limit),
      "streaming \(plan.production) in key order"
    ) { message in
      try take(message, batch, judge, &join, &counts, &suspects)
    }
    // The stream ended by itself: what is left in the batch has no row in production.
    guard join.rowCount < limit else { return join.next }
    while join.next < join.end { skip(batch, &join, &counts, &suspects) }
    return join.next
  }

  private struct Join {
    /// The candidate to be met next.
    var next: Int
    /// Behind the last candidate of the stretch.
    let end: Int
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
    while join.next < join.end, keys[join.next] < key { skip(batch, &join, &counts, &suspects) }
    guard join.next < join.end, keys[join.next] == key else { return }
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
