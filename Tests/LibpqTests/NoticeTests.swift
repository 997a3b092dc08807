import Libpq
import Testing

extension LibpqTests {
  @Suite @DatabaseThread struct NoticeTests {
    @Test func `notices reach the receiver, with severity, message and SQLSTATE`() async throws {
      var notices: [Notice] = []
      let connection = try await Server.connect { notices.append($0) }
      try connection.execute(
        """
        DO $$ BEGIN
          RAISE NOTICE 'one';
          RAISE WARNING 'two: größe' USING ERRCODE = '01004';
          RAISE INFO 'three';
        END $$
        """,
        "raising"
      )
      #expect(notices.map(\.message) == ["one", "two: größe", "three"])
      #expect(notices.map(\.severity) == ["NOTICE", "WARNING", "INFO"])
      #expect(notices.map { "\($0.sqlState)" } == ["00000", "01004", "00000"])
    }

    @Test func `notices come with queries, prepared statements and COPY too`() async throws {
      var messages: [String] = []
      let connection = try await Server.connect { messages.append($0.message) }
      try connection.execute(
        """
        CREATE FUNCTION pg_temp.say(n integer) RETURNS integer LANGUAGE plpgsql
        AS $$ BEGIN RAISE NOTICE 'say %', n; RETURN n; END $$
        """,
        "making a function"
      )
      _ = try connection.query("SELECT pg_temp.say(1)", "asking")
      _ = try connection.execute(connection.prepare("say", "SELECT pg_temp.say(2)", "asking"))
      try connection.copyOut("COPY (SELECT pg_temp.say(3)) TO STDOUT", "reading") { _ in }
      #expect(messages == ["say 1", "say 2", "say 3"])
      connection.expectUsable()
    }

    @Test func `a thousand notices before an error are all there, and the error is`() async throws {
      var count = 0
      let connection = try await Server.connect { _ in count += 1 }
      let error = try failure {
        try connection.execute(
          "DO $$ BEGIN FOR n IN 1..1000 LOOP RAISE NOTICE '%', n; END LOOP; RAISE EXCEPTION 'done'; END $$",
          "raising"
        )
      }
      #expect(count == 1_000)
      #expect(error.message == "done" && error.sqlState == SQLState("P0001"))
      connection.expectUsable()
    }
  }
}
