import Foundation
import MergeEngine
import Synchronization
import TestSupport

/// The pause before a verification's second look, which lasts until the test ends it.
final class HeldPause: Sendable {
  /// How long the pause would be, so that a verification that is still at its first look has one to begin.
  static let seconds = 300.0

  private struct State {
    var hasBegun = false
    var isOver = false
  }

  private let state = Mutex(State())

  /// What the verification is to be given.
  var stop: StopSignal {
    StopSignal { _ in
      self.state.withLock { $0.hasBegun = true }
      while !self.state.withLock({ $0.isOver }) { Thread.sleep(forTimeInterval: 0.01) }
    }
  }

  /// Waits until the first look is over.
  func begin() async throws {
    try await eventually("the pause before the second look") { state.withLock { $0.hasBegun } ? () : nil }
  }

  /// Lets the second look begin, and others without a pause.
  func end() { state.withLock { $0.isOver = true } }
}
