import Libpq
import Logging

/// Finds by itself how many workers pay (`--workers auto`): one more as long as each brings a tenth more rows a second and
/// nobody waits more for locks.
///
/// Where the server's processors are the limit two or three workers are all that pays; where every page comes from a disk, or
/// every answer from far away, most of a batch is waiting, and more batches can wait side by side.
///
/// What is compared is what the workers carry while they are at it, their waits at the gate included: with a limit of rows in a
/// second another worker brings nothing, and none stays. A batch counts if it was begun after the last worker had come, so that
/// what was there before is left out.
final class WorkerGrowth: Sendable {
  private struct State {
    /// Nobody has said how many workers there are to be.
    var isFree: Bool
    /// What pays for the table under way is known.
    var hasSettled = false
    var trial: WorkerTrial
    /// What one worker less has shown.
    var before: WorkerTrial.Figures?
    /// nil as long as there was none, and when the number of workers that follows from it has been chosen.
    var firstBatch: GrowthRule.FirstBatch?
    var hasAllowedForDistance = false
    /// The highest number of a worker that has come.
    var joinedCount = 0
    var table: Int?
    var askedAt: ContinuousClock.Instant?
  }

  private let monitor: Monitor<State>
  private let pressure: Pressure
  private let most: Int
  private let runID: Int
  private let logger: Logger

  /// How often waits are counted. Arbitrary: `pg_locks` stops the lock manager for a moment.
  private static let lookInterval = Duration.milliseconds(500)

  /// - Parameter most: never more workers than this.
  init(_ options: MergeOptions, most: Int, pressure: Pressure, runID: Int, logger: Logger) {
    self.pressure = pressure
    self.most = most
    self.runID = runID
    self.logger = logger
    monitor = Monitor(State(isFree: options.growsWorkers, trial: WorkerTrial(of: options.workerCount)))
  }

  // MARK: For workers

  /// A worker has connected, and begins.
  func join(worker number: Int) {
    monitor.update { state in
      state.joinedCount = max(state.joinedCount, number)
      if state.joinedCount >= state.trial.workerCount { state.trial.begin() }
    }
  }

  /// A batch has been committed.
  ///
  /// - Parameter start: when its worker was done with the batch before.
  func note(rowCount: Int, since start: ContinuousClock.Instant) {
    monitor.update { $0.trial.note(rowCount: rowCount, since: start) }
  }

  /// A batch has been committed, perhaps the first.
  func note(_ batch: GrowthRule.FirstBatch) {
    monitor.update { if !$0.hasAllowedForDistance { $0.firstBatch = batch } }
  }

  // MARK: For whoever steers

  /// Somebody has said how many workers there are to be.
  func end() { monitor.update { $0.isFree = false } }

  /// Adds a worker or takes one away, if it is time to.
  func look(_ queue: WorkQueue, _ connection: Connection) throws(PostgresError) {
    guard isOpen(queue.firstOpenTable), try !allowForDistance(queue, connection) else { return }
    let waitingCount = try waitingCount(connection)
    let (trial, before) = monitor.update { state in
      state.trial.note(waitingCount: waitingCount)
      return (state.trial, state.before)
    }
    guard let figures = trial.figures else { return }
    let decision = try GrowthRule(most: most).decision(
      trial.workerCount,
      figures,
      before: before,
      remainingRowCount: queue.remainingRowCount
    ) { () throws(PostgresError) in try ConnectionRoom.free(connection) }
    switch decision {
    case .goOn: break
    case .settle(let workerCount, let reason): settle(at: workerCount, queue, figures, reason)
    case .grow: grow(from: trial.workerCount, queue, figures)
    }
  }

  /// Adds at once what the distance alone calls for, when the first batch has shown it.
  ///
  /// - Returns: whether there are more workers now.
  private func allowForDistance(_ queue: WorkQueue, _ connection: Connection) throws(PostgresError) -> Bool {
    let (firstBatch, workerCount) = monitor.update { state in
      state.hasAllowedForDistance = state.hasAllowedForDistance || state.firstBatch != nil
      return (state.firstBatch.take(), state.trial.workerCount)
    }
    guard let firstBatch else { return false }
    let count = try GrowthRule(most: most).workersOfDistance(
      workerCount,
      firstBatch,
      remainingRowCount: queue.remainingRowCount
    ) { () throws(PostgresError) in try ConnectionRoom.free(connection) }
    guard let count else { return false }
    monitor.update { $0.trial = WorkerTrial(of: count) }
    logger.debug(
      "workers: most of a batch's time passes on the way to the server",
      metadata: ["run": "\(runID)", "workers": "\(count)", "share": "\(firstBatch.wayShare)"]
    )
    pressure.limitWorkers(to: count)
    queue.expectWorkers(count)
    return true
  }

  private func grow(from workerCount: Int, _ queue: WorkQueue, _ figures: WorkerTrial.Figures) {
    monitor.update { state in
      state.before = figures
      state.trial = WorkerTrial(of: workerCount + 1)
      if state.joinedCount >= state.trial.workerCount { state.trial.begin() }
    }
    apply(workerCount + 1, queue, figures, "one more may pay")
  }

  /// Whether there is something to be found out now. Another table may want another number: its question is a new one, asked
  /// from the number that there is. What was measured around a pause says nothing.
  private func isOpen(_ table: Int?) -> Bool {
    let isPaused = pressure.pauseReason != nil
    let workerCount = pressure.workerLimit
    return monitor.update { state in
      guard state.isFree else { return false }
      if state.table != table {
        if state.table != nil {
          state.hasSettled = false
          state.before = nil
          state.trial = WorkerTrial(of: workerCount)
          state.trial.begin()
        }
        state.table = table
      }
      if isPaused {
        state.trial = WorkerTrial(of: state.trial.workerCount)
        state.trial.begin()
        return false
      }
      guard !state.hasSettled, state.askedAt.map({ .now - $0 >= Self.lookInterval }) ?? true else { return false }
      state.askedAt = .now
      return true
    }
  }

  private func settle(at workerCount: Int, _ queue: WorkQueue, _ figures: WorkerTrial.Figures, _ reason: String) {
    monitor.update { $0.hasSettled = true }
    apply(workerCount, queue, figures, reason)
  }

  private func apply(_ workerCount: Int, _ queue: WorkQueue, _ figures: WorkerTrial.Figures, _ reason: String) {
    logger.debug(
      "workers: \(reason)",
      metadata: [
        "run": "\(runID)", "workers": "\(workerCount)", "rows_per_second": "\(Int(figures.rowsPerSecond))",
        "waiting": "\(figures.waitsAtATime)",
      ]
    )
    pressure.limitWorkers(to: workerCount)
    queue.expectWorkers(workerCount)
  }

  /// How many sessions of the database wait for a lock now, the run's own workers left out: what those wait for each other
  /// shows in their rows.
  private func waitingCount(_ connection: Connection) throws(PostgresError) -> Int {
    try connection.query(
      """
      SELECT count(DISTINCT l.pid) FROM pg_locks l
      WHERE NOT l.granted AND (l.database IS NULL OR l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
        AND NOT EXISTS (SELECT FROM pg_stat_activity a
                        WHERE a.pid = l.pid AND a.application_name LIKE 'merge-engine run \(runID) worker %')
      """,
      "checking which sessions wait for locks"
    ).integer(0, 0) ?? 0
  }
}
