import Foundation
import Libpq
import Logging

/// Takes back a run that was merged with before-images: old rows are put back, inserted rows deleted.
///
/// ```
/// images ─▶ lock the untouched ─▶ delete what was inserted, put back what was updated ─▶ staging rows NEW again
///             one stretch of images = one transaction, in which its images are deleted, too
/// ```
/// So the images that are left are the work that is left, whatever ends the process. A row that anyone has changed since
/// keeps its image and is left alone.
public struct Rollback: Sendable {
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
  public init(
    target: ConnectionTarget,
    stagingTarget: ConnectionTarget?,
    options: RollbackOptions,
    logger: Logger,
    stop: StopSignal = StopSignal()
  ) {
    self.options = options
    self.stop = stop
    self.logger = logger
    var session = Session(
      target: target,
      stagingTarget: stagingTarget,
      schemas: options.merge.schemas,
      timeZone: options.merge.timeZone,
      lockTimeoutMilliseconds: options.merge.lockTimeoutMilliseconds,
      statementTimeoutMilliseconds: options.merge.statementTimeoutMilliseconds,
      logger: logger
    )
    session.isReadOnly = options.isDryRun
    self.session = session
  }

  private var record: RollbackRecord {
    RollbackRecord(runID: options.runID, admin: Identifier(options.merge.schemas.admin))
  }

  /// Rolls back, or counts what a rollback would do; blocks the calling thread.
  ///
  /// - Throws: ``MergeFailure`` when nothing could be begun, ``PostgresError`` when the server failed before that.
  public func run() throws -> RollbackReport {
    options.isDryRun ? try DryRollback(options: options, session: session).run() : try takeBack()
  }

  private func takeBack() throws -> RollbackReport {
    let startedAt = Date()
    let clockStart = ContinuousClock.now
    let control = try connect()
    try RunRecord.closeDeadRuns(control, options.merge.schemas)
    let plan = try Self.resolve(options, control)
    let connections = try session.connectWorker(role: "rollback of run \(options.runID)")
    // On the connection that does the work: neither outlives the other.
    try RunLocks(tables: plan.tables.map { ($0.name, $0.entry.productionOid) }).takeTables(connections.production)
    try RunLocks.takeRun(options.runID, connections.production)
    // Marks and rows may be on two servers: neither side may lose what the other has kept.
    try connections.execute("SET synchronous_commit = on", "setting up the rollback's session")
    let (staging, warnings) = try StagingMatch(options: options.merge, logger: logger).plans(plan, connections)
    try record.begin(control)
    var passes = RollbackPasses(
      try plan.tables.indices.map { index in
        try RollbackBatch(
          plan.tables[index],
          number: index,
          record,
          staging: staging[index],
          others: plan.siblings[index],
          connections
        )
      },
      batchRowCount: options.merge.batchRows,
      connections,
      stop,
      logger
    )
    try passes.run()
    let closing = RollbackClosing(options: options, plan: plan, staging: staging, record: record, connection: control)
    return try closing.close(passes, warnings: warnings, startedAt, clockStart)
  }

  private func connect() throws -> Connection {
    try Reaching.database { () throws(PostgresError) in try session.connectControl() }
  }

  /// Settles what is to be done, and that nothing stands against it.
  static func resolve(_ options: RollbackOptions, _ connection: Connection) throws -> RollbackPlan {
    let schemas = options.merge.schemas
    guard try AdminSchema(schemas: schemas).missingStatements(connection).isEmpty else {
      throw RollbackRecord.blocked(
        "the admin schema \(schemas.admin) is missing or incomplete: nothing has been merged with --before-images yet."
      )
    }
    let record = RollbackRecord(runID: options.runID, admin: Identifier(schemas.admin))
    let plan = try RollbackPlan(record, only: options.merge.tables, schemas, connection)
    let denied = try RollbackAccess(schemas: schemas, readsOnly: options.isDryRun).blockers(plan.tables, connection)
    guard denied.isEmpty else { throw MergeFailure.blocked(denied) }
    return plan
  }
}
