import Libpq
import Logging

/// What all workers of a run know, and none of them changes.
struct RunContext: Sendable {
  let plan: MergePlan
  let session: Session
  let schemas: Schemas
  let isAtomic: Bool
  let record: RunRecord
  let retries: RetryPolicy
  let pressure: Pressure
  let sessions = WorkerSessions()
  let stop: StopSignal
  let logger: Logger
}
