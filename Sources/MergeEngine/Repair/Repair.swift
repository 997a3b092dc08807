import Foundation
import Libpq
import Logging

/// Applies what `verify --output` has written, and nothing else: each row as staging has it, if it is still the row that
/// was compared.
///
/// ```
/// lines ─▶ the same staging row? ─▶ lock what is untouched ─▶ keep it, insert, overwrite or delete ─▶ counts
///                           one batch of lines = one transaction on one worker
/// ```
/// It is a run like a merge, with before-images always, so that `rollback` takes it back; but staging's progress is not its
/// subject: the rows were merged.
package struct Repair: Sendable {
  private var options: RepairOptions
  private let session: Session
  private let stop: StopSignal
  private let logger: Logger

  /// - Parameters:
  ///   - target: the database that holds production and the admin schema.
  ///   - stagingTarget: the one that holds staging, if it is another.
  ///   - options: which file, and how.
  ///   - logger: gets warnings and, at debug level, what is retried.
  ///   - stop: ends the repair early.
  package init(
    target: ConnectionTarget,
    stagingTarget: ConnectionTarget? = nil,
    options: RepairOptions,
    logger: Logger,
    stop: StopSignal = StopSignal()
  ) {
    var options = options
    options.merge.mark = .none
    options.merge.beforeImages = true
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

  /// Repairs, or counts what a repair would do; blocks the calling thread.
  ///
  /// - Throws: ``MergeFailure`` when nothing could be begun, ``PostgresError`` when the server failed before that.
  package func run() throws -> RepairReport {
    let clock = ReportClock()
    let differences = try CheckedDifferences(path: options.path)
    var repair = self
    // Whoever repairs may have set another zone, or none.
    if let timeZone = differences.header.timeZone { repair.options.merge.timeZone = timeZone }
    return try repair.run(differences, clock)
  }

  private func run(_ differences: CheckedDifferences, _ clock: ReportClock) throws -> RepairReport {
    let control = try ControlConnection(session, RetryPolicy(), stop: stop)
    let staging = try session.reachStaging(beside: control.current)
    guard let plan = try stop.covering(control.current, { try self.plan(differences, control.current, staging) }) else {
      return report(nil, .success, clock, tables: [])
    }
    guard plan.hasWork else {
      let queue = RepairQueue(plan, batchRowCount: options.merge.batchRows, sampleLimit: options.sampleLimit)
      return report(nil, .success, clock, tables: queue.result().tables)
    }
    guard options.isDryRun else { return try apply(plan, control, clock) }
    let connections = try session.connectWorker(role: "repair plan", carriesText: plan.tables.carriesText)
    let tables = try connections.covered(by: stop) {
      var dryRun = DryRepair(plan, options, connections, stop: stop, logger: logger)
      return try dryRun.run()
    }
    return report(nil, status(tables, isFailed: false), clock, tables: tables)
  }

  private func plan(_ differences: CheckedDifferences, _ control: Connection, _ staging: Connection) throws
    -> RepairPlan?
  {
    let plan = try RepairPlan(differences, options, logger, production: control, staging: staging)
    let lastRun = try LastRun.read(control, options.merge.schemas)?.id
    guard lastRun == differences.header.runID else {
      throw differences.blocked(
        "was written \(differences.header.runID.map { "after run \($0)" } ?? "before any run"), and run "
          + "\(lastRun.map(String.init) ?? "?") has merged since: run verify --output again."
      )
    }
    guard var plan else { return nil }
    guard !plan.isForOthers else {
      logger.warning("\(AccessCheck.readerNote)")
      return plan
    }
    let access = AccessCheck(schemas: options.merge.schemas)
    let denied =
      try access.ofRole(control, writesNow: !options.isDryRun)
      + plan.tables.tables.flatMap { try access.ofTable($0, keepsImages: true, production: control, staging: staging) }
    guard denied.isEmpty else { throw MergeFailure.blocked(denied) }
    for warning in plan.slowChecks { logger.warning("\(warning)") }
    if options.kinds.contains(.extra), control === staging { try plan.findUnreadableKeys(control) }
    return plan
  }

  private func apply(_ plan: RepairPlan, _ control: ControlConnection, _ clock: ReportClock) throws -> RepairReport {
    var plan = plan
    let locks = RunLocks(plan: plan.tables, admin: options.merge.schemas.admin)
    try locks.takeTables(control.current)
    let record = try open(&plan, control.current)
    control.hold(locks, runID: record.id)
    let queue = RepairQueue(plan, batchRowCount: options.merge.batchRows, sampleLimit: options.sampleLimit)
    let pressure = Pressure(options.merge, stop: stop, logger: logger)
    let context = RepairWorker.Context(
      session: session,
      schemas: options.merge.schemas,
      record: record,
      budget: try LockBudget(options.merge, control.current),
      pressure: pressure,
      stop: stop,
      logger: logger
    )
    let steering = Steering(runID: record.id, options.merge.schemas, pressure, queue, stop: stop, logger: logger)
    let (opened, firstCount) = (plan, options.merge.workerCount)
    let failure = steering.lead(
      firstCount,
      control,
      growingTo: { pressure.workerLimit },
      end: { queue.stop() }
    ) { number in
      do {
        try RepairWorker(number: number, opened, context, queue).run()
      } catch let error as PostgresError where error.origin == .connecting && number > firstCount {
        context.logger.warning(
          "a worker got no connection; the others continue without it",
          metadata: ["worker": "\(number)", "reason": "\(error)"]
        )
      }
    }
    let (tables, left) = queue.result()
    let failures =
      failure.map { ["\($0). What had been repaired by then is committed; run verify --output again."] } ?? []
    let report = report(record.id, status(tables, isFailed: failure != nil), clock, tables: tables, failures: failures)
    for sentence in report.alterations { logger.warning("\(sentence)") }
    _ = try control.renewIfLost()
    try close(report, left: left, pressure.pauses, record, control.current)
    return report
  }

  /// Opens the run, with the tables that keep what it overwrites.
  private func open(_ plan: inout RepairPlan, _ control: Connection) throws -> RunRecord {
    let schemas = options.merge.schemas
    try AdminSchema(schemas: schemas).complete(control)
    let denied = try AccessCheck(schemas: schemas).adminBlockers(control, makesTables: true)
    guard denied.isEmpty else { throw MergeFailure.blocked(denied) }
    try RunRecord.closeDeadRuns(control, schemas)
    var recorded = options.merge
    recorded.tables = plan.tables.tables.map(\.name)
    recorded.repair = RepairReference(
      file: plan.differences.header.file,
      path: options.path,
      kinds: options.kinds
    )
    let images = BeforeImageCatalog(schemas: schemas)
    let tables = plan.tables
    let record = try RunRecord(
      control,
      schemas,
      tables: tables.tables.map { RecordedTable($0) },
      options: recorded,
      warnings: []
    ) { _ = try images.open($0, tables, isWanted: true, on: control) }
    plan.tables.keepImages(in: try images.tables(record.id, tables, on: control))
    return record
  }

  private func close(
    _ report: RepairReport,
    left: [[RepairOutcome.Reason]],
    _ pauses: [Pressure.Pause],
    _ record: RunRecord,
    _ control: Connection
  ) throws {
    let admin = Identifier(options.merge.schemas.admin)
    for (table, reasons) in zip(report.tables, left) {
      try RepairRecord.addLeft(reasons, table: table.table, run: record, admin: admin, control)
      try record.closeTable(table.table, elapsedMilliseconds: report.elapsedMilliseconds, control)
    }
    let counts =
      "Repaired from \(options.path): \(report.inserted.rows) inserted, \(report.updated) updated, \(report.deleted) deleted, "
      + "\(report.leftAlone) left alone."
    try record.close(
      report.status,
      notes: ([counts] + report.alterations + report.failures).joined(separator: "\n"),
      warnings: pauses.map { .warning(.runEnd, nil, "\($0)") },
      control
    )
  }

  private func status(_ tables: [RepairReport.Table], isFailed: Bool) -> RunStatus {
    if stop.signal != nil { return .aborted }
    if isFailed { return .failed }
    return tables.contains { $0.leftAlone + $0.alteredByTriggers > 0 } ? .partial : .success
  }

  private func report(
    _ runID: Int?,
    _ status: RunStatus,
    _ clock: ReportClock,
    tables: [RepairReport.Table],
    failures: [String] = []
  ) -> RepairReport {
    RepairReport(
      runID: runID,
      isDryRun: options.isDryRun,
      status: status,
      startedAt: clock.startedAt,
      elapsedMilliseconds: (ContinuousClock.now - clock.start).milliseconds,
      tables: tables,
      failures: failures
    )
  }
}
