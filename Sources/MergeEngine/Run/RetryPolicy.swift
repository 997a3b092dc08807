/// How often, and after what waits, a batch is tried again.
struct RetryPolicy: Sendable {
  /// Deadlocks, serialization failures and lock timeouts: so many tries in all. Arbitrary: with these waits about
  /// half a minute, after which something holds the rows that a person should look at.
  var attemptLimit = 8
  /// A lost connection is tried to be made again for so long.
  var reconnectLimitSeconds = 60.0

  /// Doubles from 50 ms to 10 s, with half of it left to chance, so that two workers that ran into each other do
  /// not do so again.
  func waitSeconds(afterAttempt attempt: Int) -> Double {
    let full = min(0.05 * Double(1 << min(attempt, 20)), 10)
    return full / 2 + Double.random(in: 0...(full / 2))
  }
}
