import Dispatch

extension Connection {
  /// Runs `body` again when the server has ended it for what it replays, as a standby does with queries that stand in the
  /// way; for as long as ``conflictPatienceSeconds`` says.
  ///
  /// Only outside of transactions: within one the server has forgotten the rest.
  func repeatingConflicts<Value>(_ body: () throws(PostgresError) -> Value) throws(PostgresError) -> Value {
    guard conflictPatienceSeconds > 0, !isInTransaction else { return try body() }
    let deadline = ContinuousClock.now + .seconds(conflictPatienceSeconds)
    var pauseSeconds = 0.1
    while true {
      do {
        return try body()
      } catch {
        let isConflict = error.sqlState == .serializationFailure || error.sqlState == .deadlockDetected
        guard error.origin == .server, isConflict, !cancelToken.isRequested, .now < deadline else { throw error }
        _ = DispatchSemaphore(value: 0).wait(timeout: .now() + pauseSeconds)
        pauseSeconds = min(pauseSeconds * 2, 2)
      }
    }
  }
}
