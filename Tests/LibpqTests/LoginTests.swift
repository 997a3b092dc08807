import Libpq
import PrivateCluster
import Testing

extension LibpqTests {
  /// What is heard of a login: messages from its first moment on, and the SQLSTATE of a refusal.
  @Suite @DatabaseThread struct LoginTests {
    @Test func `a refused login brings its SQLSTATE, and the message without the server's source`() async throws {
      let cluster = try await Server.cluster.value
      let string = try #require(cluster.loopbackConnectionString(password: "wrong"))
      let target = try ConnectionTarget(string)
      let error = try failure { _ = try Connection(to: target, applicationName: "wrong") { _ in } }
      #expect(error.sqlState == SQLState("28P01") && error.refusesLogin)
      #expect(error.message.contains("FATAL:  password authentication failed") && !error.message.contains("LOCATION"))
      let nowhere = try ConnectionTarget(cluster.connectionString(database: "nowhere"))
      let missing = try failure { _ = try Connection(to: nowhere, applicationName: "nowhere") { _ in } }
      #expect(missing.sqlState == SQLState("3D000") && missing.refusesLogin)
      let closed = try ConnectionTarget("host=127.0.0.1 port=1")
      let unreachable = try failure { _ = try Connection(to: closed, applicationName: "closed") { _ in } }
      #expect(unreachable.sqlState == nil && !unreachable.refusesLogin)
    }

    @Test func `a warning at the login reaches the receiver`() async throws {
      let connection = try await Server.connect()
      try connection.execute("CREATE DATABASE aged", "making a database")
      try connection.execute("UPDATE pg_database SET datcollversion = '0.1' WHERE datname = 'aged'", "ageing it")
      let target = try ConnectionTarget(try await Server.cluster.value.connectionString(database: "aged"))
      var notices: [Notice] = []
      let other = try Connection(to: target, applicationName: "aged") { notices.append($0) }
      #expect(notices.contains { $0.severity == "WARNING" })
      other.expectUsable()
    }

    @Test func `of several hosts the ones behind a silent one are tried`() async throws {
      let cluster = try await Server.cluster.value
      // 192.0.2.1 answers nobody: <https://www.rfc-editor.org/rfc/rfc5737>.
      let string =
        "host=192.0.2.1,'\(cluster.socketDirectory)' port=5432,\(cluster.port) user=postgres connect_timeout=2"
      let target = try ConnectionTarget(
        string.replacing(
          "host=192.0.2.1,'\(cluster.socketDirectory)'",
          with: "host='192.0.2.1,\(cluster.socketDirectory)'"
        )
      )
      let connection = try Connection(to: target, applicationName: "several") { _ in }
      connection.expectUsable()
    }

    @Test func `a statement that a standby ends for what it replays is tried again, outside of transactions`()
      async throws
    {
      let connection = try await Server.connect()
      try connection.execute(
        """
        CREATE SEQUENCE tries;
        CREATE FUNCTION conflict() RETURNS bigint LANGUAGE plpgsql AS $$
        DECLARE n bigint := nextval('tries');
        BEGIN IF n < 3 THEN RAISE 'in the way' USING ERRCODE = '40001'; END IF; RETURN n; END $$
        """,
        "making a conflict"
      )
      #expect(try failure { _ = try connection.number("SELECT conflict()") }.sqlState == .serializationFailure)
      connection.conflictPatienceSeconds = 10
      #expect(try connection.number("SELECT conflict()") == 3)
      try connection.execute("ALTER SEQUENCE tries RESTART", "beginning anew")
      var bytes: [UInt8] = [1]
      #expect(
        try connection.copyOut(
          "COPY (SELECT n, conflict() FROM generate_series(1, 2) AS n) TO STDOUT",
          into: &bytes,
          "copying"
        ) == .complete
      )
      #expect(String(decoding: bytes, as: UTF8.self) == "\u{1}1\t3\n2\t4\n")
      try connection.execute("ALTER SEQUENCE tries RESTART; BEGIN", "beginning anew")
      #expect(try failure { _ = try connection.number("SELECT conflict()") }.sqlState == .serializationFailure)
      try connection.execute("ROLLBACK; DROP FUNCTION conflict; DROP SEQUENCE tries", "cleaning up")
      connection.expectUsable()
    }
  }
}
