import Libpq
import MergeEngine
import TestSupport
import Testing

/// What production will refuse is counted by `plan` as `merge` then counts it.
@Suite struct ForesightTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var types = ""
    let production: String
    let staging: String
    let rows: String
    let errorCount: Int
    var behind = ""
  }

  @Test(arguments: [
    Case(
      testDescription: "a domain that is NOT NULL",
      types: "CREATE DOMAIN production.base AS text NOT NULL; CREATE DOMAIN production.name AS production.base",
      production: "id int PRIMARY KEY, updated_at int, v production.name",
      staging: "id int, updated_at int, v text",
      rows: "(1, 2, NULL), (2, 2, NULL), (3, 2, 'a')",
      errorCount: 2
    ),
    Case(
      testDescription: "bit strings of another length",
      production: "id int PRIMARY KEY, updated_at int, v bit(3), w varbit(3)",
      staging: "id int, updated_at int, v varbit, w varbit",
      rows: "(1, 2, '10', '1'), (2, 2, '101', '111'), (3, 2, '1111', '1'), (4, 2, '000', '1111'), (5, 2, NULL, NULL)",
      errorCount: 3
    ),
    Case(
      testDescription: "no partition for the row",
      production: "id int, part text, updated_at int, PRIMARY KEY (id, part)",
      staging: "id int, part text, updated_at int",
      rows: "(1, 'a', 2), (2, 'b', 2), (3, 'c', 2), (20, 'a', 2), (300, 'a', 2)",
      errorCount: 2,
      behind: """
        ALTER TABLE production.t RENAME TO old;
        CREATE TABLE production.t (LIKE production.old, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
        CREATE TABLE production.t_a PARTITION OF production.t FOR VALUES IN ('a') PARTITION BY RANGE (id);
        CREATE TABLE production.t_a1 PARTITION OF production.t_a FOR VALUES FROM (0) TO (10);
        CREATE TABLE production.t_a2 PARTITION OF production.t_a FOR VALUES FROM (10) TO (100);
        CREATE TABLE production.t_b PARTITION OF production.t FOR VALUES IN ('b');
        DROP TABLE production.old;
        """
    ),
    Case(
      testDescription: "a partition for every row",
      production: "id int PRIMARY KEY, updated_at int",
      staging: "id int, updated_at int",
      rows: "(1, 2), (20, 2), (NULL, 2)",
      errorCount: 1,
      behind: """
        ALTER TABLE production.t RENAME TO old;
        CREATE TABLE production.t (LIKE production.old, PRIMARY KEY (id)) PARTITION BY HASH (id);
        CREATE TABLE production.t_0 PARTITION OF production.t FOR VALUES WITH (MODULUS 2, REMAINDER 0);
        CREATE TABLE production.t_1 PARTITION OF production.t FOR VALUES WITH (MODULUS 2, REMAINDER 1);
        DROP TABLE production.old;
        """
    ),
    Case(
      testDescription: "a value that is unique among some of the rows",
      production: "id int PRIMARY KEY, updated_at int, v text, live bool",
      staging: "id int, updated_at int, v text, live bool",
      rows:
        "(2, 2, 'a', true), (3, 2, 'a', false), (4, 2, 'b', true), (5, 2, 'b', true), (6, 2, 'b', false), (7, 2, NULL, true)",
      errorCount: 2,
      behind: """
        CREATE UNIQUE INDEX one_live ON production.t (v) WHERE live;
        INSERT INTO production.t VALUES (1, 9, 'a', true), (8, 9, 'c', false);
        """
    ),
    Case(
      testDescription: "numbers that are none, for integers",
      production: "id int PRIMARY KEY, updated_at int, v int",
      staging: "id int, updated_at int, v numeric",
      rows: "(1, 2, 'NaN'), (2, 2, 7), (3, 2, 'Infinity'), (4, 2, 8)",
      errorCount: 2
    ),
  ])
  func `counts the same`(_ case: Case) async throws {
    try await TestDatabase.with { database async throws in
      try database.run("CREATE SCHEMA production; CREATE SCHEMA staging; \(`case`.types)")
      try database.run("CREATE TABLE production.t (\(`case`.production)); CREATE TABLE staging.t (\(`case`.staging))")
      if !`case`.behind.isEmpty { try database.run(`case`.behind) }
      try database.run("INSERT INTO staging.t VALUES \(`case`.rows)")
      let (_, merge) = try await database.planAndMerge()
      #expect(merge.totals.errors == `case`.errorCount)
      #expect(merge.failures.isEmpty, "\(merge.failures)")
    }
  }

  @Test func `constraints that are only declared refuse nothing`() async throws {
    try await TestDatabase.with { database async throws in
      // Before PostgreSQL 18 there are none.
      let isKnown = try database.holds("current_setting('server_version_num')::int >= 180000")
      try database.run("CREATE SCHEMA production; CREATE TABLE production.parents (id int PRIMARY KEY)")
      try database.makePair(
        production: """
          id int PRIMARY KEY, updated_at int, v int \(isKnown ? "CHECK (v < 5) NOT ENFORCED" : ""),
          parent int \(isKnown ? "REFERENCES production.parents NOT ENFORCED" : "")
          """,
        staging: "id int, updated_at int, v int, parent int"
      )
      try database.run("INSERT INTO staging.t VALUES (1, 2, 9, 77), (2, 2, 1, 78)")
      let (_, merge) = try await database.planAndMerge()
      #expect(merge.totals.inserted == 2)
    }
  }

  @Test func `a unique key with NULLS NOT DISTINCT takes one NULL`() async throws {
    try await TestDatabase.with { database async throws in
      // Before PostgreSQL 15 every NULL is another.
      let isKnown = try database.holds("current_setting('server_version_num')::int >= 150000")
      try database.makePair(
        production: "id int PRIMARY KEY, updated_at int, v int, w int",
        staging: "id int, updated_at int, v int, w int"
      )
      try database.run(
        """
        CREATE UNIQUE INDEX ON production.t (v) \(isKnown ? "NULLS NOT DISTINCT" : "");
        CREATE UNIQUE INDEX ON production.t (w) \(isKnown ? "NULLS NOT DISTINCT" : "");
        INSERT INTO production.t VALUES (1, 9, NULL, 1);
        INSERT INTO staging.t VALUES (2, 2, NULL, 2), (3, 2, 3, NULL), (4, 2, 4, NULL), (5, 2, 5, 5);
        """
      )
      let (_, merge) = try await database.planAndMerge()
      #expect(merge.totals.errors == (isKnown ? 2 : 0))
    }
  }

  @Test func `parents that a policy hides from the role are there for the server's own check`() async throws {
    try await TestDatabase.with { database async throws in
      let role = "merger_\(database.name.suffix(8))"
      try database.makePair(
        production: "id int PRIMARY KEY, updated_at int, parent int",
        staging: "id int, updated_at int, parent int"
      )
      try database.run(
        """
        CREATE TABLE production.parents (id int PRIMARY KEY);
        INSERT INTO production.parents VALUES (1), (2);
        ALTER TABLE production.parents ENABLE ROW LEVEL SECURITY;
        CREATE POLICY few ON production.parents USING (id = 1);
        ALTER TABLE production.t ADD FOREIGN KEY (parent) REFERENCES production.parents;
        INSERT INTO staging.t VALUES (1, 2, 1), (2, 2, 2);
        CREATE ROLE \(role) LOGIN;
        """
      )
      #expect(try await database.call("init").status == 0)
      try database.run(try await database.call("init", "--print-grants", role).output)
      try database.run("GRANT SELECT ON production.parents TO \(role)")
      let login = ["--database", database.connectionString(role: role), "--json"]
      for command in ["plan", "merge"] {
        let outcome = try await CommandLineProgram.run([command] + login)
        #expect(outcome.status == 0, "\(outcome.everything)")
        #expect(try outcome.json()["totals"]["inserted"].integer == 2)
      }
      try database.run("DROP OWNED BY \(role); DROP ROLE \(role)")
    }
  }
}
