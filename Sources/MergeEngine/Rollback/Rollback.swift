import Foundation
import Libpq
import Logging

/// Takes back a run that was merged with before-images: old rows are put back, inserted rows deleted.
///
/// ```
/// images ─▶ lock the untouched ─▶ delete what was inserted, put back what was updated ─▶ staging rows to be read again
///             one stretch of images = one transaction, in which its images are deleted, too
/// ```
/// So the images that are left are the work that is left, whatever ends the process. A row that anyone has changed since
/// keeps its image and is left alone.
package struct Rollback: Sendable {
  private let options: RollbackOptions
  private let session: Session
  private let stop: StopSignal
  private let logger: Logger

  /// - Parameters:
  ///   - target: the database that holds production and the admin schema.
  ///   - stagingTarget: the one that holds staging, if it is another.
  ///   - options: which run, and how.
  ///   - logger: gets warnings and, at debug level, what is retried.
  ///   - stop: ends the rollback early.
  package init(
    target: ConnectionTarget,
    stagingTarget: ConnectionTarget?,
    options: RollbackOptions,
    logger: Logger,
    stop: StopSignal = StopSignal()
  ) {
    self.options = options
    self.stop = stop
    self.logger = logger
    session = Session(
      target: target,
      stagingTarget: stagingTarget,
      options: options.merge,
      isReadOnly: options.isDryRun,
      logger: logger
    )
  }

  private var record: RollbackRecord {
    RollbackRecord(runID: options.runID, admin: Identifier(options.merge.schemas.admin))
  }

  /// Rolls back, or counts what a rollback would do; blocks the calling thread.
  ///
  /// - Throws: ``MergeFailure`` when nothing could be begun, ``PostgresError`` when the server failed before that.
  package func run() throws -> RollbackReport {
    let clock = ReportClock()
    let retries = RetryPolicy(reconnectLimitSeconds: Double(options.merge.reconnectLimitSeconds))
    let control = try ControlConnection(session, retries, stop: stop)
    do {
      return options.isDryRun
        ? try foresee(control.current, clock)
        : try takeBack(control, clock)
    } catch {
      // A statement that was cancelled because somebody asked to stop is no failure.
      guard stop.signal != nil else { throw error }
      return RollbackReport(
        runID: options.runID,
        isDryRun: options.isDryRun,
        status: .aborted,
        startedAt: clock.startedAt,
        elapsedMilliseconds: (ContinuousClock.now - clock.start).milliseconds,
        tables: [],
        failures: [],
        warnings: []
      )
    }
  }

  private func foresee(_ control: Connection, _ clock: ReportClock) throws -> RollbackReport {
    let connections = WorkerConnections(production: control, staging: try session.reachStaging(beside: control))
    return try connections.covered(by: stop) {
      let plan = try Self.resolve(options, control)
      // What could not be read again would only be told when all else was taken back.
      let (staging, warnings) = try stagingToBeReadAgain(plan, control, connections)
      return try DryRollback(options: options, plan: plan, staging: staging, connections: connections)
        .run(clock, warnings: warnings)
    }
  }

  /// Where staging rows lie that the next merge is to read again: for each table, nil where that can't be known, and why not.
  private func stagingToBeReadAgain(_ plan: RollbackPlan, _ control: Connection, _ connections: WorkerConnections)
    throws
    -> (plans: [TablePlan?], warnings: [String])
  {
    // A repair has read none.
    guard try !record.isRepair(control) else { return (plan.tables.map { _ in nil }, []) }
    var reading = options.merge
    reading.timeZone = try record.timeZone(control) ?? reading.timeZone
    return try StagingMatch(options: reading, logger: logger).plans(plan, connections)
  }

  private func takeBack(_ holder: ControlConnection, _ clock: ReportClock) throws -> RollbackReport {
    let control = holder.current
    let unlocked = try stop.covering(control) {
      try Self.requireAdminSchema(options.merge.schemas, control)
      try RunRecord.closeDeadRuns(control, options.merge.schemas)
      return try Self.resolve(options, control)
    }
    let connections = try session.connectWorker(role: "rollback of run \(options.runID)")
    // On the connection that does the work: neither outlives the other.
    let tables = unlocked.tables.map { (name: $0.name, oid: $0.entry.productionOid) }
    try RunLocks(tables: tables, admin: options.merge.schemas.admin).takeTables(connections.production)
    try RunLocks.takeRun(options.runID, admin: record.admin, connections.production)
    // Another rollback of the run may have ended before the locks were had, and have dropped its images.
    let plan = try stop.covering(control) { try Self.resolve(options, control) }
    let rereading = try record.warningOfRereading(control)
    for warning in try plan.slowChecks(control) + [rereading].compactMap(\.self) { logger.warning("\(warning)") }
    let (staging, warnings) = try stagingToBeReadAgain(plan, control, connections)
    // What an interruption ends here has taken nothing back: the run is as it was.
    let batches = try connections.covered(by: stop) {
      try plan.tables.indices.map { index in
        try RollbackBatch(
          plan.tables[index],
          number: index,
          record,
          staging: staging[index],
          others: plan.siblings[index],
          on: connections
        )
      }
    }
    try record.begin(plan.tables, control)
    var passes = RollbackPasses(
      batches,
      through: RollbackGate(options, holder, stop: stop, logger: logger),
      on: connections,
      stop: stop,
      logger: logger
    )
    try passes.run()
    do {
      _ = try holder.renewIfLost()
      let closing = RollbackClosing(
        options: options,
        plan: plan,
        staging: staging,
        record: record,
        connection: holder.current
      )
      return try closing.close(passes, warnings: warnings, stop: stop, clock: clock)
    } catch {
      // Much may be committed by then, which is no less true for being on no record.
      guard stop.signal == nil else { throw error }
      return RollbackClosing.unrecorded(passes, plan, options, error, clock)
    }
  }

  /// Settles what is to be done, and that nothing stands against it.
  static func resolve(_ options: RollbackOptions, _ connection: Connection) throws -> RollbackPlan {
    do {
      return try settle(options, connection)
    } catch let error as PostgresError where error.sqlState == .undefinedTable {
      // Somebody has dropped images meanwhile: what there is now decides.
      return try settle(options, connection)
    }
  }

  private static func settle(_ options: RollbackOptions, _ connection: Connection) throws -> RollbackPlan {
    let schemas = options.merge.schemas
    try requireAdminSchema(schemas, connection)
    let record = RollbackRecord(runID: options.runID, admin: Identifier(schemas.admin))
    let plan = try RollbackPlan(record, only: options.merge.tables, schemas: schemas, on: connection)
    let access = RollbackAccess(schemas: schemas, readsOnly: options.isDryRun)
    let blockers = try access.blockers(plan.tables, connection) + plan.tables.flatMap { try obstacles($0, connection) }
    guard blockers.isEmpty else { throw MergeFailure.blocked(blockers) }
    return plan
  }

  /// What would turn its statements into something else, or hide rows from them: also those that refer to the ones it deletes, which
  /// the server's own cascades see.
  private static func obstacles(_ table: RollbackTable, _ connection: Connection) throws(PostgresError) -> [Finding] {
    try RewriteRules(table: table.name).findings(on: table.production, [.update, .delete], connection)
      + RowSecurity(table: table.name).findings(on: [table.production] + table.references.map(\.child), connection)
  }

  private static func requireAdminSchema(_ schemas: Schemas, _ connection: Connection) throws {
    guard try AdminSchema(schemas: schemas).missingStatements(connection).isEmpty else {
      throw RollbackRecord.blocked(
        "the admin schema \(schemas.admin) is missing or incomplete: nothing has been merged with --before-images yet."
      )
    }
  }
}
