import Dispatch
import Foundation
import Libpq
import PrivateCluster
import Synchronization
import TestSupport
import Testing

/// All tests that talk to a server, one after the other: one of them restarts it.
@Suite(.serialized) struct LibpqTests {}

/// The thread that tests use connections on: one of their own, since calls of libpq block.
@globalActor actor DatabaseThread {
  static let shared = DatabaseThread()
  private let executor = BlockingExecutor()
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }
}

/// Runs jobs on a queue outside of Swift's cooperative pool.
private final class BlockingExecutor: SerialExecutor {
  private let queue = DispatchQueue(label: "database")

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    // Safe: a job is run once, here, and the closure keeps the executor alive.
    queue.async { unsafe job.runSynchronously(on: self.asUnownedSerialExecutor()) }
  }
}

/// The server of these tests, who silence and restart it.
enum Server {
  static let cluster = Task { try await TestServer.start() }

  /// A connection of the test's own.
  @DatabaseThread
  static func connect(_ receiveNotice: @escaping (Notice) -> Void = { _ in }) async throws -> Connection {
    let target = try ConnectionTarget(try await cluster.value.connectionString())
    return try Connection(to: target, applicationName: "libpq tests", receiveNotice: receiveNotice)
  }
}

extension Connection {
  /// The first field of the first row as text.
  func text(_ sql: SQL) throws -> String? { try query(sql, "asking").text(0, 0) }

  /// The first field of the first row as a number.
  func number(_ sql: SQL) throws -> Int? { try query(sql, "asking").integer(0, 0) }

  /// Ends a failure test: the connection answers, and is in no transaction.
  func expectUsable(sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(!isBroken, sourceLocation: sourceLocation)
    #expect(!isInTransaction, sourceLocation: sourceLocation)
    #expect(throws: Never.self, sourceLocation: sourceLocation) {
      let answer = try number("SELECT 40 + 2")
      #expect(answer == 42, sourceLocation: sourceLocation)
    }
  }
}

/// The error that `body` ends with; a test fails without one.
func failure(
  sourceLocation: SourceLocation = #_sourceLocation,
  _ body: () throws -> Void
) throws -> PostgresError {
  try #require(#expect(throws: PostgresError.self, sourceLocation: sourceLocation) { try body() })
}

/// How long `body` took, wall clock.
func secondsTaken(_ body: () throws -> Void) rethrows -> Double {
  try ContinuousClock().measure { try body() } / .seconds(1)
}
