import Libpq

/// A worker's connections: one to the database that holds everything, or one each to staging and production.
///
/// With two, a batch is one transaction on each side. Production commits first, then staging with its marks: a crash
/// in between leaves rows unmarked that are merged, and the end of the next run marks them.
struct WorkerConnections {
  let production: Connection
  let staging: Connection

  /// Staging before production, since that is the order in which a batch reaches them.
  private var inOrder: [Connection] { isSplit ? [staging, production] : [production] }

  /// Whether staging is in another database.
  var isSplit: Bool { staging !== production }

  var isBroken: Bool { inOrder.contains { $0.isBroken } }

  /// Runs the same statement everywhere.
  func execute(_ sql: SQL, _ operation: String) throws(PostgresError) {
    for connection in inOrder { try connection.execute(sql, operation) }
  }

  /// Ends a transaction or a savepoint, production first.
  func commit(_ sql: SQL, _ operation: String) throws(PostgresError) {
    for connection in inOrder.reversed() { try connection.execute(sql, operation) }
  }

  /// Ends a transaction the other way round: for rows that are to be read again. A crash in between leaves them NEW, and so
  /// to be read, and still on record as refused.
  func commitStagingFirst(_ operation: String) throws(PostgresError) {
    for connection in inOrder { try connection.execute("COMMIT", operation) }
  }

  /// Undoes what is open.
  func undo(_ sql: SQL, _ operation: String) throws(PostgresError) {
    for connection in inOrder where connection.isInTransaction { try connection.execute(sql, operation) }
  }

  /// Runs `body`, during which a request to stop cancels both sides.
  func covered<Value>(by stop: StopSignal, _ body: () throws -> Value) throws -> Value {
    try stop.covering(staging) { try stop.covering(production, body) }
  }
}

extension Session {
  /// Opens the connections of a run's worker, to servers that take writes.
  ///
  /// - Parameter marksRows: whether staging is written to as well.
  func connectWorker(_ number: Int, runID: Int, marksRows: Bool) throws(PostgresError) -> WorkerConnections {
    let connections = try connectWorker(role: "run \(runID) worker \(number)")
    _ = try connections.production.requirePrimary()
    if marksRows { _ = try connections.staging.requirePrimary() }
    return connections
  }

  /// Opens a worker's connections, on which batch-sized statements get the plans they were written for.
  ///
  /// - Parameter role: what the connections do, for `pg_stat_activity`.
  func connectWorker(role: String) throws(PostgresError) -> WorkerConnections {
    let production = try connect(target, role: role)
    try prepareForBatches(production)
    guard let stagingTarget else { return WorkerConnections(production: production, staging: production) }
    // The marks are on another server: they must not outlive rows that production has confirmed and then lost.
    try production.execute("SET synchronous_commit = on", "setting up a worker's session")
    let staging = try connect(stagingTarget, role: role)
    try prepareForBatches(staging)
    return WorkerConnections(production: production, staging: staging)
  }

  /// The statements of probe and apply join a batch with production by production's primary key. Without these
  /// settings the planner, which knows nothing of a temporary table or an array parameter, may hash all of production
  /// (2.3 s for 4M rows), or merge-join it from its first row on, batch after batch. What is left is the nested loop
  /// over the index, which nobody's defaults may take away; nor the scan of staging's blocks. A batch is too small for JIT and parallel plans to pay. `synchronous_commit` is off because a
  /// batch's rows, marks and counts commit together: a server crash loses whole batches, which the next run takes
  /// again, and the run's own last commit is synchronous.
  private func prepareForBatches(_ connection: Connection) throws(PostgresError) {
    try connection.execute(
      """
      SET enable_hashjoin = off;
      SET enable_mergejoin = off;
      SET enable_seqscan = off;
      SET enable_bitmapscan = off;
      SET enable_nestloop = on;
      SET enable_indexscan = on;
      SET enable_indexonlyscan = on;
      SET enable_tidscan = on;
      SET jit = off;
      SET max_parallel_workers_per_gather = 0;
      SET synchronous_commit = off;
      """,
      "setting up a worker's session"
    )
  }
}

extension Connection {
  /// - Throws: as if there were no connection, when the server is a standby that nothing can be written to. It may be
  ///   promoted soon, or the name may lead to another server then.
  func requirePrimary() throws(PostgresError) -> Connection {
    guard !isStandby else {
      throw PostgresError(
        .connecting,
        message: "the server is a standby and takes no writes",
        operation: "connecting to the primary server"
      )
    }
    return self
  }
}
