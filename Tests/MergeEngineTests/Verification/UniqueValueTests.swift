import MergeEngine
import TestSupport
import Testing

/// Which values are the same for a unique key, a foreign key or a check: `plan` asks by the index's rule for NULL, and by its collation.
@Suite struct UniqueValueTests {
  private static let schemas = "CREATE SCHEMA production; CREATE SCHEMA staging;"

  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let setup: String
    var batchRows = 100
    let inserted: Int
    let updated: Int
    let errors: Int
  }

  @Test(arguments: [
    Case(
      testDescription: "two NULLs in a batch",
      setup: """
        CREATE TABLE production.t (k int PRIMARY KEY, x int, y text, updated_at int); CREATE TABLE staging.t (LIKE production.t);
        CREATE UNIQUE INDEX u ON production.t (x, y) NULLS NOT DISTINCT;
        INSERT INTO staging.t VALUES (1, 1, NULL, 2), (2, 1, NULL, 2);
        """,
      inserted: 1,
      updated: 0,
      errors: 1
    ),
    Case(
      testDescription: "columns and an expression",
      setup: """
        CREATE TABLE production.t (k int PRIMARY KEY, x int, y text, z int NOT NULL, updated_at int);
        CREATE TABLE staging.t (k int, x int, y text, z int, updated_at int);
        CREATE UNIQUE INDEX u ON production.t (x, lower(y), z) NULLS NOT DISTINCT;
        INSERT INTO production.t VALUES (1, 1, NULL, 0, 1), (2, NULL, 'A', 0, 1), (3, NULL, NULL, 0, 1), (4, 4, 'd', 0, 1), (5, 5, NULL, 0, 1);
        INSERT INTO staging.t VALUES
          (11, 1, NULL, 0, 2), (12, NULL, 'a', 0, 2), (13, NULL, NULL, 0, 2), (14, 4, 'D', 0, 2), (15, NULL, NULL, 1, 2), (16, 1, 'x', 0, 2),
          (17, NULL, NULL, 1, 2), (5, 6, NULL, 0, 2), (18, 5, NULL, 0, 2), (3, NULL, NULL, 0, 2), (19, NULL, NULL, NULL, 2);
        """,
      inserted: 3,
      updated: 2,
      errors: 6
    ),
    Case(
      testDescription: "a deferred constraint, and values that are exchanged",
      setup: """
        CREATE TABLE production.t (k int PRIMARY KEY, x int, y text, updated_at int,
                                   UNIQUE NULLS NOT DISTINCT (x, y) DEFERRABLE INITIALLY DEFERRED);
        CREATE TABLE staging.t (k int, x int, y text, updated_at int);
        INSERT INTO production.t VALUES (1, NULL, 'a', 1), (2, NULL, 'b', 1), (3, 3, NULL, 1);
        INSERT INTO staging.t VALUES (1, NULL, 'b', 2), (2, NULL, 'a', 2), (4, 3, NULL, 2), (5, 5, NULL, 2), (6, 5, NULL, 2);
        """,
      inserted: 1,
      updated: 2,
      errors: 2
    ),
    Case(
      testDescription: "a value that comes free, over several batches",
      setup: """
        CREATE TABLE production.t (k int PRIMARY KEY, x int, y text, updated_at int, UNIQUE NULLS NOT DISTINCT (x, y));
        CREATE TABLE staging.t (k int, x int, y text, updated_at int);
        INSERT INTO production.t VALUES (1, 1, NULL, 1), (2, 2, NULL, 1);
        INSERT INTO staging.t VALUES (1, 9, NULL, 2), (7, 1, NULL, 2), (8, 1, NULL, 2), (9, 2, NULL, 2);
        """,
      batchRows: 1,
      inserted: 1,
      updated: 1,
      errors: 2
    ),
    Case(
      testDescription: "more columns than are asked about one by one",
      setup: """
        CREATE TABLE production.t (k int PRIMARY KEY, a int, b int, c int, d int, e int, updated_at int, UNIQUE NULLS NOT DISTINCT (a, b, c, d, e));
        CREATE TABLE staging.t (k int, a int, b int, c int, d int, e int, updated_at int);
        INSERT INTO production.t VALUES (1, NULL, NULL, NULL, NULL, NULL, 1), (2, 1, NULL, 1, NULL, 1, 1), (3, NULL, 1, NULL, 1, NULL, 1);
        INSERT INTO staging.t VALUES
          (4, NULL, NULL, NULL, NULL, NULL, 2), (5, 1, NULL, 1, NULL, 1, 2), (6, NULL, 1, NULL, 1, NULL, 2), (7, NULL, 1, NULL, NULL, NULL, 2),
          (8, 1, NULL, 1, NULL, 2, 2), (9, 1, NULL, 1, NULL, NULL, 2), (10, 1, NULL, 1, NULL, NULL, 2);
        """,
      inserted: 3,
      updated: 0,
      errors: 4
    ),
  ])
  func `NULLs that are not distinct collide in keys of several columns`(_ case: Case) async throws {
    try await TestDatabase.with { database in
      guard try database.holds("current_setting('server_version_num')::int >= 150000") else { return }
      try await Self.check(`case`, database)
    }
  }

  @Test func `such NULLs of several batches are told`() async throws {
    try await TestDatabase.with { database in
      guard try database.holds("current_setting('server_version_num')::int >= 150000") else { return }
      try database.run(
        """
        \(Self.schemas)
        CREATE TABLE production.t (k int PRIMARY KEY, x int, y text, updated_at int, UNIQUE NULLS NOT DISTINCT (x, y));
        CREATE TABLE staging.t (k int, x int, y text, updated_at int);
        INSERT INTO staging.t VALUES (1, 1, NULL, 1), (2, 1, NULL, 1), (3, 1, 'a', 1);
        """
      )
      let said = try await database.plan { $0.batchRows = 1 }.findings.map(\.message)
      #expect(said.contains { $0.contains("2 rows of staging.t want a value of x, y") }, "\(said)")
    }
  }

  @Test(arguments: [
    Case(
      testDescription: "the index's own collation",
      setup: """
        CREATE TABLE production.t (k int PRIMARY KEY, l text, updated_at int); CREATE TABLE staging.t (LIKE production.t);
        CREATE UNIQUE INDEX u ON production.t (l COLLATE public.caseless);
        INSERT INTO production.t VALUES (1, 'Foo', 1);
        INSERT INTO staging.t VALUES (2, 'fOo', 1), (3, 'new', 1), (4, 'NEW', 1), (1, 'FOO', 2);
        """,
      inserted: 1,
      updated: 1,
      errors: 2
    ),
    Case(
      testDescription: "the column's collation",
      setup: """
        CREATE TABLE production.t (k int PRIMARY KEY, l text COLLATE public.caseless UNIQUE, updated_at int);
        CREATE TABLE staging.t (k int, l text, updated_at int);
        INSERT INTO production.t VALUES (1, 'Foo', 1);
        INSERT INTO staging.t VALUES (2, 'fOo', 1), (3, 'new', 1), (4, 'NEW', 1), (1, 'FOO', 2);
        """,
      inserted: 1,
      updated: 1,
      errors: 2
    ),
    Case(
      testDescription: "an index that is stricter than its column, and one over an expression",
      setup: """
        CREATE TABLE production.t (k int PRIMARY KEY, l text COLLATE public.caseless, m text, updated_at int);
        CREATE TABLE staging.t (k int, l text COLLATE "C", m text COLLATE "POSIX", updated_at int);
        CREATE UNIQUE INDEX u ON production.t (l COLLATE "C");
        CREATE UNIQUE INDEX v ON production.t ((m || 'x') COLLATE public.caseless);
        INSERT INTO production.t VALUES (1, 'Foo', 'Bar', 1);
        INSERT INTO staging.t VALUES
          (2, 'fOo', 'a', 1), (3, 'new', 'b', 1), (4, 'NEW', 'c', 1), (5, 'Foo', 'd', 1), (6, 'e', 'bAR', 1), (7, 'f', 'C', 1);
        """,
      inserted: 3,
      updated: 0,
      errors: 3
    ),
    Case(
      testDescription: "a parent that is staged in other letters",
      setup: """
        CREATE TABLE production.p (l text COLLATE public.caseless PRIMARY KEY, updated_at int); CREATE TABLE staging.p (l text, updated_at int);
        CREATE TABLE production.t (k int PRIMARY KEY, l text COLLATE public.caseless REFERENCES production.p, updated_at int);
        CREATE TABLE staging.t (k int, l text, updated_at int);
        INSERT INTO production.p VALUES ('alt', 1); INSERT INTO staging.p VALUES ('neu', 1);
        INSERT INTO staging.t VALUES (1, 'NEU', 1), (2, 'ALT', 1), (3, 'nie', 1);
        """,
      inserted: 3,
      updated: 0,
      errors: 1
    ),
    Case(
      testDescription: "an exclusion constraint",
      setup: """
        CREATE TABLE production.t (k int PRIMARY KEY, l text, updated_at int, EXCLUDE USING btree (l COLLATE public.caseless WITH =));
        CREATE TABLE staging.t (k int, l text, updated_at int);
        INSERT INTO production.t VALUES (1, 'Foo', 1), (2, 'Bar', 1);
        INSERT INTO staging.t VALUES (3, 'fOo', 1), (4, 'BAR', 1), (2, 'baz', 2);
        """,
      inserted: 1,
      updated: 1,
      errors: 1
    ),
    Case(
      // A domain's check goes by the collation of the type underneath.
      testDescription: "checks of a column and of a domain",
      setup: """
        CREATE DOMAIN production.name AS text COLLATE public.caseless CHECK (VALUE <> 'foo');
        CREATE TABLE production.t (k int PRIMARY KEY, l text COLLATE public.caseless CHECK (l <> 'foo'), d production.name, updated_at int);
        CREATE TABLE staging.t (k int, l text, d text, updated_at int);
        INSERT INTO staging.t VALUES (3, 'fOo', 'x', 1), (4, 'BAR', 'FOO', 1), (2, 'baz', 'foo', 2);
        """,
      inserted: 1,
      updated: 0,
      errors: 2
    ),
  ])
  func `values are compared by the collation that production compares them by`(_ case: Case) async throws {
    try await TestDatabase.with { database in
      guard try database.makeCaseless() else { return }
      try await Self.check(`case`, database)
    }
  }

  private static func check(_ case: Case, _ database: TestDatabase) async throws {
    try database.run(schemas)
    try database.run(`case`.setup)
    let (_, merge) = try await database.planAndMerge { $0.batchRows = `case`.batchRows }
    let totals = merge.totals
    #expect(
      (totals.inserted, totals.updated, totals.errors) == (`case`.inserted, `case`.updated, `case`.errors),
      "\(totals)"
    )
  }

  @Test func `rows of several batches are grouped by the index's collation`() async throws {
    try await TestDatabase.with { database in
      guard try database.makeCaseless() else { return }
      try database.run(
        """
        \(Self.schemas)
        CREATE TABLE production.t (k int PRIMARY KEY, l text, updated_at int); CREATE TABLE staging.t (LIKE production.t);
        CREATE UNIQUE INDEX u ON production.t (l COLLATE public.caseless);
        INSERT INTO staging.t VALUES (1, 'new', 1), (2, 'NEW', 1), (3, 'old', 1);
        """
      )
      let said = try await database.plan { $0.batchRows = 1 }.findings.map(\.message)
      #expect(said.contains { $0.contains("2 rows of staging.t want a value of l (u)") }, "\(said)")
    }
  }

  /// Another database compares numbers as production does, and an enum is what its text says.
  @Test(arguments: [("public.citext", true), ("numeric", false), ("public.mood", false), ("public.citext[]", true)])
  func `plan says that only production's type knows which keys are the same`(_ type: String, _ isTold: Bool)
    async throws
  {
    try await TestDatabase.withPair { production, staging in
      try production.run(
        """
        CREATE EXTENSION citext SCHEMA public; CREATE TYPE public.mood AS ENUM ('1', '2');
        CREATE SCHEMA production; CREATE TABLE production.t (k \(type) PRIMARY KEY, updated_at int);
        """
      )
      try staging.run("CREATE SCHEMA staging; CREATE TABLE staging.t (k text, updated_at int)")
      let there = ["--staging-database", staging.connectionString, "--json"]
      let plan = try await production.call("plan", arguments: there)
      #expect(plan.status == 0, "\(plan.transcript)")
      #expect(plan.output.contains("which keys are the same by production's type") == isTold, "\(plan.transcript)")
    }
  }

  /// What another index over the key's columns takes for equal is no row that is there already.
  @Test(arguments: [1, 100], ["(k COLLATE public.caseless)", "(k COLLATE public.caseless) WHERE true"])
  func `a second index over the key's columns refuses what it does not tell apart`(_ batchRows: Int, _ index: String)
    async throws
  {
    try await TestDatabase.with { database in
      guard try database.makeCaseless() else { return }
      try database.run(
        """
        \(Self.schemas) CREATE TABLE production.t (k text PRIMARY KEY, updated_at int);
        CREATE UNIQUE INDEX u ON production.t \(index); CREATE TABLE staging.t (LIKE production.t);
        INSERT INTO production.t VALUES ('Ann', 1); INSERT INTO staging.t VALUES ('Bob', 1), ('bob', 2), ('ann', 2), ('Ann', 2);
        """
      )
      let report = try await database.merge {
        $0.batchRows = batchRows
        $0.workers = 1
      }
      #expect(
        report.totals.inserted == 1 && report.totals.updated == 1 && report.totals.errors == 2,
        "\(report.totals)"
      )
      #expect(try await database.call("verify").status == 65)
    }
  }

  @Test func `a parent may be a partition that its rows come to by the root`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        \(Self.schemas) CREATE TABLE production.p (k int PRIMARY KEY, updated_at int) PARTITION BY RANGE (k);
        CREATE TABLE production.p0 PARTITION OF production.p FOR VALUES FROM (0) TO (100); CREATE TABLE staging.p (k int, updated_at int);
        CREATE TABLE production.t (k int PRIMARY KEY, r int REFERENCES production.p0, updated_at int); CREATE TABLE staging.t (LIKE production.t);
        INSERT INTO staging.p VALUES (1, 1); INSERT INTO staging.t VALUES (1, 1, 1), (2, 9, 1);
        """
      )
      let (_, report) = try await database.planAndMerge()
      #expect(report.totals.inserted == 2 && report.totals.errors == 1, "\(report.totals)")
    }
  }

  @Test func `expressions go by the column's collation, also where that tells all bytes apart`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        \(Self.schemas)
        CREATE TABLE production.t (k int PRIMARY KEY, x text COLLATE "C" CHECK (upper(x) <> 'É'), updated_at int);
        CREATE UNIQUE INDEX u ON production.t (lower(x)); CREATE TABLE staging.t (k int, x text, updated_at int);
        INSERT INTO staging.t VALUES (1, 'é', 1), (2, 'ö', 1), (3, 'Ö', 1), (4, 'a', 1), (5, 'A', 1);
        """
      )
      let (_, report) = try await database.planAndMerge()
      #expect(report.totals.inserted == 4 && report.totals.errors == 1, "\(report.totals)")
    }
  }

  @Test func `parents are looked for in a database that does not know production's types`() async throws {
    try await TestDatabase.withPair { production, staging in
      try production.run(
        """
        CREATE EXTENSION citext SCHEMA public; CREATE TYPE public.mood AS ENUM ('a', 'b');
        CREATE SCHEMA production; CREATE TABLE production.p (l public.citext PRIMARY KEY, m public.mood UNIQUE, updated_at int);
        CREATE TABLE production.t (k int PRIMARY KEY, l public.citext REFERENCES production.p,
                                   m public.mood REFERENCES production.p (m), updated_at int);
        """
      )
      try staging.run(
        """
        CREATE SCHEMA staging; CREATE TABLE staging.p (l text, m text, updated_at int);
        CREATE TABLE staging.t (k int, l text, m text, updated_at int);
        INSERT INTO staging.p VALUES ('new', 'a', 1); INSERT INTO staging.t VALUES (1, 'new', 'a', 1), (2, 'none', 'a', 1), (3, 'new', 'b', 1);
        """
      )
      let there = ["--staging-database", staging.connectionString, "--workers", "1", "--json"]
      let plan = try await production.call("plan", arguments: there)
      #expect(plan.status == 0 && plan.output.contains("are parents for t_l_fkey though"), "\(plan.transcript)")
      let merge = try await production.call("merge", arguments: there)
      for outcome in [plan, merge] {
        let totals = try outcome.json()["totals"]
        #expect(totals["inserted"].integer == 2 && totals["errors"].integer == 2, "\(outcome.transcript)")
      }
    }
  }
}
