import Foundation
import MergeEngine
import Synchronization
import TestSupport

/// The pause before a verification's second look, which lasts until the test ends it.
final class HeldPause: Sendable {
  /// How long the pause would be, so that a verification that is still at its first look has one to begin.
  static let seconds = 300.0

  private struct State {
    /// How long the first pause was to be; nil before.
    var seconds: Double?
    var isOver = false
  }

  private let state = Mutex(State())

  /// What the verification is to be given.
  var stop: StopSignal {
    StopSignal { seconds in
      self.state.withLock { $0.seconds = $0.seconds ?? seconds }
      while !self.state.withLock({ $0.isOver }) { Thread.sleep(forTimeInterval: 0.01) }
    }
  }

  /// Waits until the first look is over.
  ///
  /// - Returns: how many seconds the verification would wait from then on.
  @discardableResult
  func begin() async throws -> Double {
    try await eventually("the pause before the second look") { state.withLock { $0.seconds } }
  }

  /// Lets the second look begin, and others without a pause.
  func end() { state.withLock { $0.isOver = true } }
}
