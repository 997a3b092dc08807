import TestSupport
import Testing

/// What the last lines of merge and verify say is what happened.
@Suite struct EndLineTests {
  @Test func `a row that a trigger swallows is not called overtaken by CDC`() async throws {
    try await TestDatabase.with { database in
      let columns = "k int PRIMARY KEY, a text, updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run(
        """
        INSERT INTO staging.t SELECT n, 's', 1 FROM generate_series(1, 10) n;
        CREATE FUNCTION production.swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER swallow BEFORE INSERT ON production.t FOR EACH ROW WHEN (NEW.k = 3) EXECUTE FUNCTION production.swallow()
        """
      )
      let outcome = try await database.call("merge")
      let words = outcome.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
      #expect(
        words.contains(
          "1 of the stale rows was sent to the server and is not there as sent: production had a newer row by then, or a trigger "
            + "swallowed or changed it."
        ),
        "\(outcome.transcript)"
      )
      #expect(!words.contains("overtaken"))
    }
  }

  @Test func `verify's last line counts the rows that its table shows as compared, and the others are told`()
    async throws
  {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "k int PRIMARY KEY, a text, updated_at int",
        staging: "k int, a text, updated_at int"
      )
      try database.run(
        """
        INSERT INTO staging.t SELECT n, 's', 2 FROM generate_series(1, 10) n;
        INSERT INTO staging.t SELECT n, 'older', 1 FROM generate_series(1, 3) n
        """
      )
      #expect(try await database.call("merge", "--quiet").status == 0)
      let outcome = try await database.call("verify", "--recheck-after", "0")
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(outcome.output.contains("10 staging rows compared at "), "\(outcome.output)")
      #expect(outcome.output.contains("not compared: 3 older than another row of the same key."), "\(outcome.output)")
    }
  }
}
