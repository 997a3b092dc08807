import Libpq
import TestSupport
import Testing

extension LibpqTests {
  /// Names and values come back as they went in, and nothing in them is ever read as SQL.
  @Suite @DatabaseThread struct QuotingTests {
    static let awkward = [
      "plain", "Capitals", "with space", "select", "a\"b", "\"", "\"\"", "'", "''", "\\", "\\'", "a\\", "$1", "$$",
      "%s",
      "; DROP TABLE orders; --", "\"; DROP TABLE orders; --", "'; DROP TABLE orders; --", "/*", "*/", "--", "\n",
      "\r\n",
      "\t", "\u{1}", "größe", "gro\u{308}ße", "名前", "😀", "\u{FEFF}", "\u{202E}", "?", ":a", "E'", "U&\"\\0061\"",
      // A quote and a mark that combines with it are one Character of Swift and two of the server.
      "a\"\u{301}; DROP TABLE orders; --", "a'\u{301}; DROP TABLE orders; --", "\\\u{301}'", "\"\u{200D}\"",
      "\"\u{FE0F}",
    ]

    @Test func `awkward values come back as they went in`() async throws {
      let connection = try await Server.connect()
      for value in Self.awkward {
        let answer = try connection.query("SELECT \(Literal(value))", "echoing").text(0, 0)
        #expect(answer.map { Array($0.utf8) } == Array(value.utf8), "\(value.debugDescription)")
      }
      connection.expectUsable()
    }

    @Test(arguments: ["on", "off"])
    func `values mean the same whatever standard_conforming_strings says`(setting: String) async throws {
      let connection = try await Server.connect()
      try connection.execute("SET standard_conforming_strings = \(Literal(setting))", "setting")
      for value in Self.awkward {
        #expect(try connection.query("SELECT \(Literal(value))", "echoing").text(0, 0) == value)
      }
    }

    @Test func `awkward names become tables and columns of that name`() async throws {
      let connection = try await Server.connect()
      for name in Self.awkward {
        try connection.execute("BEGIN", "beginning")
        try connection.execute("CREATE SCHEMA \(Identifier(name))", "making a schema")
        let table = QualifiedName(schema: name, name: name)
        try connection.execute("CREATE TABLE \(table) (\(Identifier(name)) integer)", "making a table")
        try connection.execute("INSERT INTO \(table) (\(Identifier(name))) VALUES (1)", "inserting")
        let found = try connection.query(
          """
          SELECT n.nspname::text, c.relname::text, a.attname::text
          FROM pg_class AS c
          JOIN pg_namespace AS n ON n.oid = c.relnamespace
          JOIN pg_attribute AS a ON a.attrelid = c.oid
          WHERE c.oid = \(Literal(table.quoted))::regclass AND a.attnum = 1
          """,
          "reading the names"
        )
        for column in 0..<3 {
          #expect(found.bytes(0, column) == Array(name.utf8), "\(name.debugDescription)")
        }
        try connection.execute("ROLLBACK", "rolling back")
      }
      connection.expectUsable()
    }

    @Test func `random values come back as they went in`() async throws {
      let connection = try await Server.connect()
      var generator = SeededGenerator.forTest("quoted values")
      for _ in 0..<40 {
        let values = (0..<50).map { _ in Self.randomText(&generator, byteLimit: 80) }
        let rows = values.enumerated().map { "(\($0), \(Literal($1)))" as SQL }.joined(", ")
        let answer = try connection.query("SELECT v FROM (VALUES \(rows)) AS t (n, v) ORDER BY n", "echoing")
        guard values.indices.allSatisfy({ answer.bytes($0, 0) == Array(values[$0].utf8) }) else {
          Issue.record("not the same: \(values), seed \(generator.seed)")
          return
        }
      }
    }

    @Test func `random names become columns of that name, and nothing else happens`() async throws {
      let connection = try await Server.connect()
      var generator = SeededGenerator.forTest("quoted names")
      let tableCount = try connection.number("SELECT count(*) FROM pg_class")
      for _ in 0..<20 {
        var seen: Set<[UInt8]> = []
        let names = (0..<50).map { _ in Self.randomText(&generator, byteLimit: 63) }
          .filter { !$0.isEmpty && seen.insert(Array($0.utf8)).inserted }
        let columns = names.map { "\(Identifier($0)) integer" as SQL }.joined(", ")
        try connection.execute("CREATE TEMPORARY TABLE names (\(columns))", "making a table, seed \(generator.seed)")
        let found = try connection.query(
          "SELECT attname::text FROM pg_attribute WHERE attrelid = 'names'::regclass AND attnum > 0 ORDER BY attnum",
          "reading the names"
        )
        guard found.count == names.count, names.indices.allSatisfy({ found.bytes($0, 0) == Array(names[$0].utf8) })
        else {
          Issue.record("not the same: \(names), seed \(generator.seed)")
          return
        }
        try connection.execute("DROP TABLE names", "dropping the table")
      }
      #expect(try connection.number("SELECT count(*) FROM pg_class") == tableCount)
      connection.expectUsable()
    }

    @Test func `a NUL ends the statement inside the quotes, which the server refuses`() async throws {
      let connection = try await Server.connect()
      for sql in ["SELECT \(Literal("a\0b"))", "SELECT 1 AS \(Identifier("a\0b"))"] as [SQL] {
        let error = try failure { try connection.execute(sql, "asking") }
        #expect(error.sqlState == SQLState("42601"))
      }
      let error = try failure { _ = try connection.query("SELECT $1", [.text("a\0b")], "asking") }
      #expect(error.sqlState == SQLState("22021"))
      connection.expectUsable()
    }

    @Test func `an empty name is an error of the server's`() async throws {
      let connection = try await Server.connect()
      #expect(
        try failure { try connection.execute("SELECT 1 AS \(Identifier(""))", "asking") }.sqlState?.code == "42601"
      )
      connection.expectUsable()
    }

    @Test func `a negative number behind a minus is no comment`() async throws {
      let connection = try await Server.connect()
      #expect(try connection.number("SELECT 10-\(-3)") == 13)
      #expect(try connection.number("SELECT -\(Int.min + 1)") == .max)
      #expect(try connection.number("SELECT \(UInt32.max)::bigint") == Int(UInt32.max))
      try connection.execute("SET seed = \(-1)", "setting")
      connection.expectUsable()
    }

    /// Text of pieces that mean something to a lexer, an encoding, or Swift's Character.
    private static func randomText(_ generator: inout SeededGenerator, byteLimit: Int) -> String {
      let pieces = [
        "\"", "'", "\\", "\"\"", "''", ";", "--", "/*", "*/", "$", "$$", "$1", "E", "U&", "x", "A", " ", "\n", "\r",
        "\r\n",
        "\u{301}", "\u{308}", "\u{200D}", "\u{FE0F}", "\u{1F1E6}", "é", "😀", "\u{7F}", "\u{FFFD}", "\u{10FFFF}", "0",
        ".",
        ",", ")", "(", "u0027", "000", "|",
      ]
      var text = ""
      for _ in 0..<generator.below(20) {
        let piece = pieces[generator.below(pieces.count)]
        if text.utf8.count + piece.utf8.count <= byteLimit { text.unicodeScalars += piece.unicodeScalars }
      }
      return text
    }
  }
}
