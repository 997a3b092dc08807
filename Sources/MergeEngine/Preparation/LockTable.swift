import Libpq

/// Whether the server's lock table has room for the partitions and indexes that every worker locks.
///
/// A batch locks each partition of its table and each of their indexes, whatever rows it has: the statements are planned for
/// all of them. The table is made when the server starts, for max_locks_per_transaction locked objects for each session and
/// prepared transaction that there may be, and for twice as many holders (`NLOCKENTS` in the server's `lock.c`, `MaxBackends`
/// in its `postinit.c`). What is left of shared memory beyond that is no more than a few hundred places.
struct LockTable {
  private let workerCount: Int
  private let capacity: Capacity
  /// Partitions and indexes that a batch locks, by table.
  private let lockCounts: [UInt32: Int]

  /// What others may take meanwhile. Arbitrary: a tenth.
  private static let usableShare = 0.9
  /// Places beyond the table's size, in memory that nobody else has taken; seen with PostgreSQL 15.
  private static let spareObjectCount = 300
  /// Locks of a batch on all that is not production: staging, admin and temporary tables with their indexes. Rounded up.
  private static let otherLockCount = 40

  init(_ plan: MergePlan, workerCount: Int, _ connection: Connection) throws(PostgresError) {
    self.workerCount = workerCount
    capacity = try Self.capacity(connection)
    lockCounts = try Self.lockCounts(plan, connection)
  }

  /// Why not even one worker could merge a table; nil when one can.
  func obstacle(_ table: TablePlan) -> String? {
    guard workersAtATime(on: table) == 0 else { return nil }
    return "\(reason(table)) is too small. \(advice(table, workers: 1))"
  }

  /// Lets no more workers be at work than there is room for.
  ///
  /// - Returns: a warning where that is fewer than were asked for.
  func limit(_ plan: inout MergePlan) -> [Finding] {
    guard let largest = plan.tables.max(by: { count($0) < count($1) }) else { return [] }
    let limit = workersAtATime(on: largest)
    plan.limitWorkers(to: limit)
    guard limit < workerCount else { return [] }
    return [
      .warning(
        .lockTable,
        largest.name,
        "\(reason(largest)) has room for \(limit) at a time: the merge uses \(limit) of \(workerCount) workers. "
          + advice(largest, workers: workerCount)
      )
    ]
  }

  private func count(_ table: TablePlan) -> Int { (lockCounts[table.productionOid] ?? 1) + Self.otherLockCount }

  /// Objects are locked once, whoever holds them; holders are counted one by one.
  private func workersAtATime(on table: TablePlan) -> Int {
    guard count(table) <= capacity.objects + Self.spareObjectCount - capacity.heldObjects else { return 0 }
    let holders = Double(2 * capacity.objects - capacity.heldHolders) * Self.usableShare
    return max(Int(holders / Double(count(table))), 1)
  }

  private func reason(_ table: TablePlan) -> String {
    "each batch of \(table.production) locks \(count(table)) partitions and indexes, for which the server's lock table "
      + "(\(capacity.objects) places)"
  }

  private func advice(_ table: TablePlan, workers: Int) -> String {
    let places = Double(count(table) * max(workers, 2)) / 2 / Self.usableShare + Double(capacity.heldObjects)
    let enough = Int(max(places, Double(count(table)) * 1.5)) / max(capacity.transactions, 1) + 1
    return "Enlarge it, then restart the server: ALTER SYSTEM SET max_locks_per_transaction = \(max(enough, 64))"
  }

  /// How many objects each table is made of.
  static func partitions(_ plan: MergePlan) -> Query {
    Query(
      """
      WITH RECURSIVE tree AS (
        SELECT t.oid AS root, t.oid FROM unnest($1::oid[]) AS t (oid)
        UNION ALL
        SELECT tree.root, i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid
      )
      SELECT tree.root, count(*) + coalesce(sum(x.count), 0)::bigint
      FROM tree LEFT JOIN (SELECT indrelid, count(*) FROM pg_index GROUP BY indrelid) AS x ON x.indrelid = tree.oid
      GROUP BY tree.root
      """,
      [.oidArray(plan.tables.map(\.productionOid))],
      "counting the partitions of production"
    )
  }

  private static func lockCounts(_ plan: MergePlan, _ connection: Connection) throws(PostgresError) -> [UInt32: Int] {
    let rows = try connection.query(partitions(plan))
    return Dictionary(
      (0..<rows.count).map { (UInt32(rows.integer($0, 0) ?? 0), rows.integer($0, 1) ?? 0) }
    ) { first, _ in first }
  }

  private struct Capacity {
    /// Objects that can be locked at a time.
    let objects: Int
    /// Sessions and prepared transactions that the table is made for.
    let transactions: Int
    let heldObjects: Int
    let heldHolders: Int
  }

  /// How large the lock table is, and what of it is taken.
  static var size: Query {
    Query(
      """
      SELECT current_setting('max_locks_per_transaction')::bigint,
             current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint
               + current_setting('autovacuum_max_workers')::bigint + current_setting('max_worker_processes')::bigint
               + current_setting('max_wal_senders')::bigint + 1,
             (SELECT count(DISTINCT (l.locktype, l.database, l.relation, l.classid, l.objid, l.objsubid, l.transactionid,
                                     l.virtualxid, l.page, l.tuple)::text) FROM pg_locks l WHERE NOT l.fastpath),
             (SELECT count(*) FROM pg_locks l WHERE NOT l.fastpath)
      """,
      "reading the size of the lock table"
    )
  }

  /// Locks that lie in the sessions' own fast paths take no place.
  private static func capacity(_ connection: Connection) throws(PostgresError) -> Capacity {
    let row = try connection.query(size)
    let transactions = row.integer(0, 1) ?? 1
    return Capacity(
      objects: (row.integer(0, 0) ?? 1) * transactions,
      transactions: transactions,
      heldObjects: row.integer(0, 2) ?? 0,
      heldHolders: row.integer(0, 3) ?? 0
    )
  }
}
