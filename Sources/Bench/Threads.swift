import Foundation
import Synchronization

/// Runs `body` for every index on a thread of its own, since libpq blocks, and waits for all.
///
/// - Throws: the first error, when all have ended.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) throws {
  let failure = Mutex<(any Error)?>(nil)
  let group = DispatchGroup()
  for index in 0..<count {
    group.enter()
    Thread {
      do {
        try body(index)
      } catch {
        failure.withLock { $0 = $0 ?? error }
      }
      group.leave()
    }.start()
  }
  group.wait()
  if let error = failure.withLock({ $0 }) { throw error }
}
