import Foundation
import Libpq
import Logging

/// Compares production with what was merged into it: types, then every merged staging row, then completeness.
///
/// ```
/// in one database: both, by ranges of keys ─▶ JoinCheck ─┐
/// else: staging, batch by batch in key order ─┐          ├─▶ suspects ── pause ──▶ RepeatedKeys ─▶ SecondLook ─▶ differences
///       production, in key order or by key ───┴─▶ RowCheck ┘
/// ```
/// Between two databases key, version and a digest of the other columns travel (``RowDigest``), and the values of suspects.
/// Nothing is held but a batch a worker and the addresses of suspects. All sessions are read-only, but the one that
/// records the result (``VerificationRecord``).
package struct Verification: Sendable {
  private let options: VerifyOptions
  private let session: Session
  private let stop: StopSignal
  private let logger: Logger

  /// - Parameters:
  ///   - target: the database that holds production, and staging too unless that is elsewhere.
  ///   - stagingTarget: the database that holds staging, if it is another one.
  ///   - options: what to compare, and how.
  ///   - logger: gets the server's notices.
  ///   - stop: ends the verification early.
  package init(
    target: ConnectionTarget,
    stagingTarget: ConnectionTarget? = nil,
    options: VerifyOptions,
    logger: Logger,
    stop: StopSignal = StopSignal()
  ) {
    self.options = options
    self.stop = stop
    self.logger = logger
    var session = Session(
      target: target,
      stagingTarget: stagingTarget,
      options: options.merge,
      isReadOnly: true,
      logger: logger
    )
    session.castsAsMerge = true
    self.session = session
  }

  /// Compares; blocks the calling thread.
  ///
  /// - Parameter onProgress: called on this thread a few times a second.
  /// - Returns: also when tables can't be compared; ``VerifyReport/status`` then says so.
  /// - Throws: ``MergeFailure/usage(_:)``, ``MergeFailure/unreachable(_:)``, ``PostgresError``.
  package func run(onProgress: (RunProgress) -> Void = { _ in }) throws -> VerifyReport {
    let clock = ReportClock()
    let output = options.outputPath.map { AtomicFile(path: $0, permissions: 0o600) }
    do {
      try output?.check()
      return try run(clock, output, onProgress)
    } catch let failure as AtomicFile.Failure {
      throw MergeFailure.blocked([.blocker(.file, nil, "the file of differences \(failure)")])
    }
  }

  private func run(_ clock: ReportClock, _ output: AtomicFile?, _ onProgress: (RunProgress) -> Void) throws
    -> VerifyReport
  {
    let control = try session.reachControl()
    let staging = try session.reachStaging(beside: control)
    do {
      let report = try stop.covering(control) {
        try stop.covering(staging) { try verify(clock, output, control: control, staging: staging, onProgress) }
      }
      if report.status != .aborted { VerificationRecord(session: writingSession).write(report) }
      return report
    } catch {
      // A statement that was cancelled because somebody asked to stop is no failure.
      guard stop.signal != nil else { throw error }
      return report(.aborted, clock, comparing: .zero, tables: [], types: [], findings: [])
    }
  }

  private func verify(
    _ clock: ReportClock,
    _ file: AtomicFile?,
    control: Connection,
    staging: Connection,
    _ onProgress: (RunProgress) -> Void
  ) throws -> VerifyReport {
    let preparation = Preparation(options: options.merge, logger: logger, purpose: .look, stop: stop)
    let lastRun = try LastRun.read(control, options.merge.schemas)
    var types: [TypeDifference] = []
    var plan: MergePlan
    do {
      try preparation.requireSchemas(production: control, staging: staging)
      types = try TypeCheck(options: options.merge, production: control, staging: staging).run()
      plan = try preparation.plan(production: control, staging: staging)
      plan.add(lastRun?.differences(from: options.merge) ?? [])
    } catch {
      guard let failure = error as? MergeFailure, case .blocked(let findings) = failure else { throw error }
      return report(.blocked, clock, comparing: .zero, tables: [], types: types, findings: findings)
    }
    try plan.compareTies(control)
    let hasLedger = try AdminSchema.hasProgress(Identifier(options.merge.schemas.admin), control)
    plan.select { options.mark != MergeOptions.Mark.none && (hasLedger || $0.hasStatusColumn) ? .merged : .all }
    let completeness = try Completeness(plan: plan, options: options, lastRun: lastRun, stop: stop, control)
    let output = try file.map { try VerifyOutput($0, plan, options, completeness, control) }
    do {
      let report = try compare(
        plan,
        completeness,
        output,
        clock: clock,
        control: control,
        staging: staging,
        types: types,
        onProgress
      )
      if report.status == .aborted { output?.writer.abandon() } else { try output?.writer.finish() }
      return report
    } catch {
      output?.writer.abandon()
      throw error
    }
  }

  private func compare(
    _ plan: MergePlan,
    _ completeness: Completeness,
    _ output: VerifyOutput?,
    clock: ReportClock,
    control: Connection,
    staging: Connection,
    types: [TypeDifference],
    _ onProgress: (RunProgress) -> Void
  ) throws -> VerifyReport {
    let (outcomes, comparing) = try compareRows(
      plan,
      output,
      control: control,
      isSplit: control !== staging,
      clock: clock,
      onProgress: onProgress
    )
    let extra = try completeness.check(control, isSplit: control !== staging, output)
    let tables = try plan.tables.indices.map { index in
      try DifferenceReader(plan: plan.tables[index], production: control, staging: staging)
        .table(outcomes[index], extra[index])
    }
    let standingErrors = plan.tables.reduce(0) { $0 + $1.reading.state.refused.count }
    return report(
      stop.signal != nil ? .aborted : Self.status(tables, standingErrors: standingErrors),
      clock,
      comparing: comparing,
      tables: tables,
      types: types,
      findings: plan.findings + VerifyFindings(plan: plan, outcomes: outcomes).all(),
      standingErrors: standingErrors
    )
  }

  /// What the tables come to.
  static func status(_ tables: [VerifyReport.Table], standingErrors: Int) -> VerifyReport.Status {
    guard !tables.contains(where: \.isDifferent) else { return .different }
    guard tables.contains(where: { $0.counts.comparedCount > 0 }) else { return .nothingCompared }
    return standingErrors > 0 ? .partial : .success
  }

  /// As the one that compares, but for a last word in the admin schema.
  private var writingSession: Session {
    var session = session
    session.isReadOnly = false
    return session
  }

  /// The tables that the server compares by itself, by their place in the plan.
  private func joinedTables(_ plan: MergePlan, _ control: Connection) throws(PostgresError) -> [Int: JoinedTable] {
    var joined: [Int: JoinedTable] = [:]
    for index in plan.tables.indices { joined[index] = try JoinedTable(plan.tables[index], control) }
    return joined
  }

  private func compareRows(
    _ plan: MergePlan,
    _ output: VerifyOutput?,
    control: Connection,
    isSplit: Bool,
    clock: ReportClock,
    onProgress: (RunProgress) -> Void
  ) throws -> ([RowCheckOutcome], Duration) {
    var plan = plan
    plan.forgetOrder()
    let unordered = plan
    let start = ContinuousClock.now
    let (session, options, stop) = (session, options, stop)
    let joined = try isSplit ? [:] : joinedTables(plan, control)
    let ranges = KeyRangeQueue(
      try joined.sorted { $0.key < $1.key }.map { index, table in
        (index, table.plan, try table.ranges(batchRows: options.merge.batchRows, control))
      }
    )
    let queue = WorkQueue(
      unordered,
      only: Set(plan.tables.indices).subtracting(joined.keys),
      batchRows: options.merge.batchRows
    )
    let workerCount = try ConnectionRoom.workers(options.merge.workerCount, beside: control)
    let pool = SuspectPool(tableCount: plan.tables.count, workerCount: workerCount)
    let found = try WorkerThreads.run(
      count: workerCount,
      whileWaiting: { onProgress(RunProgress(queue.snapshot, ranges.progress, since: clock.start)) },
      onError: {
        queue.stop()
        ranges.stop()
        pool.stop()
      },
      { number in
        let worker = try RowCheckWorker(
          number: number,
          unordered,
          queue,
          joined: joined,
          ranges,
          pool,
          session: session,
          options: options,
          output: output,
          stop: stop
        )
        return (outcomes: try worker.run(), comparedAt: worker.comparedAt)
      }
    )
    var outcomes = plan.tables.map { _ in RowCheckOutcome(sampleLimit: options.sampleLimit) }
    for worker in found {
      for index in outcomes.indices { outcomes[index] += worker.outcomes[index] }
    }
    return (outcomes, (found.map(\.comparedAt).max() ?? start) - start)
  }

  private func report(
    _ status: VerifyReport.Status,
    _ clock: ReportClock,
    comparing: Duration,
    tables: [VerifyReport.Table],
    types: [TypeDifference],
    findings: [Finding],
    standingErrors: Int = 0
  ) -> VerifyReport {
    VerifyReport(
      status: status,
      startedAt: clock.startedAt,
      finishedAt: Date(),
      elapsedMilliseconds: (ContinuousClock.now - clock.start).milliseconds,
      comparingMilliseconds: comparing.milliseconds,
      workers: options.merge.workerCount,
      tables: tables,
      types: types,
      findings: findings,
      scope: VerifyReport.Scope(tables: options.merge.tables, from: options.merge.from, to: options.merge.to),
      standingErrors: standingErrors
    )
  }
}
