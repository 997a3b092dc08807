import Libpq

/// The advisory locks that a run holds on its control connection: its tables', and its own.
struct RunLocks {
  /// Production tables by their plain names and oids.
  let tables: [(name: String, oid: UInt32)]
  /// The schema that runs are recorded in.
  private let admin: String

  init(plan: MergePlan, admin: String) {
    self.init(tables: plan.tables.map { ($0.name, $0.productionOid) }, admin: admin)
  }

  init(tables: [(name: String, oid: UInt32)], admin: String) {
    self.tables = tables
    self.admin = admin
  }

  /// Takes every table's lock, which belongs to the connection and ends with it.
  ///
  /// - Throws: ``MergeFailure/busy(table:by:)`` when another merge holds one.
  func takeTables(_ connection: Connection) throws {
    let keys = tables.map { Int32(bitPattern: $0.oid) }
    let areHeld = try AdvisoryLock.tryAcquire(AdvisoryLock.tableClass, keys, on: connection)
    guard let index = areHeld.firstIndex(of: false) else { return }
    throw MergeFailure.busy(table: tables[index].name, by: try holder(of: keys[index], connection))
  }

  /// - Returns: nil when the lock is free by now.
  private func holder(of key: Int32, _ connection: Connection) throws(PostgresError) -> LockHolder? {
    let found = try connection.query(
      """
      SELECT t.pid, r.objid::bigint
      FROM pg_locks t LEFT JOIN pg_locks r
        ON r.pid = t.pid AND r.locktype = 'advisory' AND r.database = t.database AND r.objsubid = 2
        AND r.classid = \(AdvisoryLock.runClass)::oid
      WHERE t.locktype = 'advisory' AND t.objsubid = 2 AND t.granted
        AND t.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND t.classid = \(AdvisoryLock.tableClass)::oid AND t.objid = $1::text::oid
      """,
      [.text("\(UInt32(bitPattern: key))")],
      "checking who holds a table"
    )
    guard found.count > 0, let processID = found.integer(0, 0) else { return nil }
    let runKey = found.integer(0, 1).map { Int32(truncatingIfNeeded: $0) }
    return LockHolder(processID: processID, runID: runKey.flatMap { AdvisoryLock.runID($0, admin: admin) })
  }

  /// Within the transaction of a batch, with its next statement: keeps ``awaitBatches(_:limitSeconds:stop:)`` waiting until it
  /// has ended.
  static func joinBatches(of table: UInt32, _ connection: Connection) throws(PostgresError) {
    try connection.executeWithNext(
      "SELECT pg_advisory_xact_lock_shared(\(AdvisoryLock.batchClass), \(Int32(bitPattern: table)))",
      "beginning a batch"
    )
  }

  /// Waits for the batches of connections that were lost, or of a client that died: what they commit must be in the ledger
  /// before it is read.
  ///
  /// - Parameter limitSeconds: how long they are waited for.
  /// - Throws: ``MergeFailure/busy(table:by:)`` when a session keeps its batch open for longer.
  func awaitBatches(_ connection: Connection, limitSeconds: Double, stop: StopSignal) throws {
    let deadline = ContinuousClock.now + .seconds(limitSeconds)
    while let index = try tableInBatch(connection), stop.signal == nil {
      guard ContinuousClock.now < deadline else { throw MergeFailure.busy(table: tables[index].name, by: nil) }
      stop.sleep(seconds: Self.batchPauseSeconds)
    }
  }

  /// A table of which a batch is under way.
  private func tableInBatch(_ connection: Connection) throws(PostgresError) -> Int? {
    try connection.query(
      """
      SELECT min(t.position) FROM unnest($1::text[]) WITH ORDINALITY AS t (key, position)
      WHERE NOT pg_try_advisory_xact_lock(\(AdvisoryLock.batchClass), t.key::integer)
      """,
      [.textArray(tables.map { "\(Int32(bitPattern: $0.oid))" })],
      "waiting for the last batches of another merge"
    ).integer(0, 0).map { $0 - 1 }
  }

  /// How often batches that are to end are asked for. Arbitrary.
  private static let batchPauseSeconds = 0.05

  /// Takes the lock by which others see that the run is alive, with the next statement.
  static func takeRun(_ id: Int, admin: Identifier, _ connection: Connection) throws(PostgresError) {
    let key = AdvisoryLock.runKey(id, admin: admin.name)
    try connection.executeWithNext(
      "SELECT pg_try_advisory_lock(\(AdvisoryLock.runClass), \(key))",
      "taking the lock of the run"
    )
  }
}
