import Foundation
import Libpq
import PrivateCluster
import Testing

extension LibpqTests {
  /// What a connection is made with when nobody says otherwise, and who may say otherwise.
  @Suite @DatabaseThread struct ConnectionDefaultTests {
    private nonisolated static let keepalives = [
      "connect_timeout": "15", "keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3",
      "tcp_user_timeout": "20000",
    ]

    private func connect(_ more: String = "") async throws -> Connection {
      let string = try #require(try await Server.cluster.value.loopbackConnectionString()) + more
      return try Connection(to: ConnectionTarget(string), applicationName: "defaults") { _ in }
    }

    @Test func `a silent line is noticed: keepalives and time limits reach the connection`() async throws {
      let connection = try await connect()
      for (keyword, value) in Self.keepalives { #expect(connection.setting(keyword) == value, "\(keyword)") }
      #expect(connection.setting("no such keyword") == nil)
      connection.expectUsable()
    }

    @Test(arguments: keepalives.keys.sorted())
    func `what the string says is taken instead of each default`(_ keyword: String) async throws {
      let connection = try await connect(" \(keyword)=7")
      for (other, value) in Self.keepalives {
        #expect(connection.setting(other) == (other == keyword ? "7" : value), "\(other)")
      }
      connection.expectUsable()
    }

    @Test func `of several hosts the primary is taken, unless the string says otherwise`() async throws {
      let cluster = try await Server.cluster.value
      let several = "host='\(cluster.socketDirectory),\(cluster.socketDirectory)' port=\(cluster.port) user=postgres"
      func choice(_ string: String) throws -> String? {
        try Connection(to: ConnectionTarget(string), applicationName: "defaults") { _ in }.setting(
          "target_session_attrs"
        )
      }
      #expect(try choice(several) == "primary")
      #expect(try choice(several + " target_session_attrs=any") == "any")
      #expect(try choice(several + " target_session_attrs=read-write") == "read-write")
      #expect(try choice(cluster.connectionString()) == "any")
    }

    @Test func `what the environment says about the host to take is kept`() async throws {
      let cluster = try await Server.cluster.value
      let several = "host='\(cluster.socketDirectory),\(cluster.socketDirectory)' port=\(cluster.port) user=postgres"
      for value in ["any", "read-write"] {
        // In a process of its own: the environment belongs to all tests.
        await #expect(processExitsWith: .success) { [several = several as String, value = value as String] in
          unsafe setenv("PGTARGETSESSIONATTRS", value, 1)
          let connection = try Connection(to: ConnectionTarget(several), applicationName: "defaults") { _ in }
          try #require(connection.setting("target_session_attrs") == value)
        }
      }
    }
  }
}
