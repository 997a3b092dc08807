import Libpq
import Testing

extension LibpqTests {
  @Suite @DatabaseThread struct StatementTests {
    @Test func `a prepared statement runs again and again with other parameters`() async throws {
      let connection = try await Server.connect()
      let statement = try connection.prepare("add", "SELECT $1 + $2", parameterTypes: [20, 20], "adding")
      for number in 0..<20 {
        #expect(try connection.execute(statement, [.bigint(number), .bigint(1)]).integer(0, 0) == number + 1)
      }
      #expect(try connection.execute(statement, [.bigint(nil), .bigint(1)]).integer(0, 0) == nil)
    }

    @Test func `types may be left to the server`() async throws {
      let connection = try await Server.connect()
      let statement = try connection.prepare("later", "SELECT length($1)", "measuring")
      #expect(try connection.execute(statement, [.text("four")]).integer(0, 0) == 4)
    }

    @Test func `a prepared statement outlives a failure and a rollback`() async throws {
      let connection = try await Server.connect()
      let statement = try connection.prepare("divide", "SELECT 10 / $1", parameterTypes: [20], "dividing")
      try connection.execute("BEGIN", "beginning")
      let error = try failure { _ = try connection.execute(statement, [.bigint(0)]) }
      #expect(error.sqlState == SQLState("22012") && error.operation == "dividing")
      try connection.execute("ROLLBACK", "rolling back")
      #expect(try connection.execute(statement, [.bigint(5)]).integer(0, 0) == 2)
      connection.expectUsable()
    }

    @Test func `what cannot be prepared says so at once`() async throws {
      let connection = try await Server.connect()
      let error = try failure { _ = try connection.prepare("bad", "SELECT * FROM nowhere", "preparing nothing") }
      #expect(error.sqlState == .undefinedTable && error.operation == "preparing nothing")
      _ = try connection.prepare("once", "SELECT 1", "preparing")
      #expect(try failure { _ = try connection.prepare("once", "SELECT 1", "preparing") }.sqlState?.code == "42P05")
      connection.expectUsable()
    }

    @Test func `too few parameters are an error of the server's`() async throws {
      let connection = try await Server.connect()
      let statement = try connection.prepare("two", "SELECT $1::text, $2::text", "asking")
      #expect(try failure { _ = try connection.execute(statement, [.text("one")]) }.sqlState?.code == "08P01")
      #expect(try connection.execute(statement, [.text("one"), .text("two")]).text(0, 1) == "two")
    }

    @Test func `several statements go as one transaction, and the last one's count comes back`() async throws {
      let connection = try await Server.connect()
      let changed = try connection.execute(
        """
        CREATE TEMPORARY TABLE several (n integer); INSERT INTO several VALUES (1), (2); SELECT 1;
        UPDATE several SET n = 3 WHERE n = 2; SELECT 2
        """,
        "running several"
      )
      #expect(changed == 1)
    }

    @Test func `a failed one of several statements takes back all, and the ones behind it are not run`() async throws {
      let connection = try await Server.connect()
      try connection.execute("CREATE TEMPORARY TABLE kept (n integer PRIMARY KEY)", "making a table")
      let error = try failure {
        try connection.execute(
          "INSERT INTO kept VALUES (1); INSERT INTO kept VALUES (1); INSERT INTO kept VALUES (2)",
          "running several"
        )
      }
      #expect(error.sqlState == .uniqueViolation && error.operation == "running several")
      #expect(try connection.number("SELECT count(*) FROM kept") == 0)
      connection.expectUsable()
    }

    @Test func `several statements to a query are refused`() async throws {
      let connection = try await Server.connect()
      let error = try failure { _ = try connection.query("SELECT 1; SELECT 2", "asking twice") }
      #expect(error.sqlState == SQLState("42601"))
      connection.expectUsable()
    }

    @Test func `nothing to run is no error`() async throws {
      let connection = try await Server.connect()
      #expect(try connection.execute("", "nothing") == 0)
      #expect(try connection.execute("-- only a comment", "nothing") == 0)
      #expect(try connection.query("", "nothing").count == 0)
      connection.expectUsable()
    }

    @Test func `a statement larger than every buffer goes through`() async throws {
      let connection = try await Server.connect()
      let value = String(repeating: "ß", count: 4 << 20)
      #expect(try connection.query("SELECT length(\(Literal(value)))", "measuring").integer(0, 0) == 4 << 20)
    }
  }
}
