import MergeEngine
import TestSupport
import Testing

/// A key that the cast to production's type would change never becomes another row's key.
@Suite struct KeyCastTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String { "\(staging) to \(production)" }
    let staging: String
    let production: String
    /// Keys of staging that stay what they are, and keys that don't, as SQL.
    let kept: [String]
    let changed: [String]
  }

  @Test(arguments: [
    Case(
      staging: "float8",
      production: "bigint",
      kept: ["1", "9007199254740991", "-9007199254740991"],
      changed: ["9007199254740993", "1.5"]
    ),
    Case(staging: "real", production: "integer", kept: ["5"], changed: ["16777217", "0.5"]),
    Case(
      staging: "float8",
      production: "numeric",
      kept: ["5", "0.25", "'NaN'", "'Infinity'", "'-Infinity'"],
      changed: ["9007199254740993"]
    ),
    Case(staging: "numeric", production: "bigint", kept: ["7", "8.0"], changed: ["1.5"]),
    Case(staging: "numeric", production: "numeric(10,2)", kept: ["1.5", "1.250"], changed: ["1.555"]),
    Case(staging: "text", production: "integer", kept: ["'42'", "' 7'", "'008'"], changed: []),
    Case(
      staging: "text",
      production: "date",
      kept: ["'2025-01-01'", "'5874897-12-31'"],
      changed: ["'2025-01-02 12:00'"]
    ),
    Case(
      staging: "text",
      production: "float8",
      kept: ["'1.5'", "'0.30000000000000004'"],
      changed: ["'9007199254740993'"]
    ),
    Case(staging: "text", production: "numeric(6,1)", kept: ["'1.5'"], changed: ["'1.55'"]),
    Case(
      staging: "text",
      production: "uuid",
      kept: ["'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "'{a0eebc999c0b4ef8bb6d6bb9bd380a12}'"],
      changed: []
    ),
    // Nothing has room for what is less than a microsecond.
    Case(
      staging: "text",
      production: "timestamp",
      kept: ["'2025-01-03 00:00:00.123456'", "'2025-01-02 00:00:00.1234500'"],
      changed: ["'2025-01-01 00:00:00.1234561'"]
    ),
    Case(staging: "text", production: "time", kept: ["'11:00'"], changed: ["'10:00:00.0000001'"]),
    Case(
      staging: "text",
      production: "timestamptz(0)",
      kept: ["'2025-01-01 11:00'", "'2025-01-01 11:00:01+02'"],
      changed: ["'2025-01-01 12:00:00.4'", "'2025-01-01 13:00:00.00000001'"]
    ),
    Case(
      staging: "text",
      production: "daterange",
      kept: ["'[2025-01-01,2025-02-01)'"],
      changed: ["'[2025-03-01 12:00,2025-04-01)'"]
    ),
    // Blanks behind the limit are no error of the assignment.
    Case(staging: "varchar(10)", production: "varchar(4)", kept: ["'abcd'", "'abc '", "'abc'"], changed: ["'efgh  '"]),
    Case(staging: "text", production: "varchar(4)", kept: ["'abcd'"], changed: ["'efgh  '"]),
    Case(staging: "name", production: "varchar(4)", kept: ["'abcd'"], changed: ["'efgh  '"]),
    Case(staging: "integer", production: "varchar(4)", kept: ["1234"], changed: []),
    Case(staging: "text[]", production: "varchar(4)[]", kept: ["'{abcd}'"], changed: ["'{\"efgh  \"}'"]),
    Case(staging: "varchar(10)[]", production: "varchar(4)[]", kept: ["'{abcd}'"], changed: ["'{\"efgh  \"}'"]),
    Case(staging: "text", production: "char(4)", kept: ["'abcd  '", "'abc '"], changed: []),
    Case(staging: "timestamp", production: "date", kept: ["'2025-01-01'"], changed: ["'2025-01-02 12:00'"]),
    Case(
      staging: "timestamp",
      production: "timestamp(0)",
      kept: ["'2025-01-01'"],
      changed: ["'2025-01-02 12:00:00.4'"]
    ),
    Case(staging: "timestamp", production: "timestamptz", kept: ["'2025-01-01 02:30'"], changed: []),
    Case(staging: "timestamptz", production: "date", kept: ["'2025-01-01 00:00+0'"], changed: ["'2025-01-02 12:00+0'"]),
    Case(staging: "timestamp", production: "time", kept: [], changed: ["'2025-01-02 12:00'"]),
    Case(staging: "integer", production: "boolean", kept: ["1", "0"], changed: []),
    // What 5 would become is true, which only 1 may.
    Case(staging: "integer", production: "boolean", kept: ["0"], changed: ["5"]),
    Case(staging: "bigint", production: "text", kept: ["7"], changed: []),
  ])
  func `keys stay what they are, or refuse their rows`(_ case: Case) async throws {
    try await TestDatabase.with { database async throws in
      try database.makePair(
        production: "k \(`case`.production) PRIMARY KEY, note text, updated_at int",
        staging: "k \(`case`.staging), note text, updated_at int"
      )
      for key in `case`.kept { try database.run("INSERT INTO staging.t VALUES (\(key), 'kept', 2)") }
      for key in `case`.changed {
        // What it would become is there already, and older.
        try database.run(
          """
          INSERT INTO production.t VALUES (\(key)::\(`case`.staging)::\(`case`.production), 'other', 1);
          INSERT INTO staging.t VALUES (\(key), 'changed', 2);
          """
        )
      }
      let plan = try await database.plan()
      let merge = try await database.merge()
      #expect(merge.totals.inserted == `case`.kept.count)
      #expect(merge.totals.errors == `case`.changed.count)
      #expect(merge.totals.updated == 0)
      #expect(plan.totals.errors == merge.totals.errors && plan.totals.inserted == merge.totals.inserted)
      #expect(try database.count("SELECT count(*) FROM production.t WHERE note = 'changed'") == 0)
      #expect(
        try database.count("SELECT count(*) FROM admin.merge_errors WHERE message LIKE 'the key k % would become %'")
          == `case`.changed.count
      )
      let finding = plan.findings.contains { $0.message.contains("with a key k that the cast to") }
      #expect(finding == !`case`.changed.isEmpty)
    }
  }

  /// A cast that somebody has made may make anything of a key.
  @Test(arguments: [
    ("kind", "text", "CAST (kind AS text) WITH FUNCTION low(kind)", "'a'", "'A'"),
    ("numeric", "text", "CAST (numeric AS text) WITH FUNCTION whole(numeric)", "1", "1.25"),
    ("text", "int", "CAST (text AS int) WITH FUNCTION size(text)", "'1'", "'2'"),
  ])
  func `keys survive the casts that somebody has made, or refuse their rows`(
    staging: String,
    production: String,
    cast: String,
    kept: String,
    changed: String
  ) async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE TYPE kind AS ENUM ('a', 'A');
        CREATE FUNCTION low(kind) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN lower(enum_out($1)::text); END';
        CREATE FUNCTION whole(numeric) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN trunc($1)::bigint; END';
        CREATE FUNCTION size(text) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT length($1)';
        CREATE \(cast) AS ASSIGNMENT;
        """
      )
      try database.makePair(
        production: "k \(production) PRIMARY KEY, v text, updated_at int",
        staging: "k \(staging), v text, updated_at int"
      )
      try database.run("INSERT INTO staging.t VALUES (\(kept), 'kept', 1), (\(changed), 'changed', 2)")
      let (_, merge) = try await database.planAndMerge()
      #expect(merge.totals.errors == 1 && merge.totals.inserted == 1)
      #expect(try database.rows("SELECT v FROM production.t") == ["(kept)"])
    }
  }

  /// Where values are written as text such a cast takes the place of what the type itself writes or reads.
  @Test(arguments: [
    "CAST (kind AS text) WITH FUNCTION open(kind)", "CAST (text AS kind) WITH FUNCTION open(text)",
  ])
  func `values that would travel by a cast that somebody has made are no values to merge`(cast: String) async throws {
    try await TestDatabase.withPair { production, staging in
      for database in [production, staging] {
        try database.run(
          """
          CREATE TYPE kind AS ENUM ('new', 'open');
          CREATE FUNCTION open(kind) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT 'open'::text$$;
          CREATE FUNCTION open(text) RETURNS kind LANGUAGE sql IMMUTABLE AS $$SELECT 'open'::kind$$;
          """
        )
        try database.makePair(production: "k kind PRIMARY KEY, updated_at int", staging: "k kind, updated_at int")
        try database.run("INSERT INTO production.t VALUES ('open', 1); INSERT INTO staging.t VALUES ('new', 2)")
      }
      // In either database.
      let elsewhere = ["--staging-database", staging.connectionString]
      for database in [production, staging] {
        try database.run("CREATE \(cast) AS ASSIGNMENT")
        let refused = try await production.call(arguments: elsewhere)
        #expect(refused.status == 73, "\(refused.transcript)")
        #expect(
          refused.errors.replacing(/\s+/, with: " ").contains("between text and kind (CREATE CAST)"),
          "\(refused.transcript)"
        )
        #expect(try production.rows("TABLE production.t") == ["(open,1)"])
        try database.run("DROP \(cast.split(separator: " WITH")[0])")
      }
      #expect(try await production.call(arguments: elsewhere).status == 0)
      // Within one database values of the same type are what they are.
      try production.run("CREATE \(cast) AS ASSIGNMENT; TRUNCATE production.t")
      #expect(try await production.call().status == 0)
      #expect(try production.rows("TABLE production.t") == ["(new,2)"])
    }
  }

  @Test func `keys of a composite type that would be looked up by such a cast are no keys to merge`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE TYPE pair AS (n int, t text);
        CREATE FUNCTION loud(pair) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT format('(%s,%s)', ($1).n, upper(($1).t))$$;
        CREATE CAST (pair AS text) WITH FUNCTION loud(pair) AS ASSIGNMENT;
        """
      )
      try database.makePair(production: "k pair PRIMARY KEY, updated_at int", staging: "k pair, updated_at int")
      try database.run("INSERT INTO production.t VALUES ('(1,EUR)', 1); INSERT INTO staging.t VALUES ('(1,eur)', 2)")
      let refused = try await database.call()
      #expect(refused.status == 73, "\(refused.transcript)")
      #expect(try database.rows("SELECT updated_at FROM production.t") == ["(1)"])
      try database.run("DROP CAST (pair AS text)")
      #expect(try await database.merge().totals.inserted == 1)
    }
  }

  @Test func `texts of CSV files are no values by such a cast`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE TYPE kind AS ENUM ('new', 'open'); CREATE SCHEMA production;
        CREATE FUNCTION open(text) RETURNS kind LANGUAGE sql IMMUTABLE AS $$SELECT 'open'::kind$$;
        CREATE CAST (text AS kind) WITH FUNCTION open(text) AS ASSIGNMENT;
        CREATE TABLE production.t (k int PRIMARY KEY, v kind, updated_at date);
        """
      )
      let files = try CSVFolder()
      try files.write("load/T/1.csv", "1,new,2025-01-01\n")
      let refused = try await database.call("snapshot", "from-csv", files.snapshot, "\(files.path)/load")
      #expect(refused.status == 73 && refused.errors.contains("--ignore-column v"), "\(refused.transcript)")
      try database.run("DROP CAST (text AS kind)")
      #expect(try await database.call("snapshot", "from-csv", files.snapshot, "\(files.path)/load").status == 0)
    }
  }

  @Test func `rows of refused keys are no duplicates, and verify passes them by`() async throws {
    try await TestDatabase.with { database async throws in
      try database.makePair(
        production: "k bigint PRIMARY KEY, updated_at int",
        staging: "k numeric, updated_at int"
      )
      try database.run("INSERT INTO staging.t VALUES (2, 1), (1.5, 2), (1.6, 3), (2, 2)")
      let (_, merge) = try await database.planAndMerge()
      #expect(merge.totals.errors == 2)
      #expect(merge.totals.duplicate == 1)
      #expect(try database.rows("TABLE production.t") == ["(2,2)"])
      let report = try await database.verify()
      #expect(report.tables[0].counts.differing + report.tables[0].counts.missing == 0)
    }
  }
}
