import Foundation
import Libpq
import Synchronization
import TestSupport

/// A thread that repeats a statement on a connection of its own, and connects again whenever that breaks.
final class Disturber: Sendable {
  private let isEnding = Mutex(false)
  private let ended = DispatchSemaphore(value: 0)
  private let doneCount = Mutex(0)

  /// - Parameters:
  ///   - seed: what the server's random() follows from, together with how often the connection was made.
  ///   - pauseSeconds: between two statements.
  ///   - statement: run again and again.
  init(_ target: ConnectionTarget, seed: UInt64, pauseSeconds: Double, statement: SQL) {
    Thread { [self] in
      var connection: Connection?
      var random = SeededGenerator(seed: seed)
      while !isEnding.withLock({ $0 }) {
        do {
          let current = try connection ?? Self.connect(target, seed: Int.random(in: 0..<1_000_000, using: &random))
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

  private static func connect(_ target: ConnectionTarget, seed: Int) throws -> Connection {
    let connection = try Connection(to: target, applicationName: "torture") { _ in }
    _ = try connection.query("SELECT setseed(\(seed) / 1000000.0)", "seeding")
    return connection
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
