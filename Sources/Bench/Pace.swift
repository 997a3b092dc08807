/// Divides the time of a bench: repetitions are made as long as one of each workload that is still to come fits too.
struct Pace {
  private let clock: ContinuousClock.Instant
  private let limitSeconds: Double
  /// Of the repetitions that were made, and of the first ones that are still to come.
  private var costDone = 0.0
  private var costToCome: Double

  init(_ options: BenchOptions, since clock: ContinuousClock.Instant) {
    self.clock = clock
    limitSeconds = Double(options.timeLimitMinutes * 60)
    costToCome = options.workloads.reduce(0) { $0 + $1.expectedCost }
  }

  /// Whether to make this repetition; the first one of a workload always is.
  mutating func begin(_ workload: Workload, repetition: Int) -> Bool {
    if repetition == 1 {
      costToCome -= workload.expectedCost
    } else {
      let elapsedSeconds = (ContinuousClock.now - clock) / .seconds(1)
      let expectedSeconds = elapsedSeconds / costDone * (workload.expectedCost + costToCome)
      guard elapsedSeconds + expectedSeconds < limitSeconds else { return false }
    }
    costDone += workload.expectedCost
    return true
  }
}
