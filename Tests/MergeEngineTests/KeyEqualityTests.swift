import TestSupport
import Testing

/// Keys that are equal without being the same bytes, and types of keys that need a detour.
@Suite struct KeyEqualityTests {
  struct Spelling: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var setup = ""
    let type: String
    let one: String
    let other: String

    /// Does what the type needs; false where the server can't.
    func prepare(_ database: TestDatabase) throws -> Bool {
      try database.run(setup)
      return try !type.contains("caseless") || database.makeCaseless()
    }
  }

  static let spellings = [
    Spelling(
      testDescription: "uuid",
      type: "uuid",
      one: "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
      other: "'{A0EEBC999C0B4EF8BB6D6BB9BD380A11}'"
    ),
    Spelling(
      testDescription: "timestamptz",
      type: "timestamptz",
      one: "'2025-03-30 01:30:00.123456+00'",
      other: "'2025-03-30 07:00:00.123456+05:30'"
    ),
    Spelling(testDescription: "numeric without scale", type: "numeric", one: "1.0", other: "1.00"),
    Spelling(testDescription: "bpchar without length", type: "bpchar", one: "'a'", other: "'a  '"),
    Spelling(testDescription: "float8", type: "float8", one: "0", other: "'-0'"),
    Spelling(testDescription: "float4", type: "float4", one: "'-0'", other: "0"),
    Spelling(testDescription: "interval", type: "interval", one: "'1 month'", other: "'30 days'"),
    Spelling(testDescription: "jsonb", type: "jsonb", one: "'{\"a\": 1.0}'", other: "'{\"a\": 1.00}'"),
    Spelling(testDescription: "numeric[]", type: "numeric[]", one: "'{1.0,NULL}'", other: "'{1.00,NULL}'"),
    Spelling(
      testDescription: "citext",
      setup: "CREATE EXTENSION citext;",
      type: "citext",
      one: "'Straße A'",
      other: "'sTRAßE a'"
    ),
    Spelling(
      testDescription: "non-deterministic collation",
      type: "text COLLATE public.caseless",
      one: "'abc'",
      other: "'ABC'"
    ),
    Spelling(
      testDescription: "domain over citext",
      setup: "CREATE EXTENSION citext; CREATE DOMAIN code AS citext CHECK (value <> '');",
      type: "code",
      one: "'x'",
      other: "'X'"
    ),
    Spelling(
      testDescription: "numeric range",
      type: "numrange",
      one: "'[1.0,2)'",
      other: "'[1.00,2.0)'"
    ),
  ]

  @Test func `plan takes keys for one that production takes for one, whatever staging makes of them`() async throws {
    try await TestDatabase.with { database in
      guard try database.makeCaseless() else { return }
      try database.makePair(
        production: "k text COLLATE public.caseless PRIMARY KEY, updated_at int",
        staging: "k text, updated_at int"
      )
      try database.run(
        """
        INSERT INTO staging.t SELECT 'key' || n, 1 FROM generate_series(1, 30) AS n;
        INSERT INTO staging.t SELECT 'KEY' || n, 1 + n % 2 FROM generate_series(1, 30) AS n;
        """
      )
      let planned = try await database.plan { $0.batchRows = 10 }.tables[0].counts
      // Of two workers one may be ahead of the other, and the newer row of a key then comes first.
      let merged = try await database.merge {
        $0.batchRows = 10
        $0.workers = 1
      }.totals
      #expect(planned.inserted == merged.inserted && merged.inserted == 30)
      #expect(planned.updated == merged.updated, "\(planned) \(merged)")
    }
  }

  @Test(arguments: spellings)
  func `a staging key finds the production key that is spelled differently`(_ spelling: Spelling) async throws {
    try await TestDatabase.with { database in
      guard try spelling.prepare(database) else { return }
      let columns = "k \(spelling.type), updated_at int, payload text"
      try database.makePair(production: columns + ", PRIMARY KEY (k)", staging: columns)
      try database.run("INSERT INTO production.t VALUES (\(spelling.one), 1, 'production')")
      try database.run("INSERT INTO staging.t VALUES (\(spelling.other), 2, 'staging')")
      let report = try await database.merge()
      #expect(report.status == .success)
      #expect(report.totals.updated == 1)
      #expect(try database.rows("SELECT updated_at, payload FROM production.t") == ["(2,staging)"])
    }
  }

  @Test(arguments: spellings, [1, 1000])
  func `of two spellings of a new key the newer row is inserted`(_ spelling: Spelling, _ batch: Int) async throws {
    try await TestDatabase.with { database in
      guard try spelling.prepare(database) else { return }
      let columns = "k \(spelling.type), updated_at int, payload text"
      try database.makePair(production: columns + ", PRIMARY KEY (k)", staging: columns)
      try database.run(
        """
        INSERT INTO staging.t VALUES
          (\(spelling.one), 2, repeat('x', 500)), (\(spelling.other), 3, 'newest'), (\(spelling.one), 1, 'oldest')
        """
      )
      let report = try await database.merge { $0.batchRows = batch }
      #expect(report.status == .success)
      if batch > 1 {
        #expect(report.totals.inserted == 1)
        #expect(report.totals.duplicate == 2)
      }
      #expect(try database.rows("SELECT updated_at, payload FROM production.t") == ["(3,newest)"])
    }
  }

  static let detours = [
    Spelling(testDescription: "int[]", type: "int[]", one: "'{1,2}'", other: "'{}'"),
    Spelling(
      testDescription: "two-dimensional text[]",
      type: "text[]",
      one: "'{{a,b},{c,d}}'",
      other: "'{\"{\",\"\"}'"
    ),
    Spelling(
      testDescription: "domain",
      setup: "CREATE DOMAIN key AS int CHECK (value > 0);",
      type: "key",
      one: "1",
      other: "2"
    ),
    Spelling(
      testDescription: "domain over array",
      setup: "CREATE DOMAIN keys AS int[];",
      type: "keys",
      one: "'{1}'",
      other: "'{2}'"
    ),
    Spelling(
      testDescription: "enum",
      setup: "CREATE TYPE mood AS ENUM ('sad', 'so so', 'happy');",
      type: "mood",
      one: "'happy'",
      other: "'so so'"
    ),
    Spelling(
      testDescription: "composite type",
      setup: "CREATE TYPE pair AS (a int, b text);",
      type: "pair",
      one: "'(1,a)'",
      other: "'(1,\"b, c\")'"
    ),
    Spelling(
      testDescription: "a type without binary form",
      setup: "CREATE EXTENSION isn;",
      type: "isbn13",
      one: "'978-0-393-04002-9'",
      other: "'978-0-11-000222-4'"
    ),
    Spelling(testDescription: "oid", type: "oid", one: "1", other: "4294967295"),
    Spelling(testDescription: "\"char\"", type: "\"char\"", one: "'a'", other: "'b'"),
    Spelling(testDescription: "name", type: "name", one: "'a'", other: "'Ä'"),
    Spelling(testDescription: "bit varying", type: "varbit", one: "B'0'", other: "B'00'"),
    Spelling(testDescription: "inet", type: "inet", one: "'10.0.0.1'", other: "'10.0.0.1/8'"),
    Spelling(testDescription: "macaddr", type: "macaddr", one: "'08:00:2b:01:02:03'", other: "'08:00:2b:01:02:04'"),
    Spelling(testDescription: "time with zone", type: "timetz", one: "'10:00+01'", other: "'09:00+00'"),
    Spelling(testDescription: "money", type: "money", one: "'1.00'", other: "'-1.00'"),
    Spelling(testDescription: "range", type: "int4range", one: "'[1,2]'", other: "'empty'"),
    Spelling(testDescription: "multirange", type: "int4multirange", one: "'{[1,2],[5,6]}'", other: "'{}'"),
    Spelling(testDescription: "empty text", type: "text", one: "''", other: "' '"),
    Spelling(testDescription: "long text", type: "text", one: "repeat('a', 2000)", other: "repeat('a', 1999) || 'b'"),
    Spelling(testDescription: "tsvector", type: "tsvector", one: "'a:1 b:2'", other: "'a:1'"),
  ]

  @Test(arguments: detours)
  func `a key of this type is found, and told from its neighbour`(_ key: Spelling) async throws {
    try await TestDatabase.with { database in
      try database.run(key.setup)
      let columns = "part int, k \(key.type), updated_at int, payload text"
      try database.makePair(production: columns + ", PRIMARY KEY (part, k)", staging: columns)
      try database.run("INSERT INTO production.t VALUES (7, \(key.one), 1, 'p'), (8, \(key.other), 1, 'p')")
      try database.run(
        """
        INSERT INTO staging.t VALUES
          (7, \(key.other), 2, 's'), (7, \(key.one), 2, 's'), (8, \(key.other), 0, 's'), (7, \(key.one), 1, 's')
        """
      )
      let report = try await database.merge()
      #expect(report.status == .success, "\(report.failures)")
      #expect(report.totals.inserted == 1)
      #expect(report.totals.updated == 1)
      #expect(report.totals.stale == 1)
      #expect(report.totals.duplicate == 1)
      #expect(
        try database.rows(
          "SELECT part, (k = \(key.one)::\(key.type))::int, updated_at, payload FROM production.t ORDER BY 1, 2"
        )
          == ["(7,0,2,s)", "(7,1,2,s)", "(8,0,1,p)"]
      )
    }
  }

  @Test(arguments: ["int", "numeric"])
  func `rows without a key are refused, each of them`(_ type: String) async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "a \(type), b \(type), updated_at int, PRIMARY KEY (a, b)",
        staging: "a \(type), b \(type), updated_at int"
      )
      try database.run("INSERT INTO staging.t VALUES (1, NULL, 1), (1, NULL, 1), (NULL, NULL, 2), (1, 1, 1)")
      let report = try await database.merge()
      #expect(report.status == .partial)
      #expect(report.totals.inserted == 1)
      #expect(report.totals.errors == 3)
      #expect(try database.rows("SELECT DISTINCT sqlstate FROM admin.merge_errors") == ["(23502)"])
    }
  }
}
