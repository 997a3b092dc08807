import BinaryCopy
import Libpq

/// Production's rows between a batch's lowest and highest key, streamed in key order and joined on the client.
///
/// Only for keys of one integer column, whose order is the same for client and server. No production row is kept: each
/// is compared as it comes. Where the batch's keys leave a gap, so does the scan: a batch with old and new keys is two
/// stretches.
struct RangeScan {
  private let plan: TablePlan
  private var stretches = KeyStretches(largestGap: Self.widestGap)

  /// Production may hold so many rows for one of the batch's before look-ups are cheaper: a look-up costs the server
  /// about as much as reading four or five rows in key order.
  private static let densityLimit = 4

  /// Fewer rows are looked up: a scan is a statement of its own. Arbitrary.
  private static let smallestStretch = 200

  /// Keys further apart than this begin another stretch. Arbitrary.
  private static let widestGap: Int64 = 10_000

  /// Batches in which stretches of unknown density are looked up before one is scanned again.
  private var holidays = 0

  /// - Returns: nil for keys of other kinds.
  init?(_ plan: TablePlan) {
    guard plan.keyIsOneInteger else { return nil }
    self.plan = plan
  }

  /// Compares the batch's candidates with what production has in their ranges.
  ///
  /// - Returns: the candidates that are not settled, since production is too dense around them, or they are too few.
  mutating func look(
    _ batch: StagedBatch,
    _ judge: RowJudge,
    on production: Connection,
    counts: inout RowCheckCounts,
    suspects: inout [SuspectRow]
  ) throws -> [UInt32] {
    try stretches.divide(batch)
    var rest: [UInt32] = []
    var isSparse = false
    for stretch in stretches.all {
      let candidates = stretch.candidates
      let isKnownToBeDense = stretch.possibleKeyCount <= Self.densityLimit * candidates.count
      guard candidates.count >= Self.smallestStretch, isKnownToBeDense || holidays == 0 else {
        rest += batch.candidates[candidates]
        continue
      }
      let settledEnd = try look(stretch, of: batch, judge, on: production, counts: &counts, suspects: &suspects)
      rest += batch.candidates[settledEnd..<candidates.upperBound]
      if settledEnd - candidates.lowerBound < candidates.count / 2 { isSparse = true }
    }
    // 16 is arbitrary: one useless scan in that many batches costs little.
    holidays = isSparse ? 16 : max(holidays - 1, 0)
    return rest
  }

  /// - Returns: the place behind the last candidate that is settled.
  private func look(
    _ stretch: KeyStretches.Stretch,
    of batch: StagedBatch,
    _ judge: RowJudge,
    on production: Connection,
    counts: inout RowCheckCounts,
    suspects: inout [SuspectRow]
  ) throws -> Int {
    let limit = Self.densityLimit * stretch.candidates.count + 100
    var join = Join(next: stretch.candidates.lowerBound, end: stretch.candidates.upperBound, rowCount: 0)
    try production.copyOut(
      query(stretch, limit: limit),
      "streaming \(plan.production) in key order"
    ) { message in
      try take(message, of: batch, judge, join: &join, counts: &counts, suspects: &suspects)
    }
    // The stream ended by itself: what is left in the batch has no row in production.
    guard join.rowCount < limit else { return join.next }
    while join.next < join.end { skip(batch, join: &join, counts: &counts, suspects: &suspects) }
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
    of batch: StagedBatch,
    _ judge: RowJudge,
    join: inout Join,
    counts: inout RowCheckCounts,
    suspects: inout [SuspectRow]
  ) throws(BinaryCopyError) {
    var cursor = CopyCursor()
    guard try cursor.beginMessage(message) != nil else { return }
    join.rowCount += 1
    let fields = cursor.offset..<message.byteCount
    guard let key = try message.integer(cursor.readField(in: message)) else { return }
    while join.next < join.end, stretches.keys[join.next] < key {
      skip(batch, join: &join, counts: &counts, suspects: &suspects)
    }
    guard join.next < join.end, stretches.keys[join.next] == key else { return }
    let row = batch.rows[Int(batch.candidates[join.next])]
    let standing = try judge.standing(row, in: batch.bytes.rawSpan, fields, in: message)
    counts.add(standing, at: row.address, suspects: &suspects)
    join.next += 1
  }

  /// Production has no row for the candidate.
  private func skip(
    _ batch: StagedBatch,
    join: inout Join,
    counts: inout RowCheckCounts,
    suspects: inout [SuspectRow]
  ) {
    counts.add(.missing, at: batch.rows[Int(batch.candidates[join.next])].address, suspects: &suspects)
    join.next += 1
  }

  private func query(_ stretch: KeyStretches.Stretch, limit: Int) -> SQL {
    let key: SQL = "p.\(plan.columns[0].name)"
    let type = plan.columns[0].baseType.fullName
    return """
      COPY (
        SELECT \(ProbeSQL.columns(plan).joined(", "))
        FROM \(plan.production) AS p
        WHERE \(key) >= '\(stretch.lowest)'::\(type) AND \(key) <= '\(stretch.highest)'::\(type)
        ORDER BY \(key)
        LIMIT \(limit)
      ) TO STDOUT (FORMAT binary)
      """
  }
}
