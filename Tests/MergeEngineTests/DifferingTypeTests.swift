import MergeEngine
import TestSupport
import Testing

/// Staging columns of other types than production's: cast as storing would cast them, and refused, never cut.
@Suite struct DifferingTypeTests {
  struct Cast: Sendable, CustomTestStringConvertible {
    let staging: String
    let production: String
    let value: String
    /// The text that production holds afterwards, or the SQLSTATE of the refusal.
    let outcome: Result<String, Refusal>

    struct Refusal: Error {
      let sqlState: String
    }

    var testDescription: String { "\(staging) \(value) to \(production)" }

    init(_ staging: String, _ production: String, _ value: String, becomes text: String) {
      (self.staging, self.production, self.value) = (staging, production, value)
      outcome = .success(text)
    }

    init(_ staging: String, _ production: String, _ value: String, refused sqlState: String) {
      (self.staging, self.production, self.value) = (staging, production, value)
      outcome = .failure(Refusal(sqlState: sqlState))
    }
  }

  static let casts = [
    Cast("varchar(10)", "text", "'abc'", becomes: "abc"),
    Cast("text", "varchar(3)", "'abc'", becomes: "abc"),
    Cast("text", "varchar(3)", "'abcd'", refused: "22001"),
    Cast("text", "varchar(3)", "'abc  '", becomes: "abc"),
    Cast("varchar(10)", "varchar(3)", "'abcd'", refused: "22001"),
    Cast("text", "char(3)", "'ab'", becomes: "ab"),
    Cast("text", "char(3)", "'abcd'", refused: "22001"),
    Cast("char(10)", "varchar(3)", "'abc'", becomes: "abc"),
    Cast("char(10)", "char(3)", "'abc'", becomes: "abc"),
    Cast("char(10)", "char(3)", "'abcd'", refused: "22001"),
    Cast("varchar", "bit(3)", "'101'", becomes: "101"),
    Cast("bit varying", "bit(3)", "B'1010'", refused: "22026"),
    Cast("bit(4)", "bit varying(3)", "B'1010'", refused: "22001"),
    Cast("text[]", "varchar(3)[]", "'{abc}'", becomes: "{abc}"),
    Cast("text[]", "varchar(3)[]", "'{abc,abcd}'", refused: "22001"),
    Cast("varchar(10)[]", "varchar(3)[]", "'{abcd}'", refused: "22001"),
    Cast("char(10)[]", "char(3)[]", "'{abcd}'", refused: "22001"),
    Cast("bit varying[]", "bit(3)[]", "'{1010}'", refused: "22026"),
    // The lengths are those of domains, of which the arrays are.
    Cast("text[]", "short[]", "'{abc,\"ab  \"}'", becomes: "{abc,\"ab \"}"),
    Cast("text[]", "short[]", "'{abcd}'", refused: "22001"),
    Cast("varchar(10)[]", "shorter[]", "'{abc}'", becomes: "{abc}"),
    Cast("varchar(10)[]", "shorter[]", "'{abcd}'", refused: "22001"),
    Cast("int[]", "short[]", "'{123,NULL}'", becomes: "{123,NULL}"),
    Cast("int[]", "short[]", "'{1234}'", refused: "22001"),
    Cast("text[]", "shorts", "'{{abc},{abcd}}'", refused: "22001"),
    Cast("text", "short[]", "'{abcd}'", refused: "22001"),
    Cast("bit varying[]", "flags[]", "'{10}'", becomes: "{10}"),
    Cast("bit varying[]", "flags[]", "'{1}'", refused: "22026"),
    // As their own cast writes them, and not as their type does.
    Cast("boolean[]", "word[]", "'{t,f}'", becomes: "{true,false}"),
    Cast("boolean[]", "short[]", "'{t}'", refused: "22001"),
    Cast("char(3)[]", "short[]", "'{a}'", becomes: "{a}"),
    Cast("inet[]", "address[]", "'{10.0.0.1}'", becomes: "{10.0.0.1/32}"),
    Cast("text", "regclass", "''", refused: "42602"),
    Cast("numeric[]", "amount[]", "'{1.005}'", becomes: "{1.01}"),
    Cast("numeric", "int", "7", becomes: "7"),
    Cast("numeric", "int", "3000000000", refused: "22003"),
    Cast("int", "numeric(10,2)", "7", becomes: "7.00"),
    Cast("numeric", "numeric(4,2)", "1.005", becomes: "1.01"),
    Cast("numeric", "numeric(4,2)", "100", refused: "22003"),
    Cast("bigint", "smallint", "40000", refused: "22003"),
    Cast("float8", "numeric(6,3)", "1.0625", becomes: "1.063"),
    Cast("text", "int", "' 7 '", becomes: "7"),
    Cast("text", "int", "'seven'", refused: "22P02"),
    Cast("text", "date", "'2025-01-31'", becomes: "2025-01-31"),
    Cast("text", "date", "'2025-02-31'", refused: "22008"),
    Cast("timestamp", "date", "'2025-01-31 23:59:59'", becomes: "2025-01-31"),
    Cast("date", "timestamp", "'2025-01-31'", becomes: "2025-01-31 00:00:00"),
    Cast("timestamp", "timestamp(0)", "'2025-01-31 23:59:59.5'", becomes: "2025-02-01 00:00:00"),
    Cast("timestamp", "timestamptz", "'2025-01-31 12:00'", becomes: "2025-01-31 11:00:00+00"),
    Cast("timestamptz", "timestamp", "'2025-01-31 12:00+00'", becomes: "2025-01-31 13:00:00"),
    Cast("timestamp", "timestamptz", "'infinity'", becomes: "infinity"),
    Cast("int", "bool", "2", becomes: "true"),
    Cast("text", "bool", "'maybe'", refused: "22P02"),
    Cast("text", "mood", "'happy'", becomes: "happy"),
    Cast("varchar(20)", "mood", "'angry'", refused: "22P02"),
    Cast("text", "jsonb", "'{\"a\":1}'", becomes: "{\"a\": 1}"),
    Cast("text", "jsonb", "'{'", refused: "22P02"),
    Cast("json", "jsonb", "'\"\\u0000\"'", refused: "22P05"),
    Cast("text", "uuid", "'not one'", refused: "22P02"),
    Cast("text", "xml", "'<a>'", refused: "2200N"),
    Cast("int", "positive", "0", refused: "23514"),
    Cast("text", "positive", "'5'", becomes: "5"),
    Cast("text", "bytea", "'\\x00'", becomes: "\\x00"),
    Cast("text", "int[]", "'{1,2}'", becomes: "{1,2}"),
    Cast("text", "interval hour to minute", "'12:34:56'", becomes: "12:34:00"),
  ]

  @Test(arguments: [true, false])
  func `a value is cast as storing casts it, or its row is refused`(isNew: Bool) async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE TYPE mood AS ENUM ('happy'); CREATE DOMAIN positive AS int CHECK (value > 0);
        CREATE DOMAIN short AS varchar(3); CREATE DOMAIN shorter AS short; CREATE DOMAIN shorts AS short[]; CREATE DOMAIN flags AS bit(2);
        CREATE DOMAIN amount AS numeric(4, 2); CREATE DOMAIN word AS varchar(5); CREATE DOMAIN address AS varchar(60);
        """
      )
      let hasXML = try database.hasXML()
      let casts = Self.casts.filter { hasXML || $0.production != "xml" }
      for (number, cast) in casts.enumerated() {
        try database.makePair(
          "t\(number)",
          production: "k int PRIMARY KEY, updated_at int, v \(cast.production)",
          staging: "k int, updated_at int, v \(cast.staging)"
        )
        // Neighbours in the same batch are none the worse.
        try database.run("INSERT INTO staging.t\(number) VALUES (1, 2, NULL), (2, 2, \(cast.value)), (3, 2, NULL)")
        if !isNew { try database.run("INSERT INTO production.t\(number) VALUES (1, 1), (2, 1), (3, 1)") }
      }
      let report = try await database.merge { $0.timeZone = "Europe/Berlin" }
      #expect(report.failures == [])
      for (number, cast) in casts.enumerated() {
        let errors = try database.rows(
          "SELECT sqlstate, row_key FROM admin.merge_errors WHERE table_name = 't\(number)'"
        )
        let marks = try database.rows("SELECT _dms_processing_status FROM staging.t\(number) ORDER BY k")
        #expect(
          try database.count("SELECT count(*) FROM production.t\(number) WHERE k IN (1, 3) AND updated_at = 2") == 2
        )
        switch cast.outcome {
        case .success(let text):
          #expect(errors == [], "\(cast.testDescription)")
          #expect(
            try database.value("SELECT v FROM production.t\(number) WHERE k = 2") == text,
            "\(cast.testDescription)"
          )
          #expect(marks == ["(PROCESSED)", "(PROCESSED)", "(PROCESSED)"])
        case .failure(let refusal):
          #expect(errors == ["(\(refusal.sqlState),\"{\"\"k\"\": 2}\")"], "\(cast.testDescription)")
          #expect(
            try database.count("SELECT count(*) FROM production.t\(number) WHERE k = 2 AND updated_at = 2") == 0,
            "\(cast.testDescription)"
          )
          #expect(marks == ["(PROCESSED)", "(ERROR)", "(PROCESSED)"], "\(cast.testDescription)")
        }
      }
    }
  }

  @Test func `types without a cast block the merge before anything is written`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "k int PRIMARY KEY, updated_at int, v point",
        staging: "k int, updated_at int, v int"
      )
      try database.run("INSERT INTO staging.t VALUES (1, 1, 1)")
      await #expect(throws: MergeFailure.self) { try await database.merge() }
      #expect(try database.count("SELECT count(*) FROM production.t") == 0)
      #expect(try database.value("SELECT to_regnamespace('admin')") == nil)
    }
  }

  @Test func `versions are compared as they will be stored`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "k int PRIMARY KEY, updated_at date, v text",
        staging: "k int, updated_at timestamp, v text"
      )
      try database.run(
        """
        INSERT INTO production.t VALUES (1, '2025-01-01', 'p'), (2, '2025-01-01', 'p');
        INSERT INTO staging.t VALUES (1, '2025-01-01 12:00', 's'), (2, '2025-01-02 00:00', 's');
        """
      )
      let report = try await database.merge()
      #expect(report.totals.unchanged == 1)
      #expect(report.totals.updated == 1)
      let second = try await database.merge { $0.mark = .none }
      #expect(second.totals.read == 0)
    }
  }

  /// The database's zone is another one than the merge's, so that a zone which is not seen makes another time.
  @Test(arguments: [
    ("Wed Jan 01 10:00:00 2025 PST", "2025-01-01 18:00:00"), ("2025-01-01+02:00", "2024-12-31 22:00:00"),
    ("2025-01-01 +02", "2024-12-31 22:00:00"), ("2025-01-01 PST", "2025-01-01 08:00:00"),
    ("2025-01-01 10:00:00 AD +02", "2025-01-01 08:00:00"), ("20250101T100000Z", "2025-01-01 10:00:00"),
    ("20250101 -03", "2025-01-01 03:00:00"), ("2025-01-01T10:00:00.5-08:00", "2025-01-01 18:00:00.5"),
    ("2025-01-01 10:00 Europe/Berlin", "2025-01-01 09:00:00"),
    ("Jan 1, 2025 10:00 PM America/New_York", "2025-01-02 03:00:00"),
    ("1 January 2025 10:00:00 utc", "2025-01-01 10:00:00"), ("J2460677+02", "2024-12-31 22:00:00"),
    ("epoch", "1970-01-01 00:00:00"),
    // Without a zone: Tokyo's.
    ("2025-01-01 10:00:00", "2025-01-01 01:00:00"), ("01-Jan-2025 10:00:00", "2025-01-01 01:00:00"),
    ("01-JAN-25 10:00:00 AM", "2025-01-01 01:00:00"), ("2025-01-01", "2024-12-31 15:00:00"),
    ("20250101T100000", "2025-01-01 01:00:00"),
    ("Wed Jan 01 10:00:00 2025", "2025-01-01 01:00:00"), ("2025-01-01T10:00", "2025-01-01 01:00:00"),
    ("Oct10-2025", "2025-10-09 15:00:00"), ("January 1, 2025", "2024-12-31 15:00:00"),
    ("J2460677", "2024-12-31 15:00:00"),
    ("2025-01-01 10:00:00 AD", "2025-01-01 01:00:00"),
  ])
  func `a text is read by the zone that it names, wherever that stands`(_ text: String, _ utc: String) async throws {
    try await TestDatabase.with { database in
      try database.run("ALTER DATABASE \(database.name) SET timezone = 'America/New_York'")
      try database.makePair(
        production: "id text PRIMARY KEY, updated_at timestamptz",
        staging: "id text, updated_at text"
      )
      try database.run("INSERT INTO staging.t VALUES ('k', '\(text)')")
      #expect(try await database.merge { $0.timeZone = "Asia/Tokyo" }.totals.inserted == 1)
      #expect(try database.rows("SELECT updated_at AT TIME ZONE 'UTC' FROM production.t") == ["(\"\(utc)\")"])
    }
  }

  @Test func `arrays of times cross zones as lists, and other shapes are refused`() async throws {
    try await TestDatabase.with { database in
      try database.run("ALTER DATABASE \(database.name) SET timezone = 'America/New_York'")
      try database.makePair(
        production: "id int PRIMARY KEY, a timestamptz[], d timestamptz[], updated_at int",
        staging: "id int, a timestamp[], d date[], updated_at int"
      )
      try database.run(
        """
        INSERT INTO staging.t VALUES (1, '{2025-01-01 10:00,NULL}', '{2025-01-01}', 1), (2, '{}', NULL, 1),
          (3, '{{2025-01-01,2025-01-02},{2025-01-03,2025-01-04}}', NULL, 1), (4, '[5:6]={2025-01-01,2025-01-02}', NULL, 1)
        """
      )
      let report = try await database.merge { $0.timeZone = "Asia/Tokyo" }
      #expect(report.totals.inserted == 2 && report.totals.errors == 2)
      #expect(
        try database.rows(
          "SELECT id, a = '{2025-01-01 01:00Z,NULL}', d = '{2024-12-31 15:00Z}', cardinality(a) FROM production.t ORDER BY id"
        )
          == ["(1,t,t,2)", "(2,f,,0)"]
      )
      #expect(
        try database.rows("SELECT DISTINCT message ~ '^the array .* would lose its dimensions' FROM admin.merge_errors")
          == ["(t)"]
      )
    }
  }

  @Test func `where only the server's own cast can decide the zone, plan and merge say so`() async throws {
    try await TestDatabase.with { database in
      try database.run("ALTER DATABASE \(database.name) SET timezone = 'America/New_York'")
      try database.makePair(
        production: "id int PRIMARY KEY, x timetz, r tstzrange, updated_at int",
        staging: "id int, x time, r text, updated_at int"
      )
      try database.run("INSERT INTO staging.t VALUES (1, '10:00', NULL, 1)")
      for command in ["plan", "merge"] {
        let outcome = try await database.call(command, "--time-zone", "Asia/Tokyo", "--json")
        let messages = try outcome.json()["findings"].elements.compactMap { $0["message"].text }
        #expect(
          messages.contains { $0.hasPrefix("columns x, r: the server's own cast decides") },
          "\(command): \(messages)"
        )
      }
    }
  }

  @Test func `a boolean key from Oracle's number, and bits from an integer`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "id int, b boolean, bits bit(8), updated_at int, PRIMARY KEY (id, b)",
        staging: "id int, b numeric(38, 10), bits int, updated_at int"
      )
      try database.run("INSERT INTO staging.t VALUES (1, 1, 5, 1), (1, 0, 255, 1), (2, 2, 1, 1)")
      let report = try await database.merge()
      #expect(report.totals.inserted == 2 && report.totals.errors == 1)
      #expect(
        try database.rows("SELECT id, b, bits FROM production.t ORDER BY b") == ["(1,f,11111111)", "(1,t,00000101)"]
      )
      #expect(try database.rows("SELECT message FROM admin.merge_errors").first?.contains("would become true") == true)
    }
  }
}
