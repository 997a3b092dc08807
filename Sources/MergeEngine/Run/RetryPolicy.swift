import Libpq

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

  /// Tries to connect until it works, waiting longer and longer.
  ///
  /// - Returns: nil when `stop` was requested meanwhile.
  /// - Throws: ``MergeFailure/unreachable(_:)`` with the last error after ``reconnectLimitSeconds``.
  func connectPatiently<Value>(
    _ stop: StopSignal,
    _ connect: () throws(PostgresError) -> Value
  ) throws -> Value? {
    let deadline = ContinuousClock.now + .seconds(reconnectLimitSeconds)
    var attempt = 0
    while stop.signal == nil {
      do {
        return try connect()
      } catch {
        attempt += 1
        guard ContinuousClock.now < deadline else { throw MergeFailure.unreachable(error) }
        stop.sleep(seconds: waitSeconds(afterAttempt: attempt))
      }
    }
    return nil
  }
}
