import TestSupport
import Testing

/// `--ties compare`: rows as new as production's that hold something else.
@Suite struct TieTests {
  static let columns = "k int PRIMARY KEY, a text, b numeric, updated_at timestamp, created_at timestamp"

  private func fill(_ database: TestDatabase) throws {
    try database.makePair(production: Self.columns, staging: Self.columns)
    try database.run(
      """
      INSERT INTO production.t VALUES
        (1, 'same', 1.0, '2025-01-01', '2024-01-01'), (2, 'old', 1, '2025-01-01', '2024-01-01'),
        (3, 'cdc', 1, '2025-01-02', '2024-01-01'), (4, NULL, NULL, '2025-01-01', '2024-01-01'),
        (5, 'no version', 5, NULL, NULL);
      INSERT INTO staging.t VALUES
        (1, 'same', 1.00, '2025-01-01', '2020-01-01'), (2, 'new', 1, '2025-01-01', '2020-01-01'),
        (3, 'stale', 1, '2025-01-01', '2020-01-01'), (4, NULL, NULL, '2025-01-01', NULL),
        (5, 'repaired', 5, NULL, NULL);
      """
    )
  }

  /// `IS NULL` takes both for NULL.
  @Test func `a composite value without fields is another one than NULL`() async throws {
    try await TestDatabase.with { database in
      try database.run("CREATE TYPE public.pair AS (a int, b text)")
      let columns = "k int PRIMARY KEY, v public.pair, updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run(
        """
        INSERT INTO production.t VALUES (1, NULL, 1), (2, NULL, 1), (3, ROW(NULL, NULL), 1), (4, ROW(NULL, NULL), 1);
        INSERT INTO staging.t VALUES (1, ROW(NULL, NULL), 1), (2, ROW(1, NULL), 1), (3, NULL, 1), (4, ROW(NULL, NULL), 1);
        """
      )
      let report = try await database.merge { $0.ties = .compare }
      #expect(report.totals.updated == 3 && report.totals.unchanged == 1 && report.totals.lostRaces == 0)
      #expect(
        try database.rows("SELECT k, v::text FROM production.t ORDER BY k") == [
          "(1,\"(,)\")", "(2,\"(1,)\")", "(3,)", "(4,\"(,)\")",
        ]
      )
      #expect(try await database.call("verify").status == 0)
    }
  }

  @Test func `a tie that differs is updated and one that is equal is not`() async throws {
    try await TestDatabase.with { database in
      try fill(database)
      let report = try await database.merge { $0.ties = .compare }
      #expect(report.totals.updated == 2)
      #expect(report.totals.unchanged == 2)
      #expect(report.totals.stale == 1)
      #expect(report.totals.lostRaces == 0)
      #expect(
        try database.rows("SELECT k, a, b, created_at::date FROM production.t ORDER BY k") == [
          "(1,same,1.0,2024-01-01)", "(2,new,1,2024-01-01)", "(3,cdc,1,2024-01-01)", "(4,,,2024-01-01)",
          "(5,repaired,5,)",
        ]
      )
      let again = try await database.merge {
        $0.ties = .compare
        $0.mark = .none
      }
      #expect(again.totals.updated == 0)
    }
  }

  @Test func `without the option a tie is left alone`() async throws {
    try await TestDatabase.with { database in
      try fill(database)
      let report = try await database.merge()
      #expect(report.totals.updated == 0)
      #expect(try database.value("SELECT a FROM production.t WHERE k = 2") == "old")
    }
  }

  /// Values that are equal to the server though their bytes differ, and a value that is not equal to either.
  struct Spelling: Sendable, CustomTestStringConvertible {
    var testDescription: String { type }
    var setup = ""
    let type: String
    let one: String
    let same: String
    let other: String

    /// Does what the type needs; false where the server can't: some of the test matrix are built without ICU or libxml.
    func prepare(_ database: TestDatabase) throws -> Bool {
      try database.run(setup)
      if type.contains("caseless") { return try database.makeCaseless() }
      return try type != "xml" || database.hasXML()
    }
  }

  static let spellings = [
    Spelling(type: "numeric", one: "1.0", same: "1.00", other: "1.01"),
    Spelling(type: "float8", one: "'-0'", same: "0", other: "1"),
    Spelling(type: "float4", one: "'NaN'", same: "'-NaN'", other: "1"),
    Spelling(type: "bpchar", one: "'a'", same: "'a '", other: "' a'"),
    Spelling(type: "interval", one: "'1 month'", same: "'30 days'", other: "'31 days'"),
    Spelling(type: "jsonb", one: "'{\"a\": 1.0}'", same: "'{\"a\": 1.00}'", other: "'{\"a\": 2}'"),
    Spelling(type: "numeric[]", one: "'{1.0,NULL}'", same: "'{1.00,NULL}'", other: "'{1.0,2}'"),
    Spelling(type: "numrange", one: "'[1.0,2)'", same: "'[1.00,2.0)'", other: "'[1.0,3)'"),
    Spelling(setup: "CREATE EXTENSION citext", type: "citext", one: "'Ä'", same: "'ä'", other: "'a'"),
    Spelling(
      type: "text COLLATE public.caseless",
      one: "'abc'",
      same: "'ABC'",
      other: "'abd'"
    ),
    Spelling(type: "json", one: "'{\"a\":1}'", same: "'{\"a\":1}'", other: "'{\"a\": 1}'"),
    Spelling(type: "xml", one: "'<a/>'", same: "'<a/>'", other: "'<b/>'"),
    Spelling(type: "point", one: "'(1,2)'", same: "'(1,2)'", other: "'(1,3)'"),
    // The server's own = compares areas.
    Spelling(type: "box", one: "'(1,1),(0,0)'", same: "'(1,1),(0,0)'", other: "'(2,2),(1,1)'"),
    Spelling(setup: "CREATE TYPE mood AS ENUM ('a', 'b')", type: "mood", one: "'a'", same: "'a'", other: "'b'"),
    Spelling(type: "text[]", one: "'{a,b}'", same: "'{a,b}'", other: "'{a,c}'"),
    Spelling(type: "bit varying", one: "B'10'", same: "B'10'", other: "B'100'"),
    Spelling(
      setup: "CREATE TYPE pair AS (x int, y text)",
      type: "pair",
      one: "'(1,a)'",
      same: "'(1,a)'",
      other: "'(1,b)'"
    ),
    Spelling(type: "tsvector", one: "'a b'", same: "'a b'", other: "'a c'"),
  ]

  @Test(arguments: spellings)
  func `equal values that are spelled differently are no difference, and others are`(
    _ spelling: Spelling
  ) async throws {
    try await TestDatabase.with { database in
      guard try spelling.prepare(database) else { return }
      let columns = "k int PRIMARY KEY, v \(spelling.type), updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run(
        """
        INSERT INTO production.t VALUES (1, \(spelling.one), 1), (2, \(spelling.one), 1), (3, NULL, 1), (4, NULL, 1);
        INSERT INTO staging.t VALUES (1, \(spelling.same), 1), (2, \(spelling.other), 1), (3, NULL, 1),
                                     (4, \(spelling.one), 1);
        """
      )
      let report = try await database.merge { $0.ties = .compare }
      #expect(report.status == .success)
      #expect(report.totals.updated == 2)
      #expect(report.totals.unchanged == 2)
      #expect(report.totals.lostRaces == 0)
      #expect(
        try database.rows("SELECT k, v FROM production.t ORDER BY k")
          == database.rows(
            """
            SELECT p.k, CASE WHEN p.k IN (2, 4) THEN s.v ELSE p.v END
            FROM production.t p JOIN staging.t s USING (k) ORDER BY k
            """
          )
      )
    }
  }

  @Test func `the server compares once more, on the row as CDC has left it`() async throws {
    try await TestDatabase.with { database in
      try database.letBatchesWait()
      let columns = "k int PRIMARY KEY, a text, updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run("INSERT INTO production.t VALUES (1, 'old', 1), (2, 'old', 1)")
      try database.run("INSERT INTO staging.t VALUES (1, 'new', 1), (2, 'new', 1)")
      let cdc = try database.connect()
      try cdc.run(
        """
        BEGIN;
        UPDATE production.t SET a = 'new' WHERE k = 1;
        UPDATE production.t SET a = 'cdc', updated_at = 2 WHERE k = 2;
        """
      )
      let merge = database.start {
        $0.workers = 1
        $0.ties = .compare
        $0.maxLockMilliseconds = 60_000
      }
      try await database.waitForBlockedSessions()
      try cdc.run("COMMIT")
      let counts = try await database.finish(merge).totals
      #expect(counts.updated == 0)
      #expect(counts.lostRaces == 2)
      #expect(try database.rows("SELECT * FROM production.t ORDER BY k") == ["(1,new,1)", "(2,cdc,2)"])
    }
  }

  @Test func `a row without anything to compare is never a difference`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "k int PRIMARY KEY, updated_at int, created_at int",
        staging: "k int, updated_at int, created_at int"
      )
      try database.run("INSERT INTO production.t VALUES (1, 1, 1); INSERT INTO staging.t VALUES (1, 1, 2)")
      let report = try await database.merge { $0.ties = .compare }
      #expect(report.totals.unchanged == 1)
    }
  }

  @Test func `the number of differing ties is that of SQL`() async throws {
    try await TestDatabase.with { database in
      let columns = "k int PRIMARY KEY, a text, b numeric, c timestamptz, d jsonb, e char(5), f float8, updated_at int"
      try database.makePair(production: columns, staging: columns)
      // Each column differs in rows of its own, is NULL on one side in others, and equal in other bytes in others.
      try database.run(
        """
        INSERT INTO production.t
        SELECT n, 'a' || n % 3, n % 5, '2025-01-01', '{"a": 1}', 'x', CASE WHEN n % 13 = 0 THEN 0 ELSE n END, n % 4
        FROM generate_series(1, 3000) n;
        INSERT INTO staging.t
        SELECT k, CASE WHEN k % 7 = 0 THEN 'b' ELSE a END, CASE WHEN k % 11 = 0 THEN b + 1 ELSE b * 1.0 END,
               CASE WHEN k % 17 = 0 THEN NULL ELSE c END, CASE WHEN k % 19 = 0 THEN '{"a": 2}' ELSE '{"a": 1.0}'::jsonb END,
               CASE WHEN k % 23 = 0 THEN 'y' ELSE 'x ' END, CASE WHEN f = 0 THEN '-0' ELSE f END,
               CASE WHEN k % 3 = 0 THEN 0 ELSE updated_at END
        FROM production.t WHERE k % 2 = 0;
        """
      )
      let expected = try database.value(
        """
        SELECT count(*) FROM staging.t s JOIN production.t p USING (k, updated_at)
        WHERE (s.a, s.b, s.c, s.d, s.e, s.f) IS DISTINCT FROM (p.a, p.b, p.c, p.d, p.e, p.f)
        """
      )
      let ties = try await database.plan { $0.batchRows = 200 }.tables[0].differingTieCount
      #expect("\(ties)" == expected)
      #expect(ties > 100)
      // No staged row is newer, so ties are all there is to update.
      #expect(try await database.merge { $0.ties = .compare }.totals.updated == ties)
    }
  }

  @Test(arguments: ["int", "numeric"])
  func `a tie that has lost to another one stays, though some row of the batch is refused`(key: String) async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "k \(key) PRIMARY KEY, v text CHECK (v <> 'bad'), updated_at int",
        staging: "k \(key), v text, updated_at int"
      )
      try database.run(
        """
        INSERT INTO production.t VALUES (4, 'second', 4);
        INSERT INTO staging.t VALUES (4, 'first', 4), (4, 'second', 4), (0, 'bad', 1), (5, 'same', 1), (5, 'same', 1);
        """
      )
      let (_, merge) = try await database.planAndMerge { $0.ties = .compare }
      #expect(merge.totals.updated == 0 && merge.totals.errors == 1)
      #expect(try database.rows("SELECT v FROM production.t WHERE k = 4") == ["(second)"])
    }
  }

  @Test(arguments: ["int", "numeric"])
  func `of ties in one batch the next one has its chance where the last is refused`(key: String) async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "k \(key) PRIMARY KEY, v varchar(3), updated_at timestamp",
        staging: "k \(key), v text, updated_at timestamp"
      )
      try database.run(
        """
        INSERT INTO production.t VALUES (1, 'old', '2025-01-04');
        INSERT INTO staging.t VALUES (1, 'fst', '2025-01-04'), (1, 'new', '2025-01-04'), (1, 'long', '2025-01-04');
        """
      )
      let (plan, merge) = try await database.planAndMerge { $0.ties = .compare }
      #expect(plan.totals.updated == 1 && merge.totals.updated == 1)
      #expect(try database.rows("SELECT v FROM production.t") == ["(new)"])
    }
  }
}
