import Foundation
import Libpq
import PrivateCluster
import TestSupport
import Testing

extension LibpqTests {
  @Suite @DatabaseThread struct ConnectionTests {
    @Test func `connects by keywords`() async throws {
      let connection = try await Server.connect()
      #expect(try connection.text("SELECT current_user::text") == "postgres")
      connection.expectUsable()
    }

    @Test func `connects by URI, with everything in the password that has a meaning there`() async throws {
      let cluster = try await Server.cluster.value
      let uri = "postgresql://postgres:\(Self.percentEncoded(TestServer.password))@127.0.0.1:\(cluster.port)/postgres"
      let connection = try Connection(to: ConnectionTarget(uri), applicationName: "uri") { _ in }
      #expect(try connection.text("SELECT host(inet_server_addr())") == "127.0.0.1")
      connection.expectUsable()
    }

    @Test func `connects by libpq's environment alone`() async throws {
      let cluster = try await Server.cluster.value
      let host = cluster.socketDirectory
      let port = "\(cluster.port)"
      // In a process of its own: the environment belongs to all tests.
      await #expect(processExitsWith: .success) { [host = host as String, port = port as String] in
        for (name, value) in [("PGHOST", host), ("PGPORT", port), ("PGUSER", "postgres"), ("PGDATABASE", "template1")] {
          unsafe setenv(name, value, 1)
        }
        let connection = try Connection(to: ConnectionTarget(nil), applicationName: "environment") { _ in }
        try #require(connection.text("SELECT current_database()::text") == "template1")
      }
    }

    @Test func `says who it is and reads UTF-8, whatever the string asks for`() async throws {
      let cluster = try await Server.cluster.value
      let string = cluster.connectionString() + " client_encoding=LATIN1 application_name=other"
      let connection = try Connection(to: ConnectionTarget(string), applicationName: "its own name") { _ in }
      #expect(try connection.text("SHOW client_encoding") == "UTF8")
      #expect(try connection.text("SHOW application_name") == "its own name")
      #expect(try connection.text("SELECT 'ä€😀'") == "ä€😀")
    }

    @Test func `knows version and process of the server's side`() async throws {
      let cluster = try await Server.cluster.value
      let connection = try await Server.connect()
      #expect(connection.serverVersionNumber / 10_000 == cluster.serverVersion.major)
      #expect(try connection.number("SELECT pg_backend_pid()") == connection.backendProcessID)
    }

    @Test func `knows whether a transaction is open, failed ones included`() async throws {
      let connection = try await Server.connect()
      #expect(!connection.isInTransaction)
      try connection.execute("BEGIN", "beginning")
      #expect(connection.isInTransaction)
      _ = try failure { try connection.execute("SELECT 1/0", "failing") }
      #expect(connection.isInTransaction)
      let next = try failure { _ = try connection.query("SELECT 1", "going on") }
      #expect(next.sqlState == SQLState("25P02"))
      try connection.execute("ROLLBACK", "rolling back")
      connection.expectUsable()
    }

    @Test func `ends the session when the last reference goes`() async throws {
      var connection: Connection? = try await Server.connect()
      let processID = try #require(connection?.backendProcessID)
      connection = nil
      let observer = try await Server.connect()
      var isGone = false
      for _ in 0..<200 where !isGone {
        isGone = try observer.number("SELECT count(*) FROM pg_stat_activity WHERE pid = \(processID)") == 0
        if !isGone { try await Task.sleep(for: .milliseconds(20)) }
      }
      #expect(isGone)
    }

    private static func percentEncoded(_ text: String) -> String {
      text.utf8.map { "%" + (($0 < 16 ? "0" : "") + String($0, radix: 16)) }.joined()
    }
  }
}
