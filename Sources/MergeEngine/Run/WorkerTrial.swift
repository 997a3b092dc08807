/// What one number of workers has shown so far.
struct WorkerTrial: Sendable {
  /// What can be compared.
  struct Figures: Sendable {
    /// By all workers together.
    let rowsPerSecond: Double
    /// Sessions that waited for locks, on average.
    let waitsAtATime: Double
  }

  let workerCount: Int
  /// When the last of the workers had come; nil before.
  private var start: ContinuousClock.Instant?
  private var rowCount = 0
  private var batchCount = 0
  /// Of all batches together.
  private var batchTime = Duration.zero
  private var waitingCount = 0
  private var lookCount = 0

  /// In a shorter time chance would decide. Arbitrary.
  private static let leastTime = Duration.milliseconds(400)

  init(of workerCount: Int) {
    self.workerCount = workerCount
  }

  /// All workers are there; batches count that are begun from now on.
  mutating func begin(at now: ContinuousClock.Instant = .now) { start = start ?? now }

  /// A batch has been committed.
  ///
  /// - Parameter batchStart: when its worker was done with the batch before.
  mutating func note(rowCount: Int, since batchStart: ContinuousClock.Instant, at now: ContinuousClock.Instant = .now) {
    guard rowCount > 0, let start, batchStart >= start else { return }
    self.rowCount += rowCount
    batchCount += 1
    batchTime += now - batchStart
  }

  /// So many sessions wait for locks.
  mutating func note(waitingCount: Int) {
    guard start != nil else { return }
    self.waitingCount += waitingCount
    lookCount += 1
  }

  /// nil as long as too little is known: each worker's share is one batch at least.
  ///
  /// Not rows in the time that has passed: batches end one by one, and of some few it would depend on chance how many have.
  var figures: Figures? { figures(at: .now) }

  func figures(at now: ContinuousClock.Instant) -> Figures? {
    guard let start, now - start >= Self.leastTime, batchCount >= workerCount, batchTime > .zero, lookCount > 0 else {
      return nil
    }
    return Figures(
      rowsPerSecond: Double(workerCount) * Double(rowCount) / (batchTime / .seconds(1)),
      waitsAtATime: Double(waitingCount) / Double(lookCount)
    )
  }
}
