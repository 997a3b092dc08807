import Foundation
import Libpq
import Logging

/// One merge from start to end.
///
/// ```
/// staging rows ─COPY out─▶ Claim ─▶ Probe ─▶ Classify ─▶ Apply ─COPY in─▶ production
/// or a snapshot's            one batch = one transaction on one worker
///                                         └─▶ Record ─▶ merge_logs, report
/// ```
///
/// A run is a queue of block ranges, or of pieces of files, and some workers that empty it; this file sees them all.
package struct MergeRun: Sendable {
  private let options: MergeOptions
  private let snapshot: Snapshot?
  private var session: Session
  private let stop: StopSignal
  private let logger: Logger

  /// How long a server may be silent beyond what a statement may take; tests wait for less than fifteen seconds.
  package var silenceGraceSeconds: Double {
    get { session.silenceGraceSeconds }
    set { session.silenceGraceSeconds = newValue }
  }

  /// How long a server may be silent when the run is stopped; tests wait for less than ten seconds.
  package var cancelGraceSeconds: Double {
    get { session.cancelGraceSeconds }
    set { session.cancelGraceSeconds = newValue }
  }

  /// - Parameters:
  ///   - target: the database that holds production, and staging too unless that is elsewhere.
  ///   - stagingTarget: the database that holds staging, if it is another one.
  ///   - snapshot: where rows come from instead of staging, which need not be there.
  ///   - options: what to merge, and how.
  ///   - logger: gets warnings and, at debug level, what is retried.
  ///   - stop: ends the run early.
  package init(
    target: ConnectionTarget,
    stagingTarget: ConnectionTarget? = nil,
    snapshot: Snapshot? = nil,
    options: MergeOptions,
    logger: Logger,
    stop: StopSignal = StopSignal()
  ) {
    precondition(snapshot == nil || stagingTarget == nil, "rows come from one place")
    var options = options
    if let snapshot {
      options.snapshot = SnapshotReference(snapshot)
      // There is no staging to mark or to clean.
      options.mark = .none
      options.cleanup = false
    }
    self.options = options
    self.snapshot = snapshot
    self.stop = stop
    self.logger = logger
    session = Session(target: target, stagingTarget: stagingTarget, options: options, logger: logger)
  }

  /// Merges; blocks the calling thread until the run is closed.
  ///
  /// - Parameter onProgress: called on this thread a few times a second.
  /// - Returns: what was done, also when tables failed or the run was interrupted.
  /// - Throws: ``MergeFailure`` when nothing could be begun, ``PostgresError`` when the server failed before the run,
  ///   `CancellationError` when it was stopped before the run.
  package func run(onProgress: (RunProgress) -> Void = { _ in }) throws -> RunReport {
    let startedAt = Date()
    let clockStart = ContinuousClock.now
    let retries = RetryPolicy(
      patienceSeconds: RetryPolicy.patienceSeconds(lockTimeoutMilliseconds: options.lockTimeoutMilliseconds),
      reconnectLimitSeconds: Double(options.reconnectLimitSeconds)
    )
    let files = try snapshot.map { snapshot in
      try snapshot.checked(pieceRows: options.rowsPerBatch, tables: options.tables(of: snapshot), stop: stop)
    }
    let control = try ControlConnection(session, retries, stop: stop)
    let (plan, record) = try control.patiently { connection in
      try requirePauses(connection)
      var plan = try resolvePlan(connection, files)
      let record = try open(&plan, control)
      return (plan, record)
    }

    let pressure = Pressure(options, stop: stop, logger: logger)
    var context = RunContext(
      plan: plan,
      session: session,
      schemas: options.schemas,
      isAtomic: options.atomic,
      batchRows: options.rowsPerBatch,
      budget: options.atomic ? LockBudget(nil) : try LockBudget(options, control.current),
      record: record,
      retries: retries,
      pressure: pressure,
      growth: WorkerGrowth(
        options,
        most: plan.workerCount(of: options.workerCountAtMost),
        pressure: pressure,
        runID: record.id,
        logger: logger
      ),
      stop: stop,
      logger: logger
    )
    var outcome = RunOutcome(plan)
    var rounds = Rounds(context, startsAnew: options.again)
    // Opening the run has looked at staging just now.
    var isLookedAt = !options.again
    var foundLater: [Finding] = []
    while true {
      do {
        guard let round = try rounds.next(after: &outcome, control) else { break }
        if !isLookedAt {
          // Staging may have been rewritten meanwhile.
          let found = try look(
            at: &context.plan,
            onlyRun: options.again ? record.id : nil,
            isFirst: false,
            control.current
          )
          let told = Set((plan.warnings + foundLater).map(\.message))
          let new = found.filter { !told.contains($0.message) }
          tell(new)
          foundLater += new
        }
        isLookedAt = false
        let keyed = round.mayFollowKeys ? try tablesInKeyOrder(context.plan, round.tables, control.current) : []
        let isApart = context.isAtomic && round.isApart
        let own = isApart ? context.apart(try LockBudget(options, control.current)) : context
        let queue = WorkQueue(
          own.plan,
          only: round.tables,
          batchRows: options.batchRows,
          workerCount: plan.workerCount(of: pressure.workerLimit),
          lockLimit: own.budget.limit,
          refusalLimit: options.maxErrors,
          slices: try ReplayProgress(plan, options.schemas).remaining(control.current),
          rows: round.rows,
          keyed: keyed
        )
        let feeder = keyed.isEmpty ? nil : KeyFeeder(context, queue, tables: keyed)
        feeder?.start()
        defer { feeder?.finish() }
        try carry(queue, own, control: control, since: clockStart, outcome: &outcome, onProgress: onProgress)
      } catch let error as PostgresError where control.current.isBroken {
        // The next round gets another connection.
        logger.debug("round ended", metadata: ["reason": "\(error)"])
      } catch {
        guard !control.current.isBroken else {
          logger.error(
            "the run can no longer reach the database: its committed batches stay, and the same command continues from there",
            metadata: ["run": "\(record.id)"]
          )
          throw error
        }
        outcome.end(error)
        break
      }
    }

    if plan.hasCitusTables, options.shards == nil {
      let found = try CitusSettlement(coordinator: control.current, stop: stop).settle()
      tell(found)
      foundLater += found
    }
    let closed = try RunClosing(
      record: record,
      plan: plan,
      options: options,
      pauses: context.pressure.pauses,
      foundLater: foundLater,
      logger: logger
    )
    .close(outcome, isInterrupted: stop.signal != nil, control.current) {
      try session.connectStagingControl(beside: control.current)
    }
    return RunReport(
      runID: record.id,
      status: closed.status,
      startedAt: startedAt,
      finishedAt: Date(),
      elapsedMilliseconds: (ContinuousClock.now - clockStart).milliseconds,
      workers: plan.workerCount(of: pressure.mostWorkers),
      batchRows: options.batchRows,
      tables: closed.tables,
      failures: closed.failures,
      warnings: (plan.warnings + foundLater).map(\.message) + closed.warnings,
      findings: plan.warnings + foundLater,
      standingErrors: closed.standingCount,
      pending: closed.pendingCount
    )
  }

  /// Sees whether what is to pause the run can do so.
  private func requirePauses(_ control: Connection) throws {
    guard !options.atomic || options.pauseWhile == nil && options.window == nil else {
      throw MergeFailure.usage(
        "--atomic goes with neither --pause-while nor --window: its one transaction would keep its locks while it waits."
      )
    }
    if let text = options.pauseWhile, let obstacle = try PauseCondition(text).obstacle(control) {
      throw MergeFailure.blocked([
        .blocker(.pauseCondition, nil, "--pause-while must be a query that returns one boolean: \(obstacle).")
      ])
    }
  }

  private func resolvePlan(_ control: Connection, _ files: CheckedSnapshot?) throws -> MergePlan {
    let staging = try session.reachStaging(beside: control)
    return try Preparation(options: options, logger: logger, snapshot: files, stop: stop)
      .plan(production: control, staging: staging)
  }

  /// Looks what of staging is merged, and whose rows are to be read now.
  ///
  /// - Returns: what should be known of it.
  private func look(
    at plan: inout MergePlan,
    onlyRun: Int? = nil,
    isFirst: Bool = true,
    _ control: Connection
  ) throws -> [Finding] {
    guard snapshot == nil else { return [] }
    try RunLocks(plan: plan, admin: options.schemas.admin)
      .awaitBatches(control, limitSeconds: Double(options.reconnectLimitSeconds), stop: stop)
    return try plan.look(
      through: StagingReader(
        admin: Identifier(options.schemas.admin),
        production: control,
        staging: try session.connectStagingControl(beside: control),
        startsAnew: options.again && onlyRun == nil
      ),
      onlyRun: onlyRun,
      isToBeMerged: true,
      isFirst: isFirst
    )
  }

  private func tell(_ warnings: [Finding]) {
    for warning in warnings { logger.warning("\(warning.message)", metadata: warning.table.map { ["table": "\($0)"] }) }
  }

  /// Which staging tables are read in the order of production's keys.
  private func tablesInKeyOrder(_ plan: MergePlan, _ indices: Set<Int>, _ control: Connection) throws -> Set<Int> {
    // Mostly there is nothing to ask.
    guard indices.contains(where: { KeyOrderChoice.mayFollowKeys(plan.tables[$0]) }) else { return [] }
    let choice = KeyOrderChoice(staging: try session.connectStagingControl(beside: control))
    return try choice.tables(of: plan, indices)
  }

  /// Takes the tables' locks, and only then writes for the first time.
  private func open(_ plan: inout MergePlan, _ control: ControlConnection) throws -> RunRecord {
    let locks = RunLocks(plan: plan, admin: options.schemas.admin)
    try locks.takeTables(control.current)
    let replay = ReplayProgress(plan, options.schemas)
    let admin = Identifier(options.schemas.admin)
    try control.current.ask(
      ahead: [
        AdminSchema(schemas: options.schemas).inventoryQuery,
        MonitoringViews(schemas: options.schemas, rules: options.columns).namesQuery, RunRecord.running(admin),
      ]
    )
    defer { control.current.forgetAnswers() }
    // What was there already has been asked about in preparing the run.
    if try AdminSchema(schemas: options.schemas).complete(control.current) {
      control.current.forgetAnswers()
      let denied = try AdminAccess(options: options, plan: plan, connection: control.current).findings()
      guard denied.isEmpty else { throw MergeFailure.blocked(denied) }
    }
    // A view of shards would keep Citus from moving them.
    if options.shards == nil {
      try MonitoringViews(schemas: options.schemas, rules: options.columns).createMissing(control.current, logger)
    }
    try RunRecord.closeDeadRuns(control.current, options.schemas)
    let warnings = try look(at: &plan, control.current)
    plan.add(warnings)
    tell(warnings)
    let images = BeforeImageCatalog(schemas: options.schemas)
    var keepsImages = false
    let record = try RunRecord(
      control.current,
      options.schemas,
      tables: plan.tables.map { RecordedTable($0) },
      options: options,
      warnings: plan.warnings
    ) {
      guard options.beforeImages || options.continuedRunID != nil else { return }
      keepsImages = try images.open($0, plan, isWanted: options.beforeImages, on: control.current)
    }
    if keepsImages { plan.keepImages(in: try images.tables(record.id, plan, on: control.current)) }
    control.hold(locks, runID: record.id)
    try replay.begin(startsOver: options.startsOver ?? false, control.current, logger)
    return record
  }

  /// Empties a queue over some of the tables, or all.
  private func carry(
    _ queue: WorkQueue,
    _ context: RunContext,
    control: ControlConnection,
    since start: ContinuousClock.Instant,
    outcome: inout RunOutcome,
    onProgress: (RunProgress) -> Void
  ) throws {
    let connectedCount = Monitor(0)
    let steering = Steering(
      runID: context.record.id,
      context.schemas,
      context.pressure,
      queue,
      growth: context.growth,
      stop: stop,
      logger: logger
    )
    let error = steering.lead(
      context.plan.workerCount(of: min(options.workerCount, context.pressure.workerLimit)),
      control,
      growingTo: { context.plan.workerCount(of: context.pressure.workerLimit) },
      whileWaiting: { connection throws(PostgresError) in
        onProgress(context.progress(queue, since: start))
        try context.growth.look(queue, connection)
      },
      onRenewal: { queue.suspend(nil, nil) },
      end: { queue.stop() }
    ) { number in
      try Worker(number: number, context, queue).work(connectedCount)
    }
    onProgress(context.progress(queue, since: start))
    outcome.add(queue, fatalError: error, isStopped: stop.signal != nil)
  }
}
