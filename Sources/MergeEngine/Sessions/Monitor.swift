import Foundation

/// State that threads share, with a way to wait for it to change.
///
/// Workers block in libpq, so they are threads, and threads wait on a condition variable, not in `await`.
final class Monitor<State>: @unchecked Sendable {
  // Safe: `state` is touched only between `lock()` and `unlock()` of the condition.
  private let condition = NSCondition()
  private var state: State

  init(_ state: State) {
    self.state = state
  }

  /// Reads or changes the state, and wakes everyone who waits for a change.
  func update<Value>(_ body: (inout State) throws -> Value) rethrows -> Value {
    condition.lock()
    defer {
      condition.broadcast()
      condition.unlock()
    }
    return try body(&state)
  }

  /// Waits until `body` has an answer.
  ///
  /// - Returns: the answer, or nil when `timeLimitSeconds` have passed without one.
  func wait<Value>(timeLimitSeconds: Double = .infinity, until body: (inout State) -> Value?) -> Value? {
    let deadline = Date(timeIntervalSinceNow: min(timeLimitSeconds, 1e9))
    condition.lock()
    defer { condition.unlock() }
    while true {
      if let value = body(&state) {
        condition.broadcast()
        return value
      }
      if !condition.wait(until: deadline) { return body(&state) }
    }
  }
}
