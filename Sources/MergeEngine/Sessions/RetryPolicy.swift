import Libpq

/// How long, and after which pauses, something is retried.
struct RetryPolicy: Sendable {
  /// How long a batch that runs into deadlocks, serialization failures or lock timeouts is retried, all attempts and waits
  /// together. Arbitrary: after a minute something holds the rows that a person should look at.
  var patienceSeconds = 60.0
  /// How many times in a row a connection may be lost before a single row was merged. Arbitrary.
  var lossLimit = 8
  /// How long the engine keeps trying to restore a lost connection.
  var reconnectLimitSeconds = 60.0

  /// Patience for six waits of `lockTimeoutMilliseconds`, at least five seconds; 0, which is no limit, takes the default.
  static func patienceSeconds(lockTimeoutMilliseconds: Int) -> Double {
    lockTimeoutMilliseconds == 0 ? RetryPolicy().patienceSeconds : max(6 * Double(lockTimeoutMilliseconds) / 1000, 5)
  }

  /// Doubles from 50 ms to 10 s, with half of it left to chance, so that two workers that ran into each other do
  /// not do so again.
  func waitSeconds(afterAttempt attempt: Int) -> Double {
    let full = min(0.05 * Double(1 << min(attempt, 20)), 10)
    return full / 2 + Double.random(in: 0...(full / 2))
  }

  /// Tries to connect until it works, waiting longer and longer.
  ///
  /// - Parameter isOver: whether nobody needs the connection any more.
  /// - Returns: nil when `stop` was requested meanwhile, or nobody needs it.
  /// - Throws: ``MergeFailure/unreachable(_:)`` with the last error after ``reconnectLimitSeconds``, or at once when the server
  ///   refuses the login; ``MergeFailure/blocked(_:)`` when a pooler stands between.
  func connectPatiently<Value>(
    _ stop: StopSignal,
    unless isOver: () -> Bool = { false },
    _ connect: () throws(PostgresError) -> Value
  ) throws -> Value? {
    let deadline = ContinuousClock.now + .seconds(reconnectLimitSeconds)
    var attempt = 0
    while stop.signal == nil, !isOver() {
      do {
        return try connect()
      } catch {
        attempt += 1
        let isHopeless = error.refusesLogin || error.origin == .foreignSession
        guard !isHopeless, ContinuousClock.now < deadline else { throw Reaching.failure(error) }
        let next = ContinuousClock.now + .seconds(waitSeconds(afterAttempt: attempt))
        // In small steps: the end of a run must not wait for a connection that it no longer needs.
        while stop.signal == nil, !isOver(), .now < next { stop.sleep(seconds: 0.05) }
      }
    }
    return nil
  }
}
