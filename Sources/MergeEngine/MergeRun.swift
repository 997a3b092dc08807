import Foundation
import Libpq
import Logging

/// One merge from start to end.
///
/// ```
/// staging rows ─COPY out─▶ Claim ─▶ Probe ─▶ Classify ─▶ Apply ─COPY in─▶ production
///                            one batch = one transaction on one worker
///                                         └─▶ Record ─▶ merge_logs, report
/// ```
///
/// A run is a queue of block ranges and some workers that empty it; this file sees them all.
public struct MergeRun: Sendable {
  private let target: ConnectionTarget
  private let options: MergeOptions
  private let logger: Logger
  private let stop: StopSignal

  /// - Parameters:
  ///   - target: the database that holds staging and production.
  ///   - options: what to merge, and how.
  ///   - logger: gets warnings and, at debug level, what is retried.
  ///   - stop: ends the run early.
  public init(target: ConnectionTarget, options: MergeOptions, logger: Logger, stop: StopSignal = StopSignal()) {
    self.target = target
    self.options = options
    self.logger = logger
    self.stop = stop
  }

  /// Merges; blocks the calling thread until the run is closed.
  ///
  /// - Parameter onProgress: called on this thread a few times a second.
  /// - Returns: what was done, also when tables failed or the run was interrupted.
  /// - Throws: ``MergeFailure`` when nothing could be begun, ``PostgresError`` when the server failed before the run.
  public func run(onProgress: (RunProgress) -> Void = { _ in }) throws -> RunReport {
    let startedAt = Date()
    let clockStart = ContinuousClock.now
    let control = try Reaching.database { () throws(PostgresError) in try session.connectControl() }
    let plan = try Preparation(options: options, logger: logger).plan(control)
    try Preparation.lockTables(of: plan, control)
    try AdminSchema(schemas: options.schemas).complete(control)
    try MonitoringViews(schemas: options.schemas).createMissing(control, logger)
    try RunRecord.closeDeadRuns(control, options.schemas)
    let record = try RunRecord(control, options.schemas, tables: plan.tables.map(\.name), options: options)

    let queue = WorkQueue(plan, batchRows: options.batchRows)
    let workerCount = options.atomic ? 1 : options.workers
    let threads = WorkerThreads(
      count: workerCount,
      RunContext(
        plan: plan,
        session: session,
        schemas: options.schemas,
        isAtomic: options.atomic,
        record: record,
        retries: RetryPolicy(),
        stop: stop,
        logger: logger
      ),
      queue
    )
    while !threads.waitForAll(timeLimitSeconds: 0.25) {
      onProgress(RunProgress(queue.snapshot, since: clockStart))
    }
    onProgress(RunProgress(queue.snapshot, since: clockStart))

    let closed = try RunClosing(session: session, record: record, plan: plan, options: options, logger: logger)
      .close(queue.snapshot, fatalError: threads.fatalError, isInterrupted: stop.signal != nil, control)
    return RunReport(
      runID: record.id,
      status: closed.status,
      startedAt: startedAt,
      finishedAt: Date(),
      elapsedMilliseconds: (ContinuousClock.now - clockStart).milliseconds,
      workers: workerCount,
      batchRows: options.batchRows,
      tables: closed.tables,
      failures: closed.failures,
      warnings: plan.warnings.map(\.message) + closed.warnings
    )
  }

  private var session: Session {
    Session(
      target: target,
      schemas: options.schemas,
      timeZone: options.timeZone,
      lockTimeoutMilliseconds: options.lockTimeoutMilliseconds,
      logger: logger
    )
  }
}
