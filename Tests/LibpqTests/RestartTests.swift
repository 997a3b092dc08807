import Libpq
import PrivateCluster
import Testing

extension LibpqTests {
  @Suite @DatabaseThread struct RestartTests {
    @Test(arguments: [true, false])
    func `after a restart the connection is lost, and a new one works`(immediate: Bool) async throws {
      let connection = try await Server.connect()
      try connection.execute("BEGIN", "beginning")
      try await Server.cluster.value.restart(immediate: immediate)
      let error = try failure { _ = try connection.query("SELECT 1", "asking") }
      #expect(error.origin == .connectionLost && error.operation == "asking")
      #expect(connection.isBroken)
      let again = try failure { try connection.execute("SELECT 1", "asking again") }
      #expect(again.origin == .connectionLost)
      try await Server.connect().expectUsable()
    }

    @Test func `a session ended by an administrator is a lost connection that says why`() async throws {
      let observer = try await Server.connect()
      let connection = try await Server.connect()
      _ = try observer.query("SELECT pg_terminate_backend(\(connection.backendProcessID), 5000)", "ending a session")
      let error = try failure { _ = try connection.query("SELECT 1", "asking") }
      #expect(error.origin == .connectionLost)
      #expect(error.sqlState == SQLState("57P01") || error.message.contains("administrator command"))
      #expect(connection.isBroken)
      observer.expectUsable()
    }
  }
}
