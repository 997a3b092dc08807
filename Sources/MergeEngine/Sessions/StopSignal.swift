import Foundation
import Libpq
import Synchronization

/// Asks a running command to stop, from any thread: the running statements are cancelled, and nothing new is begun.
package final class StopSignal: Sendable {
  private struct State {
    var signal: Int32?
    var tokens: [Int: Covered] = [:]
    var nextKey = 0
  }

  /// A connection whose work ends when somebody asks to stop.
  private struct Covered {
    let token: CancelToken
    /// Only if it is not done by itself within a moment.
    let isPatient: Bool

    func cancel() {
      if isPatient { token.cancelWhenSilent() } else { token.cancel() }
    }
  }

  private let state = Mutex(State())
  private let pause: (@Sendable (_ seconds: Double) -> Void)?

  /// A signal that nobody has given yet.
  ///
  /// - Parameter pause: runs instead of waiting, for tests of what others do meanwhile.
  package init(pause: (@Sendable (_ seconds: Double) -> Void)? = nil) {
    self.pause = pause
  }

  /// The signal that was asked with, as SIGINT; nil while nobody has asked.
  package var signal: Int32? { state.withLock { $0.signal } }

  /// Stops. The first signal counts.
  package func request(signal: Int32) {
    let tokens = state.withLock { state in
      state.signal = state.signal ?? signal
      return state.tokens.values
    }
    for covered in tokens { covered.cancel() }
  }

  /// Waits, though not longer than until somebody asks to stop.
  func sleep(seconds: Double) {
    if let pause, seconds > 0 { return pause(seconds) }
    let deadline = ContinuousClock.now + .seconds(seconds)
    while signal == nil {
      let left = (deadline - .now) / .seconds(1)
      guard left > 0 else { return }
      Thread.sleep(forTimeInterval: min(left, 0.1))
    }
  }

  /// Runs `body`, during which a request cancels what the connection is doing.
  package func covering<Value>(_ connection: Connection, _ body: () throws -> Value) rethrows -> Value {
    let reach = cover(Covered(token: connection.cancelToken, isPatient: false))
    defer { withExtendedLifetime(reach) {} }
    return try body()
  }

  /// Has a request cancel what the connection is doing, for as long as the answer is kept, though only what the server is
  /// silent over for some seconds, as a commit that waits for a standby: for statements that should be done in any case.
  func coverPatiently(_ connection: Connection) -> Reach {
    cover(Covered(token: connection.cancelToken, isPatient: true))
  }

  private func cover(_ covered: Covered) -> Reach {
    let (key, isLate) = state.withLock { state in
      state.nextKey += 1
      state.tokens[state.nextKey] = covered
      return (state.nextKey, state.signal != nil)
    }
    if isLate { covered.cancel() }
    return Reach(self, key)
  }

  /// While it is there, a request reaches a connection.
  final class Reach: Sendable {
    private let stop: StopSignal
    private let key: Int

    fileprivate init(_ stop: StopSignal, _ key: Int) {
      self.stop = stop
      self.key = key
    }

    deinit {
      stop.state.withLock { $0.tokens[key] = nil }
    }
  }
}
