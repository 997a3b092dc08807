import Foundation

/// Runs blocking work on a thread of its own, so that it doesn't hold a thread of the cooperative pool.
public func onItsOwnThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
  try await withCheckedThrowingContinuation { continuation in
    Thread { continuation.resume(with: Result(catching: body)) }.start()
  }
}
