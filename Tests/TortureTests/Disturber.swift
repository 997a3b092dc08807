import Foundation
import Libpq
import Synchronization

/// A thread that repeats a statement on a connection of its own, and connects again whenever that breaks.
final class Disturber: Sendable {
  private let isEnding = Mutex(false)
  private let ended = DispatchSemaphore(value: 0)
  private let doneCount = Mutex(0)

  /// - Parameters:
  ///   - pauseSeconds: between two statements.
  ///   - statement: run again and again.
  init(_ target: ConnectionTarget, pauseSeconds: Double, statement: SQL) {
    Thread { [self] in
      var connection: Connection?
      while !isEnding.withLock({ $0 }) {
        do {
          let current = try connection ?? Connection(to: target, applicationName: "torture") { _ in }
          connection = current
          try current.execute(statement, "disturbing")
          doneCount.withLock { $0 += 1 }
        } catch {
          // A restarted server, or a deadlock: the transaction is gone, and with it what the model knows of it.
          if connection?.isBroken != false || connection?.isInTransaction == true { connection = nil }
        }
        Thread.sleep(forTimeInterval: pauseSeconds)
      }
      ended.signal()
    }.start()
  }

  /// Ends the thread and waits for it.
  ///
  /// - Returns: how often the statement has succeeded.
  func end() -> Int {
    isEnding.withLock { $0 = true }
    ended.wait()
    return doneCount.withLock { $0 }
  }
}
