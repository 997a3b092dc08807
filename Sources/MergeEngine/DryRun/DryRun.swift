import Foundation
import Libpq
import Logging

/// Says what a merge would do, and writes nothing: every session is read-only, which the server enforces.
///
/// The rows are read, looked up and classified by the code of the merge, in the batches that a merge with one worker
/// would make. What an earlier batch of the same run would have changed for a later one is put right afterwards, see
/// ``DuplicateKeys``.
package struct DryRun: Sendable {
  private let options: MergeOptions
  private let sampleLimit: Int
  private let session: Session
  private let stop: StopSignal
  private let logger: Logger

  /// - Parameters:
  ///   - target: the database that holds production, and staging too unless that is elsewhere.
  ///   - stagingTarget: the database that holds staging, if it is another one.
  ///   - options: the merge's.
  ///   - sampleLimit: rows to show of each verdict.
  ///   - logger: gets the server's notices.
  ///   - stop: ends the dry run early.
  package init(
    target: ConnectionTarget,
    stagingTarget: ConnectionTarget? = nil,
    options: MergeOptions,
    sampleLimit: Int = 5,
    logger: Logger,
    stop: StopSignal = StopSignal()
  ) {
    self.options = options
    self.sampleLimit = sampleLimit
    self.stop = stop
    self.logger = logger
    var session = Session(
      target: target,
      stagingTarget: stagingTarget,
      options: options,
      isReadOnly: true,
      logger: logger
    )
    session.castsAsMerge = true
    self.session = session
  }

  /// Looks; blocks the calling thread.
  ///
  /// - Parameter onProgress: called on this thread after every batch.
  /// - Returns: also when something stands against the merge; ``PlanReport/status`` then says so.
  /// - Throws: ``MergeFailure/usage(_:)``, ``MergeFailure/unreachable(_:)``, ``PostgresError``.
  package func run(onProgress: (RunProgress) -> Void = { _ in }) throws -> PlanReport {
    let clock = ReportClock()
    let control = try session.reachControl()
    let staging = try session.reachStaging(beside: control)
    do {
      return try stop.covering(control) {
        try stop.covering(staging) { try look(clock, control: control, staging: staging, onProgress) }
      }
    } catch {
      // A statement that was cancelled because somebody asked to stop is no failure.
      guard stop.signal != nil else { throw error }
      return report(.aborted, clock, tables: [], findings: [])
    }
  }

  private func look(
    _ clock: ReportClock,
    control: Connection,
    staging: Connection,
    _ onProgress: (RunProgress) -> Void
  ) throws -> PlanReport {
    var plan: MergePlan
    do {
      plan = try Preparation(options: options, logger: logger, purpose: .plan, stop: stop)
        .plan(production: control, staging: staging)
    } catch {
      guard let failure = error as? MergeFailure, case .blocked(let findings) = failure else { throw error }
      return report(.blocked, clock, tables: [], findings: findings)
    }
    try plan.compareTies(control)
    let standsRefused = plan.tables.contains { !$0.reading.state.refused.isEmpty }
    try plan.tryRefusedAgain(admin: Identifier(options.schemas.admin), production: control, staging: staging)
    let findings = try PlanFindings(plan: plan, options: options, production: control, staging: staging).all()
    var outcomes = try classify(plan, clock: clock, staging: staging, onProgress: onProgress)
    var standingErrors = plan.tables.reduce(0) { $0 + $1.reading.state.refused.count }
    for index in outcomes.indices {
      standingErrors += outcomes[index].leave(plan.tables[index].reading.state.triedForValues)
    }
    let tables = try zip(plan.tables, outcomes).map { table, outcome in
      PlanReport.Table(
        table: table.name,
        counts: outcome.counts,
        differingTieCount: outcome.differingTieCount,
        elapsedMilliseconds: (outcome.readTime + outcome.probeTime).milliseconds,
        pages: outcome.pages,
        isCold: table.reading.cacheFit.isLikelyCold,
        estimate: try MergeEstimate(
          table,
          outcome,
          workers: options.workerCount,
          production: control,
          staging: staging
        ),
        samples: try SampleReader(plan: table, production: control, staging: staging).read(outcome.samples)
      )
    }
    let notes = zip(plan.tables, outcomes).flatMap { table, outcome in
      (outcome.warnings + Self.freedValues(table, outcome)
        + (outcome.pages.coldNote.map { ["\($0) by this dry run."] } ?? []))
        .map { Finding.warning(table.name, $0) }
    }
    return report(
      stop.signal != nil ? .aborted : standsRefused ? .partial : .success,
      clock,
      tables: tables,
      findings: plan.findings + findings + notes,
      standingErrors: standingErrors
    )
  }

  /// An updated row may give up what a refused one has been waiting for.
  private static func freedValues(_ table: TablePlan, _ outcome: DryRunOutcome) -> [String] {
    let count = table.reading.state.hopelessCount
    guard count > 0, outcome.counts.updated > 0 else { return [] }
    return [
      "\(count.rows) of \(table.staging) \(count == 1 ? "was" : "were") refused earlier for a unique value that another row has: a merge also "
        + "tries those whose value comes free by what it writes, and none is counted here."
    ]
  }

  /// Gives every staging row its verdict.
  private func classify(
    _ plan: MergePlan,
    clock: ReportClock,
    staging: Connection,
    onProgress: (RunProgress) -> Void
  ) throws -> [DryRunOutcome] {
    let queue = WorkQueue(plan, batchRows: options.rowsPerBatch)
    let connections = try session.connectWorker(role: "plan", carriesText: plan.carriesText)
    // Where the role may have no third connection the batch's own will do: nothing runs on it then.
    let hasRoom = try ConnectionRoom.free(staging) > 0
    var memory = BatchMemory()
    var tables = DryRunTables(
      plan: plan.withoutMarks,
      updatesTies: options.ties == .compare,
      batchRows: options.batchRows,
      sampleLimit: sampleLimit,
      connections: connections,
      staging: staging,
      questions: try hasRoom
        ? session.connect(session.stagingTarget ?? session.target, role: "control") : connections.staging
    )
    while stop.signal == nil, let item = queue.take() {
      do {
        let carried = try connections.covered(by: stop) { try tables.look(item, memory: &memory) }
        queue.complete(item, carried, byteCount: memory.batch.bytes.count)
      } catch is Claim.TooLarge {
        queue.divide(item)
      } catch {
        guard stop.signal != nil else { throw error }
        break
      }
      onProgress(RunProgress(queue.snapshot, since: clock.start))
    }
    guard stop.signal == nil else { return tables.outcomes }
    try tables.end()
    return tables.outcomes
  }

  private func report(
    _ status: PlanReport.Status,
    _ clock: ReportClock,
    tables: [PlanReport.Table],
    findings: [Finding],
    standingErrors: Int = 0
  ) -> PlanReport {
    PlanReport(
      status: status,
      startedAt: clock.startedAt,
      finishedAt: Date(),
      elapsedMilliseconds: (ContinuousClock.now - clock.start).milliseconds,
      workers: options.workerCount,
      batchRows: options.batchRows,
      tables: tables,
      findings: findings.filter { $0.grade == .blocker } + findings.filter { $0.grade == .warning },
      standingErrors: standingErrors
    )
  }
}
