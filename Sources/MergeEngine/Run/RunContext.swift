import Libpq
import Logging

/// What all workers of a run know, and none of them changes.
struct RunContext: Sendable {
  /// As the round found staging.
  var plan: MergePlan
  let session: Session
  let schemas: Schemas
  private(set) var isAtomic: Bool
  /// No transaction has more rows of staging than this, but for an atomic one.
  let batchRows: Int
  /// How long a batch may hold locks on rows of production; none for an atomic run.
  private(set) var budget: LockBudget
  let record: RunRecord
  let retries: RetryPolicy
  let pressure: Pressure
  let growth: WorkerGrowth
  let sessions = WorkerSessions()
  let stop: StopSignal
  let logger: Logger

  /// The same for rows that are not in the run's one transaction, but in a batch's.
  func apart(_ budget: LockBudget) -> RunContext {
    var context = self
    (context.isAtomic, context.budget) = (false, budget)
    return context
  }

  /// Where the run stands.
  func progress(_ queue: WorkQueue, since start: ContinuousClock.Instant) -> RunProgress {
    RunProgress(queue.snapshot, since: start, runID: record.id, pauseReason: pressure.pauseReason)
  }
}
