import BinaryCopy
import Foundation
import Libpq
import Testing

extension LibpqTests {
  /// A server's side that is stopped in its tracks sends nothing, not even the end of the connection.
  @Suite @DatabaseThread struct SilentServerTests {
    @Test func `a server that falls silent is given up in time`() async throws {
      let connection = try await Server.connect()
      connection.answerTimeLimitSeconds = 1
      try Self.whileStopped(connection) {
        let error = try failure { _ = try connection.query("SELECT 1", "asking") }
        #expect(error.origin == .connectionLost && error.operation == "asking")
        #expect(error.message.contains("has sent nothing for 1.0 s"))
      }
      #expect(connection.isBroken)
      try await Server.connect().expectUsable()
    }

    @Test func `a connection that was given up is not waited for again`() async throws {
      let connection = try await Server.connect()
      connection.answerTimeLimitSeconds = 1
      try Self.whileStopped(connection) {
        _ = try failure { _ = try connection.query("SELECT 1", "asking") }
        connection.answerTimeLimitSeconds = Self.forEver
        let error = try failure { try connection.execute("ROLLBACK", "rolling back") }
        #expect(error.origin == .connectionLost)
      }
      // Awake again it must not give the first answer to the second question.
      let late = try failure { _ = try connection.query("SELECT 2", "asking again") }
      #expect(late.origin == .connectionLost)
      try await Server.connect().expectUsable()
    }

    @Test func `a COPY in to a silent server is given up once, and leaves no rows`() async throws {
      let observer = try await Server.connect()
      try observer.execute("CREATE TABLE unseen (n integer)", "making a table")
      let connection = try await Server.connect()
      connection.answerTimeLimitSeconds = 1
      let piece = Array(String(repeating: "5\n", count: 65_536).utf8)
      try Self.whileStopped(connection, stopAtOnce: false) {
        let error = try failure {
          try connection.copyIn("COPY unseen FROM STDIN", "writing") { stream in
            Self.stop(connection)
            // Whoever waits once more to end the COPY waits for an hour.
            defer { connection.answerTimeLimitSeconds = Self.forEver }
            for _ in 0..<200 { try stream.write(piece.rawSpan) }
          }
        }
        #expect(error.origin == .connectionLost && error.operation == "writing")
      }
      #expect(connection.isBroken)
      _ = try observer.query("SELECT pg_terminate_backend(\(connection.backendProcessID), 5000)", "ending the session")
      #expect(try observer.number("SELECT count(*) FROM unseen") == 0)
      try observer.execute("DROP TABLE unseen", "dropping the table")
      observer.expectUsable()
    }

    @Test func `a COPY out of a silent server is given up`() async throws {
      let connection = try await Server.connect()
      connection.answerTimeLimitSeconds = 1
      try Self.whileStopped(connection, stopAtOnce: false) {
        let error = try failure {
          try connection.copyOut(CopyOutTests.wideRows, "reading") { _ in Self.stop(connection) }
        }
        #expect(error.origin == .connectionLost && error.operation == "reading")
      }
      #expect(connection.isBroken)
      try await Server.connect().expectUsable()
    }

    @Test func `a slow statement within the limit is waited for`() async throws {
      let connection = try await Server.connect()
      connection.answerTimeLimitSeconds = 3
      #expect(try connection.query("SELECT pg_sleep(1.2)", "sleeping").count == 1)
      connection.expectUsable()
    }

    /// Stops the server's process of this connection, which a test's own cluster started.
    private static func stop(_ connection: Connection) {
      #expect(kill(pid_t(connection.backendProcessID), SIGSTOP) == 0)
    }

    /// An hour, which no test lasts.
    private static let forEver = 3600.0

    private static func whileStopped(
      _ connection: Connection,
      stopAtOnce: Bool = true,
      _ body: () throws -> Void
    ) throws {
      let processID = pid_t(connection.backendProcessID)
      if stopAtOnce { stop(connection) }
      defer { _ = kill(processID, SIGCONT) }
      try body()
    }
  }
}
