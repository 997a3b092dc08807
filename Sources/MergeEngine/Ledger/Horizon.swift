import Libpq

/// Which transactions' rows a reading of staging has seen: all that are older than one id, and some of the younger.
///
/// Below ``oldest`` every transaction had ended when the horizon was taken, and the ones in ``recent`` had committed, since
/// their rows were there. Neither adds a row to any place afterwards, subtransactions and prepared transactions included.
/// So whoever reads, at any later time, the rows of these transactions misses none of them, and rows that are added or
/// changed meanwhile have other ids. A saved `pg_snapshot` would be no proof: it knows nothing of subtransactions that were
/// running.
///
/// Ids are those of `xid8`. A row's `xmin` holds the lower half, and freezing leaves it readable for ever: the row may be older
/// than that by whole turns of 2^32. But whoever meets a row knows that its transaction has been given its id. So on the turn
/// that ends with the next id, the news of a horizon are the ids from ``oldest`` on; an `xmin` that lies elsewhere, ahead of the
/// next id for instance, is that of an older transaction, whose row was there. `age` alone would take half of a turn for news,
/// and rows that were frozen 2^31 transactions ago would never be read.
///
/// That takes no unread row for a merged one: a row that the horizon has not seen has an id from ``oldest`` up to the next one,
/// and so has its `xmin`, as long as the horizon is valid. And hardly a merged one for unread: only a frozen row whose `xmin`
/// lies among these ids once more. Of those that were there, ``recent`` holds the ids (``mayBeMet(from:before:)``); of an earlier
/// entry such rows are read a second time when the numbers come to them, which changes nothing.
struct Horizon: Sendable, Hashable {
  /// Every transaction older than this had ended.
  let oldest: Int
  /// Transactions, none older than ``oldest``, whose rows were there.
  let recent: [Int]
  /// The next id to be given out.
  let next: Int

  init(oldest: Int, recent: [Int], next: Int) {
    self.oldest = oldest
    self.recent = recent
    self.next = next
  }

  /// What is asked at first.
  static var running: Query {
    Query(
      """
      SELECT pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint FROM pg_current_snapshot() AS s
      """,
      "reading the id of the oldest running transaction"
    )
  }

  /// Takes the horizon of a staging table as it is now.
  ///
  /// One scan of the table for the ids that are not older, 0.05 s for a million rows in memory; none where there can be no
  /// such row.
  ///
  /// - Parameter table: what the rows are read from.
  init(of table: SQL, _ connection: Connection) throws(PostgresError) {
    let snapshot = try connection.query(Self.running)
    let oldest = snapshot.integer(0, 0) ?? 0
    var next = snapshot.integer(0, 1) ?? 0
    var recent: [Int] = []
    if Self.mayBeMet(from: oldest, before: next) {
      // Later than the snapshot above, so that ids between the two may be seen too: they have committed as well.
      let rows = try connection.query(
        """
        SELECT DISTINCT s.xmin::text::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint
        FROM \(table) AS s WHERE \(Self.isNotOlder(than: oldest))
        """,
        "looking for rows of recent transactions"
      )
      recent = (0..<rows.count).map { Self.full(rows.integer($0, 0) ?? 0, notBefore: oldest) }.sorted()
      if rows.count > 0 { next = rows.integer(0, 1) ?? next }
    }
    self.init(oldest: oldest, recent: recent, next: next)
  }

  /// The next transaction id of the server.
  static func nextID(_ connection: Connection) throws(PostgresError) -> Int {
    try connection.query(
      "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint",
      "reading the id of the next transaction"
    ).integer(0, 0) ?? 0
  }

  /// A condition on a staging row: it is of a transaction that the horizon has seen.
  ///
  /// - Parameter row: the row's alias.
  func hasSeen(_ row: SQL = "s") -> SQL {
    guard oldest != Self.nothingOlder else { return "\(row).xmin = ANY (\(Self.list(recent)))" }
    // As a query of its own the bound is computed once, and not for every row.
    let isOlder = Self.isOlder("\(row).xmin", than: "(SELECT age('\(Self.half(oldest))'::xid))")
    return recent.isEmpty ? isOlder : "(\(isOlder) OR \(row).xmin = ANY (\(Self.list(recent))))"
  }

  /// The row is of no transaction older than `id`: what a look for news has to read.
  private static func isNotOlder(than id: Int) -> SQL {
    "NOT \(isOlder("s.xmin", than: "(SELECT age('\(half(id))'::xid))"))"
  }

  /// The transaction that a row bears is older than another one, or was frozen so long ago that its number lies ahead.
  ///
  /// - Parameters:
  ///   - transaction: the row's `xmin`.
  ///   - age: the age of the other, less than half a turn.
  static func isOlder(_ transaction: SQL, than age: SQL) -> SQL {
    "(age(\(transaction)) > \(age) OR age(\(transaction)) <= \(ahead))"
  }

  /// The transaction that a row bears is the one that asks, or a part of it; false where that has written nothing.
  static func isOwn(_ transaction: SQL) -> SQL {
    // Nobody else's id is still in progress and seen. Older ones are told beforehand, since only recent ids may be asked for.
    """
    CASE WHEN age(\(transaction)) <= age(pg_current_xact_id_if_assigned()::xid)
         THEN pg_xact_status((pg_current_xact_id_if_assigned()::text::bigint - age(\(transaction)))::text::xid8) = 'in progress'
         ELSE false END
    """
  }

  /// The `age` of numbers that nobody can have been given yet.
  ///
  /// Of ids from the snapshot's end on a statement may meet rows all the same: its own transaction's, savepoints included, and one
  /// that it has waited for and takes as it is by then. They are news; hence the margin.
  private static let ahead: SQL =
    "(SELECT age(pg_snapshot_xmax(pg_current_snapshot())::xid)::bigint - \(margin))"

  /// How many transactions may begin during one statement: at 100,000 a second 45 minutes' worth. Arbitrary, a sixteenth of a
  /// turn.
  static let margin = 1 << 28

  /// Whether there may be rows whose `xmin` counts as no older than `oldest`: of transactions from there on, or frozen
  /// so nearly a turn ago as only a server can have them that has come so far.
  static func mayBeMet(from oldest: Int, before next: Int) -> Bool { oldest < next || next > (1 << 32) - margin }

  /// Whether the horizon still tells old rows from new ones at the time of `now`, the next id.
  ///
  /// `age` compares 32 bits with their sign, so a horizon that is two thousand million transactions old tells nothing any
  /// more. Nor does one whose ``recent`` hold an id that had not been given out yet: that of a frozen row from before the
  /// last turn of the numbers, which a new transaction may bear by now.
  func isValid(at now: Int) -> Bool {
    if oldest == Self.nothingOlder { return recent.allSatisfy { now - $0 < 1 << 32 } }
    // Ids that the server has not given out yet are those of another one.
    return oldest <= now && now - oldest < 1 << 31 && !recent.contains { $0 >= next && $0 < now }
  }

  /// As ``oldest``: only ``recent`` count.
  static let nothingOlder = 0

  /// The one full id of a row's `xmin` in the 2^32 below `next`.
  static func full(_ half: Int, before next: Int) -> Int {
    next - 1 - Int(UInt32(truncatingIfNeeded: next - 1) &- UInt32(truncatingIfNeeded: half))
  }

  /// The one full id of a row's `xmin` in the 2^32 from `oldest` on.
  static func full(_ half: Int, notBefore oldest: Int) -> Int {
    oldest + Int(UInt32(truncatingIfNeeded: half) &- UInt32(truncatingIfNeeded: oldest))
  }

  /// `'{12,34}'::xid[]`
  static func list(_ ids: [Int]) -> SQL {
    "\(Literal("{" + ids.map { "\(half($0))" }.joined(separator: ",") + "}"))::xid[]"
  }

  private static func half(_ id: Int) -> UInt32 { UInt32(truncatingIfNeeded: id) }
}
