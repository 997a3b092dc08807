import Libpq
import Testing

extension LibpqTests {
  @Suite @DatabaseThread struct ErrorTests {
    @Test func `an error has SQLSTATE, operation and constraint, and its text no value of the row`() async throws {
      let connection = try await Server.connect()
      try connection.execute(
        "CREATE TEMPORARY TABLE people (id integer CONSTRAINT people_once PRIMARY KEY, name text NOT NULL)",
        "making a table"
      )
      try connection.execute("INSERT INTO people VALUES (4711, 'x')", "inserting")
      let error = try failure { try connection.execute("INSERT INTO people VALUES (4711, 'y')", "adding people") }
      #expect(error.origin == .server && error.sqlState == .uniqueViolation && error.constraint == "people_once")
      #expect(error.operation == "adding people")
      #expect("\(error)".hasPrefix("while adding people: duplicate key") && "\(error)".hasSuffix("(SQLSTATE 23505)"))
      #expect(!"\(error)".contains("4711") && error.detail?.contains("4711") == true)
      let missing = try failure { try connection.execute("INSERT INTO people VALUES (1, NULL)", "adding people") }
      #expect(missing.sqlState == SQLState("23502") && missing.column == "name")
      #expect(missing.table?.name == Identifier("people"))
      connection.expectUsable()
    }

    @Test func `an error has the server's hint and context`() async throws {
      let connection = try await Server.connect()
      let error = try failure {
        try connection.execute(
          "DO $$ BEGIN RAISE EXCEPTION 'no' USING HINT = 'try yes', DETAIL = 'a detail', ERRCODE = 'P0007'; END $$",
          "asking"
        )
      }
      #expect(error.message == "no" && error.hint == "try yes" && error.detail == "a detail")
      #expect(error.sqlState == SQLState("P0007") && error.context?.contains("PL/pgSQL") == true)
      #expect(
        "\(error)"
          == "while asking: no (SQLSTATE P0007); the server's context: PL/pgSQL function inline_code_block line 1 at RAISE; the server's hint: try yes"
      )
      connection.expectUsable()
    }

    @Test func `a RAISE refuses a row whatever SQLSTATE it borrows, and in whatever language it is told`() async throws
    {
      let connection = try await Server.connect()
      let borrowed: SQL = "DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'insufficient_privilege'; END $$"
      var error = try failure { try connection.execute(borrowed, "asking") }
      #expect(error.sqlState == .insufficientPrivilege && error.refusesRow)
      error.context = "在RAISE的第1行的PL/pgSQL函数inline_code_block"
      #expect(error.refusesRow)
      let own = try failure { try connection.execute("SELECT nothing", "asking") }
      #expect(!own.refusesRow)
      connection.expectUsable()
    }

    @Test func `bytes that are not of their type are no lost connection`() async throws {
      // The server's word for them is 08P01, of the class of connection exceptions.
      let connection = try await Server.connect()
      let error = try failure { _ = try connection.query("SELECT $1", [Parameter(binary: [1], type: 20)], "echoing") }
      #expect(error.sqlState == SQLState("08P01") && error.origin == .server)
      connection.expectUsable()
    }

    @Test func `a lock that is not granted in time is worth trying again`() async throws {
      let holder = try await Server.connect()
      let connection = try await Server.connect()
      try holder.execute("CREATE TABLE locked ()", "making a table")
      try holder.execute("BEGIN; LOCK TABLE locked", "locking")
      let error = try failure {
        try connection.execute("SET lock_timeout = 50; SELECT * FROM locked", "waiting")
      }
      #expect(error.sqlState == .lockNotAvailable && error.sqlState?.isWorthRetrying == true)
      try holder.execute("DROP TABLE locked; COMMIT", "dropping the table")
      connection.expectUsable()
      holder.expectUsable()
    }

    @Test func `what the server refuses of a row is told from what it refuses of a statement`() async throws {
      let connection = try await Server.connect()
      let ofRow: [SQL] = ["SELECT 1/0", "SELECT 'x'::text::integer", "DO $$ BEGIN RAISE EXCEPTION 'x'; END $$"]
      for sql in ofRow {
        #expect(try failure { try connection.execute(sql, "asking") }.sqlState?.refusesRow == true, "\(sql)")
      }
      let ofStatement: [SQL] = ["SELECT nothing", "SELECT * FROM nowhere", "DROP ROLE nobody_at_all", "SELEC"]
      for sql in ofStatement {
        let state = try failure { try connection.execute(sql, "asking") }.sqlState
        #expect(state?.refusesRow == false && state?.isWorthRetrying == false, "\(sql)")
      }
      connection.expectUsable()
    }
  }
}
