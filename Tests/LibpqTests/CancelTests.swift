import BinaryCopy
import Foundation
import Libpq
import Testing

extension LibpqTests {
  @Suite @DatabaseThread struct CancelTests {
    @Test func `a cancel from another thread ends the statement`() async throws {
      let connection = try await Server.connect()
      let cancelling = Self.cancel(connection, afterSeconds: 0.2)
      let error = try failure { _ = try connection.query("SELECT pg_sleep(3600)", "sleeping") }
      cancelling.wait()
      #expect(error.origin == .server && error.sqlState == .queryCanceled && error.operation == "sleeping")
      connection.expectUsable()
    }

    @Test func `a cancel ends a COPY in both directions`() async throws {
      let connection = try await Server.connect()
      let cancelling = Self.cancel(connection, afterSeconds: 0.2)
      let out = try failure {
        try connection.copyOut("COPY (SELECT pg_sleep(60)) TO STDOUT", "reading") { _ in }
      }
      cancelling.wait()
      #expect(out.sqlState == .queryCanceled)
      try connection.execute("CREATE TEMPORARY TABLE slow (n integer)", "making a table")
      let into = try failure {
        try connection.copyIn("COPY slow FROM STDIN", "writing") { stream in
          #expect(connection.cancelToken.cancel())
          // The server looks for a cancel row by row, not while it waits for the client.
          try stream.write(Array("1\n2\n3\n".utf8).rawSpan)
        }
      }
      #expect(into.sqlState == .queryCanceled)
      #expect(try connection.number("SELECT count(*) FROM slow") == 0)
      connection.expectUsable()
    }

    @Test func `a cancel fails the transaction and rolls nothing back by itself`() async throws {
      let connection = try await Server.connect()
      try connection.execute("CREATE TEMPORARY TABLE kept (n integer)", "making a table")
      try connection.execute("BEGIN; INSERT INTO kept VALUES (1)", "beginning")
      let cancelling = Self.cancel(connection, afterSeconds: 0.1)
      _ = try failure { _ = try connection.query("SELECT pg_sleep(60)", "sleeping") }
      cancelling.wait()
      #expect(connection.isInTransaction)
      try connection.execute("ROLLBACK", "rolling back")
      #expect(try connection.number("SELECT count(*) FROM kept") == 0)
      connection.expectUsable()
    }

    @Test func `a cancel with nothing to end is no harm`() async throws {
      let connection = try await Server.connect()
      for _ in 0..<20 { connection.cancelToken.cancel() }
      connection.expectUsable()
    }

    @Test func `a cancel may come when the connection is gone`() async throws {
      let token = try await Server.connect().cancelToken
      token.cancel()
      try await Server.connect().expectUsable()
    }

    /// - Returns: to be waited for before the connection is used again: the server sends a backend the signal twice, to its
    ///   process and to its group, and the second one may meet the next statement.
    private static func cancel(_ connection: Connection, afterSeconds: Double) -> DispatchWorkItem {
      let token = connection.cancelToken
      let request = DispatchWorkItem { token.cancel() }
      DispatchQueue.global().asyncAfter(deadline: .now() + afterSeconds, execute: request)
      return request
    }
  }
}
