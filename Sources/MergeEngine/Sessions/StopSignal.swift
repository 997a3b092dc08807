import Foundation
import Libpq
import Synchronization

/// Asks a running command to stop, from any thread: the running statements are cancelled, and nothing new is begun.
public final class StopSignal: Sendable {
  private struct State {
    var signal: Int32?
    var tokens: [Int: CancelToken] = [:]
    var nextKey = 0
  }

  private let state = Mutex(State())

  /// A signal that nobody has given yet.
  public init() {}

  /// The signal that was asked with, as SIGINT; nil while nobody has asked.
  public var signal: Int32? { state.withLock { $0.signal } }

  /// Stops. The first signal counts.
  public func request(signal: Int32) {
    let tokens = state.withLock { state in
      state.signal = state.signal ?? signal
      return state.tokens.values
    }
    for token in tokens { token.cancel() }
  }

  /// Waits, though not longer than until somebody asks to stop.
  func sleep(seconds: Double) {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while signal == nil {
      let left = (deadline - .now) / .seconds(1)
      guard left > 0 else { return }
      Thread.sleep(forTimeInterval: min(left, 0.1))
    }
  }

  /// Runs `body`, during which a request cancels what the connection is doing.
  package func covering<Value>(_ connection: Connection, _ body: () throws -> Value) rethrows -> Value {
    let token = connection.cancelToken
    let (key, isLate) = state.withLock { state in
      state.nextKey += 1
      state.tokens[state.nextKey] = token
      return (state.nextKey, state.signal != nil)
    }
    if isLate { token.cancel() }
    defer { state.withLock { $0.tokens[key] = nil } }
    return try body()
  }
}
