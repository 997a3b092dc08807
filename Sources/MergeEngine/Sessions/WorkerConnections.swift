import Libpq

/// A worker's connections: one to the database that holds everything, or one each to staging and production.
///
/// With two, a batch is one transaction on each side. Production commits first, then staging with its marks: a crash
/// in between leaves rows unmarked that are merged, and the end of the next run marks them.
struct WorkerConnections {
  let production: Connection
  let staging: Connection
  /// nil where nothing is marked on another server.
  var stagingLog: StagingLog?

  /// Staging before production, since that is the order in which a batch reaches them.
  private var inOrder: [Connection] { isSplit ? [staging, production] : [production] }

  /// Whether staging is in another database.
  var isSplit: Bool { staging !== production }

  var isBroken: Bool { inOrder.contains { $0.isBroken } }

  /// Opens a transaction everywhere, each with the next statement there.
  func beginWithNext(_ operation: String) throws(PostgresError) {
    for connection in inOrder { try connection.beginWithNext(operation) }
  }

  /// Runs the same statement everywhere.
  func execute(_ sql: SQL, _ operation: String) throws(PostgresError) {
    for connection in inOrder { try connection.execute(sql, operation) }
  }

  /// Ends a transaction or a savepoint, production first.
  func commit(_ sql: SQL, _ operation: String) throws(PostgresError) {
    try production.execute(sql, operation)
    try commitStagingAfterProduction(sql, operation)
  }

  /// The same where production's end has travelled with its last statement.
  func commitStagingAfterProduction(_ sql: SQL, _ operation: String) throws(PostgresError) {
    if isSplit { try staging.execute(sql, operation) }
  }

  /// Ends a transaction the other way round: for rows that are to be read again. A crash in between leaves them NEW, and so
  /// to be read, and still on record as refused.
  func commitStagingFirst(_ operation: String) throws(PostgresError) {
    for connection in inOrder { try connection.execute("COMMIT", operation) }
  }

  /// Undoes what is open.
  ///
  /// A batch's time limit holds for this statement too, and may go off in the middle of it: then it is sent again.
  func undo(_ sql: SQL, _ operation: String) throws(PostgresError) {
    for connection in inOrder {
      connection.forgetWaiting()
      while connection.isInTransaction {
        do {
          try connection.execute(sql, operation)
          break
        } catch {
          guard error.sqlState == .queryCanceled else { throw error }
        }
      }
    }
  }

  /// Runs `body`, during which a request to stop cancels both sides.
  func covered<Value>(by stop: StopSignal, _ body: () throws -> Value) throws -> Value {
    try stop.covering(staging) { try stop.covering(production, body) }
  }
}

extension Session {
  /// Opens the connections of a run's worker, to servers that take writes.
  ///
  /// - Parameters:
  ///   - marksRows: whether staging is written to as well.
  ///   - isAtomic: the run is one transaction, after whose commit nothing comes that would make it safe.
  ///   - carriesText: values travel as text.
  ///   - comparesText: values are compared by their text.
  func connectWorker(
    _ number: Int,
    runID: Int,
    marksRows: Bool,
    isAtomic: Bool,
    carriesText: Bool,
    comparesText: Bool
  ) throws(PostgresError) -> WorkerConnections {
    let connections = try connectWorker(
      role: "run \(runID) worker \(number)",
      lowersCommits: !isAtomic,
      isAtomic: isAtomic,
      carriesText: carriesText,
      comparesText: comparesText
    )
    _ = try connections.production.requirePrimary()
    if marksRows { _ = try connections.staging.requirePrimary() }
    return connections
  }

  /// Opens a worker's connections, on which batch-sized statements get the plans they were written for.
  ///
  /// - Parameter role: what the connections do, for `pg_stat_activity`.
  func connectWorker(
    role: String,
    lowersCommits: Bool = false,
    isAtomic: Bool = false,
    carriesText: Bool = false,
    comparesText: Bool = false
  ) throws(PostgresError) -> WorkerConnections {
    let isSplit = stagingTarget != nil
    var purpose = Purpose(
      carriesBatches: true,
      // Marks on another server must not outlive rows that production has confirmed and then lost.
      lowersCommits: lowersCommits && !isSplit,
      raisesCommits: isSplit,
      waitsForOthers: isSplit || isAtomic,
      carriesText: carriesText,
      comparesText: comparesText
    )
    let production = try connect(target, role: role, for: purpose)
    guard let stagingTarget else { return WorkerConnections(production: production, staging: production) }
    (purpose.lowersCommits, purpose.raisesCommits) = (lowersCommits, false)
    return WorkerConnections(
      production: production,
      staging: try connect(stagingTarget, role: role, for: purpose),
      stagingLog: StagingLog(self)
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
