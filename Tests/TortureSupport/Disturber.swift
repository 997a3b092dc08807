import Foundation
import Libpq
import Synchronization
import TestSupport

/// A thread that repeats a statement on a connection of its own, and connects again whenever that breaks.
public final class Disturber: Sendable {
  private let isEnding = Mutex(false)
  private let ended = DispatchSemaphore(value: 0)
  private let doneCount = Mutex(0)

  /// - Parameters:
  ///   - seed: what the server's random() follows from, together with how often the connection was made.
  ///   - pauseSeconds: between two statements.
  ///   - greeting: what a new connection begins with.
  ///   - statement: run again and again.
  public init(
    _ target: ConnectionTarget,
    seed: UInt64,
    pauseSeconds: Double,
    greeting: SQL? = nil,
    statement: SQL
  ) {
    Thread { [self] in
      var connection: Connection?
      var random = SeededGenerator(seed: seed)
      while !isEnding.withLock({ $0 }) {
        do {
          let current =
            try connection
            ?? Self.connect(target, seed: Int.random(in: 0..<1_000_000, using: &random), greeting)
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

  private static func connect(_ target: ConnectionTarget, seed: Int, _ greeting: SQL?) throws -> Connection {
    let connection = try Connection(to: target, applicationName: "torture") { _ in }
    _ = try connection.query("SELECT setseed(\(seed) / 1000000.0)", "seeding")
    if let greeting { try connection.execute(greeting, "greeting") }
    return connection
  }

  /// How often the statement has succeeded so far.
  public var count: Int { doneCount.withLock { $0 } }

  /// Ends the thread and waits for it.
  ///
  /// - Returns: how often the statement has succeeded.
  public func end() -> Int {
    isEnding.withLock { $0 = true }
    ended.wait()
    return count
  }
}
