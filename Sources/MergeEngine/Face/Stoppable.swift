import Foundation
import Libpq

/// Blocking work as an `async` function.
enum Stoppable {
  /// Runs `body` on a thread of its own, since libpq blocks and Swift's cooperative pool has a thread a core; when the task
  /// is cancelled, `body` is asked to stop, and the answer waits until it has.
  ///
  /// - Throws: ``MergeError``; `CancellationError` when the task was cancelled and `body` had nothing to hand back.
  static func run<Value: Sendable>(
    _ progress: ProgressUpdates? = nil,
    _ body: @escaping @Sendable (StopSignal) throws -> Value
  ) async throws -> Value {
    defer { progress?.finish() }
    try Task.checkCancellation()
    let stop = StopSignal()
    do {
      return try await withTaskCancellationHandler {
        try await onThreadOfItsOwn { try body(stop) }
      } onCancel: {
        // Asking a server to end a statement takes a connection of its own, which blocks whoever cancels.
        Thread { stop.request(signal: SIGINT) }.start()
      }
    } catch {
      throw cause(error, isStopped: stop.signal != nil)
    }
  }

  private static func cause(_ error: any Error, isStopped: Bool) -> any Error {
    switch error {
    case is CancellationError: error
    // A statement that was ended because of the request is no failure.
    case is PostgresError where isStopped, MergeFailure.unreachable where isStopped: CancellationError()
    default: MergeError(error) ?? error
    }
  }
}
