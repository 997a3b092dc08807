import Libpq
import Testing

extension LibpqTests {
  /// Statements that travel with others: they run in their order, and whatever fails is called by its name.
  @Suite @DatabaseThread struct CompanionTests {
    private static let noting: SQL = "INSERT INTO notes VALUES (1)"

    private static func connection() async throws -> Connection {
      let connection = try await Server.connect()
      try connection.execute("CREATE TEMPORARY TABLE notes (n integer PRIMARY KEY)", "making a table")
      return connection
    }

    @Test func `what waits is not sent before the next statement, and then before it`() async throws {
      let connection = try await Self.connection()
      let tripCount = connection.tripCount
      try connection.executeWithNext(Self.noting, "noting")
      try connection.queryWithNext(Query("INSERT INTO notes VALUES ($1)", [.bigint(2)], "noting more"))
      let count = try connection.prepareWithNext("count", "SELECT count(*) FROM notes", "counting")
      #expect(connection.tripCount == tripCount)
      #expect(try connection.execute(count).integer(0, 0) == 2)
      #expect(connection.tripCount == tripCount + 1)
      connection.expectUsable()
    }

    @Test func `a transaction that opens with the next statement counts as open, and holds it`() async throws {
      let connection = try await Self.connection()
      try connection.beginWithNext("beginning")
      #expect(connection.isInTransaction)
      #expect(try connection.execute(Self.noting, "noting") == 1)
      try connection.execute("ROLLBACK", "rolling back")
      #expect(try connection.number("SELECT count(*) FROM notes") == 0)
      connection.expectUsable()
    }

    @Test func `what is forgotten never runs`() async throws {
      let connection = try await Self.connection()
      try connection.beginWithNext("beginning")
      try connection.executeWithNext(Self.noting, "noting")
      connection.forgetWaiting()
      connection.expectUsable()
      #expect(try connection.number("SELECT count(*) FROM notes") == 0)
    }

    /// How the statement behind it is sent.
    enum Way: CaseIterable {
      case message, query, prepared, copyIn, copyOut, alone
    }

    @Test(arguments: Way.allCases) func `an error says which statement it was, and none behind it is run`(way: Way)
      async throws
    {
      let connection = try await Self.connection()
      let prepared = try connection.prepare("noting", Self.noting, "noting")
      try connection.executeWithNext("SELECT 1 / 0", "dividing")
      let error = try failure {
        switch way {
        case .message: try connection.execute(Self.noting, "noting")
        case .query: _ = try connection.query(Self.noting, "noting")
        case .prepared: _ = try connection.execute(prepared)
        case .copyIn: try connection.copyIn("COPY notes FROM STDIN", "noting") { _ in Issue.record("opened") }
        case .copyOut:
          var bytes: [UInt8] = []
          _ = try connection.copyOut("COPY notes TO STDOUT", into: &bytes, "noting")
        case .alone: try connection.executeWaiting()
        }
      }
      #expect(error.operation == "dividing" && error.sqlState == .divisionByZero)
      #expect(try connection.number("SELECT count(*) FROM notes") == 0)
      connection.expectUsable()
    }

    @Test func `the statement's own error is not that of what waited, whose work is undone with it`() async throws {
      let connection = try await Self.connection()
      try connection.executeWithNext(Self.noting, "noting")
      #expect(try failure { _ = try connection.query("SELECT 1 / 0", "dividing") }.operation == "dividing")
      try connection.executeWithNext(Self.noting, "noting")
      #expect(try failure { try connection.execute("SELECT 1 / 0", "dividing") }.operation == "dividing")
      #expect(try connection.number("SELECT count(*) FROM notes") == 0)
      connection.expectUsable()
    }

    @Test func `in a transaction that has failed nothing keeps its end from it`() async throws {
      let connection = try await Self.connection()
      try connection.execute("BEGIN", "beginning")
      _ = try failure { try connection.execute("SELECT 1 / 0", "dividing") }
      try connection.executeWithNext(Self.noting, "noting")
      try connection.execute("ROLLBACK", "rolling back")
      connection.expectUsable()
    }

    @Test func `followers of a COPY run behind it on the same trip, and say what they changed`() async throws {
      let connection = try await Self.connection()
      let doubling = try connection.prepare("doubling", "UPDATE notes SET n = n + 100 WHERE n > 1", "doubling")
      let tripCount = connection.tripCount
      let counts = try connection.copyIn(
        "COPY notes FROM STDIN",
        then: [Companion("SET LOCAL lock_timeout = 7", "setting"), doubling.execution],
        "copying"
      ) { try $0.write(Array("1\n2\n3\n".utf8).rawSpan) }
      #expect(counts == [3, 0, 2])
      // One to open the COPY, one to end it.
      #expect(connection.tripCount == tripCount + 2)
      connection.expectUsable()
    }

    @Test func `a follower that fails says so by its own name, and takes the COPY back`() async throws {
      let connection = try await Self.connection()
      let error = try failure {
        _ = try connection.copyIn("COPY notes FROM STDIN", then: [Companion("SELECT 1 / 0", "dividing")], "copying") {
          try $0.write(Array("1\n".utf8).rawSpan)
        }
      }
      #expect(error.operation == "dividing")
      let refused = try failure {
        _ = try connection.copyIn("COPY notes FROM STDIN", then: [Companion(Self.noting, "noting")], "copying") {
          try $0.write(Array("x\n".utf8).rawSpan)
        }
      }
      #expect(refused.operation == "copying" && refused.copyLine == 1)
      #expect(try connection.number("SELECT count(*) FROM notes") == 0)
      connection.expectUsable()
    }

    @Test func `a commit that follows a statement does not come when the statement fails`() async throws {
      let connection = try await Self.connection()
      let dividing = try connection.prepare("dividing", "SELECT 1 / $1", parameterTypes: [20], "dividing")
      for divisor in [0, 1] {
        try connection.beginWithNext("beginning")
        try connection.execute(Self.noting, "noting")
        let commit = Companion("COMMIT", "committing")
        if divisor == 0 {
          let error = try failure { _ = try connection.execute(dividing, [.bigint(divisor)], then: [commit]) }
          #expect(error.operation == "dividing")
          #expect(connection.isInTransaction)
          try connection.execute("ROLLBACK", "rolling back")
        } else {
          #expect(try connection.execute(dividing, [.bigint(divisor)], then: [commit]).integer(0, 0) == 1)
        }
        #expect(try connection.number("SELECT count(*) FROM notes") == divisor)
        connection.expectUsable()
      }
    }

    @Test func `where statements are sent singly the results are the same`() async throws {
      let connection = try await Self.connection()
      connection.sendsSingly = true
      let tripCount = connection.tripCount
      try connection.executeWithNext(Self.noting, "noting")
      #expect(connection.tripCount == tripCount + 1)
      let counts = try connection.copyIn(
        "COPY notes FROM STDIN",
        then: [Companion("DELETE FROM notes", "deleting")],
        "copying"
      ) { try $0.write(Array("2\n3\n".utf8).rawSpan) }
      #expect(counts == [2, 3])
      let one = try connection.prepareWithNext("one", "SELECT 1", "asking")
      #expect(try connection.execute(one, then: [Companion(Self.noting, "noting")]).integer(0, 0) == 1)
      #expect(try connection.number("SELECT count(*) FROM notes") == 1)
      connection.expectUsable()
    }

    @Test func `queries that are asked ahead take one trip, and each answer serves once`() async throws {
      let connection = try await Self.connection()
      let queries = (1...5).map { Query("SELECT $1 + count(*) FROM notes", [.bigint($0)], "counting") }
      let tripCount = connection.tripCount
      try connection.ask(ahead: queries)
      #expect(connection.tripCount == tripCount + 1)
      try connection.execute(Self.noting, "noting")
      for (index, query) in queries.enumerated() {
        #expect(try connection.query(query).integer(0, 0) == index + 1)
        #expect(try connection.query(query).integer(0, 0) == index + 2)
      }
      try connection.ask(ahead: queries)
      connection.forgetAnswers()
      try connection.execute("TRUNCATE notes", "emptying")
      #expect(try connection.query(queries[0]).integer(0, 0) == 1)
      connection.expectUsable()
    }

    @Test func `what the server refuses ahead is refused when it is wanted, and hinders no other`() async throws {
      let connection = try await Self.connection()
      let bad = Query("SELECT 1 / 0", "dividing")
      let good = Query("SELECT 1", "asking")
      try connection.ask(ahead: [bad, good])
      let tripCount = connection.tripCount
      #expect(try connection.query(good).integer(0, 0) == 1)
      #expect(connection.tripCount == tripCount)
      #expect(try failure { _ = try connection.query(bad) }.operation == "dividing")
      connection.expectUsable()
    }
  }
}
