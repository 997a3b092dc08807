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
      testDescription: "references that are broken already, of which one changes",
      production: "id int, part int, a int, v text, updated_at int, PRIMARY KEY (id, part)",
      staging: "id int, part int, a int, v text, updated_at int",
      rows: "(1, 1, 9, 'new', 2), (2, 1, 8, 'new', 2), (3, 1, 9, 'new', 2), (4, 1, 1, 'new', 2)",
      errorCount: 2,
      behind: """
        CREATE TABLE production.a (id int PRIMARY KEY); INSERT INTO production.a VALUES (1);
        INSERT INTO production.t VALUES (1, 1, 9, 'old', 1), (2, 1, 9, 'old', 1);
        ALTER TABLE production.t ADD FOREIGN KEY (a) REFERENCES production.a NOT VALID;
        """
    ),
    Case(
      testDescription: "a composite value without fields where NULL is forbidden",
      types: "CREATE TYPE production.pair AS (a int, b text)",
      production: "id int PRIMARY KEY, v production.pair NOT NULL, updated_at int",
      staging: "id int, v production.pair, updated_at int",
      rows: "(1, ROW(NULL, NULL), 2), (2, NULL, 2), (3, ROW(1, NULL), 2)",
      errorCount: 1
    ),
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
      testDescription: "arrays of bit strings of another length, and of domains that are too long",
      types: "CREATE DOMAIN production.short AS varchar(3); CREATE DOMAIN production.flags AS bit(2)",
      production:
        "id int PRIMARY KEY, updated_at int, v bit(3)[], w varbit(3)[], x production.short[], y production.flags[]",
      staging: "id int, updated_at int, v varbit[], w varbit[], x text[], y varbit[]",
      rows: """
        (1, 2, '{101,10}', '{1}', NULL, NULL), (2, 2, '{101}', '{111,NULL}', '{abc,"ab  "}', '{10}'), (3, 2, '{}', '{1,1111}', NULL, NULL),
        (4, 2, NULL, NULL, '{abc,abcd}', NULL), (5, 2, NULL, NULL, NULL, '{101}'), (6, 2, NULL, NULL, NULL, '{1}')
        """,
      errorCount: 5
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
      testDescription: "a partition for every row, by the hash of a domain",
      production: "id int, part text, updated_at int, PRIMARY KEY (id, part)",
      staging: "id int, part text, updated_at int",
      rows: "(1, 'a', 2), (2, 'a', 2), (3, 'b', 2), (-1, 'b', 2)",
      errorCount: 1,
      behind: """
        CREATE DOMAIN production.positive AS int CHECK (VALUE > 0);
        CREATE DOMAIN production.word AS varchar(3);
        ALTER TABLE production.t RENAME TO old;
        CREATE TABLE production.t (id production.positive, part production.word, updated_at int, PRIMARY KEY (id, part)) PARTITION BY HASH (id);
        CREATE TABLE production.t_0 PARTITION OF production.t FOR VALUES WITH (MODULUS 2, REMAINDER 0) PARTITION BY HASH (part);
        CREATE TABLE production.t_00 PARTITION OF production.t_0 (CHECK (updated_at > 0)) FOR VALUES WITH (MODULUS 1, REMAINDER 0);
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
      testDescription: "elements of arrays that are too long",
      production: "id int PRIMARY KEY, updated_at int, v varchar(3)[], w char(2)[] NOT NULL, x int[] CHECK (x[1] > 0)",
      staging: "id int, updated_at int, v text[], w text[], x int[]",
      rows: """
        (1, 2, '{abc,abcd}', '{}', '{1}'), (2, 2, '{"abc  ",NULL}', '{a}', NULL), (3, 2, NULL, '{abc}', '{1}'),
        (4, 2, '{{a,b},{c,defg}}', '{}', '{1}'), (5, 2, '{}', NULL, '{1}'), (6, 2, '{}', '{}', '{0}'), (7, 2, '{a}', '{ab}', '{2}')
        """,
      errorCount: 5
    ),
    Case(
      testDescription: "rules that only partitions have",
      production: "id int, part text, updated_at int, v text, w int, PRIMARY KEY (id, part)",
      staging: "id int, part text, updated_at int, v text, w int",
      rows: """
        (1, 'a', 2, 'x', -1), (2, 'b', 2, NULL, -1), (3, 'c', 2, 'x', -1), (4, 'a', 2, 'y', 1), (5, 'a', 2, 'y', 1), (6, 'b', 2, 'y', 1),
        (7, 'c', 2, 'y', 1), (8, 'c', 2, NULL, 7), (9, 'a', 2, 'taken', 1), (10, 'b', 2, 'taken', 1)
        """,
      errorCount: 5,
      behind: """
        ALTER TABLE production.t RENAME TO old;
        CREATE TABLE production.t (LIKE production.old, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
        CREATE TABLE production.t_a PARTITION OF production.t (CHECK (w > 0)) FOR VALUES IN ('a');
        CREATE UNIQUE INDEX ON production.t_a (v);
        CREATE TABLE production.t_b PARTITION OF production.t (v NOT NULL) FOR VALUES IN ('b');
        CREATE TABLE production.t_c PARTITION OF production.t DEFAULT;
        CREATE TABLE production.parents (w int PRIMARY KEY); INSERT INTO production.parents VALUES (1), (-1);
        ALTER TABLE production.t_c ADD FOREIGN KEY (w) REFERENCES production.parents;
        INSERT INTO production.t VALUES (100, 'a', 9, 'taken', 1);
        DROP TABLE production.old;
        """
    ),
    Case(
      testDescription: "a unique expression",
      production: "id int PRIMARY KEY, updated_at int, mail text, live bool",
      staging: "id int, updated_at int, mail text, live bool",
      rows: """
        (1, 2, 'Taken@x', true), (2, 2, 'a@x', true), (3, 2, 'A@X', true), (4, 2, NULL, true), (5, 2, 'b@x', false), (6, 2, 'B@x', true),
        (100, 10, 'TAKEN@x', true)
        """,
      errorCount: 2,
      behind: """
        CREATE UNIQUE INDEX ON production.t (lower(mail)) WHERE live;
        INSERT INTO production.t VALUES (100, 9, 'taken@x', true);
        """
    ),
    Case(
      testDescription: "unique values that rows exchange, and one that is waited for behind them",
      production: "id int PRIMARY KEY, updated_at int, r int UNIQUE",
      staging: "id int, updated_at int, r int",
      rows: "(1, 2, 2), (2, 2, 1), (3, 2, 4), (4, 2, 5), (6, 2, 3), (7, 2, 8), (8, 2, 9), (9, 2, 7), (10, 2, 9)",
      errorCount: 6,
      behind: "INSERT INTO production.t SELECT n, 1, n FROM generate_series(1, 9) n WHERE n <> 5"
    ),
    Case(
      testDescription: "checks that raise errors, of inserts and updates alike",
      production: "id int PRIMARY KEY, updated_at int, n int CHECK (10 / n > 0)",
      staging: "id int, updated_at int, n int",
      rows: "(1, 2, 0), (2, 2, 0)",
      errorCount: 2,
      behind: "INSERT INTO production.t VALUES (1, 1, 1)"
    ),
    Case(
      testDescription: "a part of a foreign key that is MATCH FULL",
      production: "id int PRIMARY KEY, updated_at int, a int, b int",
      staging: "id int, updated_at int, a int, b int",
      rows: "(1, 2, 1, 1), (2, 2, 1, NULL), (3, 2, NULL, NULL), (4, 2, NULL, 1), (5, 2, 1, 2)",
      errorCount: 3,
      behind: """
        CREATE TABLE production.parents (a int, b int, PRIMARY KEY (a, b)); INSERT INTO production.parents VALUES (1, 1);
        ALTER TABLE production.t ADD FOREIGN KEY (a, b) REFERENCES production.parents MATCH FULL;
        """
    ),
    Case(
      testDescription: "a unique expression whose value is handed over",
      production: "id int PRIMARY KEY, updated_at int, mail text, n int",
      staging: "id int, updated_at int, mail text, n int",
      rows: "(1, 2, 'B@x', 1), (2, 2, 'c@x', 2), (3, 2, 'd@x', 99), (4, 2, 'e@x', 98)",
      errorCount: 1,
      behind: """
        CREATE UNIQUE INDEX ON production.t (lower(mail)); CREATE UNIQUE INDEX ON production.t ((n % 98), id, (n / 1000));
        ALTER TABLE production.t ADD CHECK (n < 99);
        INSERT INTO production.t VALUES (1, 1, 'a@x', 0), (2, 1, 'b@x', 0);
        """
    ),
    Case(
      testDescription: "a composite key whose fields are NULL",
      types: "CREATE TYPE production.pair AS (a int, b text)",
      production: "id production.pair PRIMARY KEY, updated_at int, v text",
      staging: "id production.pair, updated_at int, v text",
      rows:
        "(ROW(1, NULL), 2, 'newer'), (ROW(2, NULL), 1, 'equal'), (ROW(3, NULL), 0, 'older'), (ROW(4, NULL), 1, 'new'), (ROW(NULL, NULL), 2, 'newer')",
      errorCount: 0,
      behind: """
        INSERT INTO production.t SELECT ROW(n, NULL)::production.pair, 1, 'equal' FROM generate_series(1, 3) AS n;
        INSERT INTO production.t VALUES (ROW(NULL, NULL), 1, 'equal')
        """
    ),
    Case(
      testDescription: "values whose input calls them a syntax error",
      production: "id int PRIMARY KEY, updated_at int, p jsonpath, q tsquery, v tsvector",
      staging: "id int, updated_at int, p text, q text, v text",
      rows: """
        (1, 2, '$.a', 'a & b', 'a'), (2, 2, '$.', 'a', 'a'), (3, 2, '$', 'a &', 'a'), (4, 2, '$', 'a', E'\\'a'), (5, 2, '$.b', 'b', 'b')
        """,
      errorCount: 3
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

  @Test func `rows outside of the partition that staging is named after are foreseen`() async throws {
    try await TestDatabase.with { database async throws in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.all_of_them (id int, r text, updated_at int, PRIMARY KEY (id, r)) PARTITION BY LIST (r);
        CREATE TABLE production.t PARTITION OF production.all_of_them FOR VALUES IN ('a');
        CREATE TABLE staging.t (id int, r text, updated_at int);
        INSERT INTO staging.t VALUES (1, 'a', 1), (2, 'b', 1)
        """
      )
      let (plan, merge) = try await database.planAndMerge()
      #expect(plan.tables[0].counts.errors == 1 && merge.totals.errors == 1 && merge.totals.inserted == 1)
    }
  }

  @Test(arguments: [("id, updated_at", "inserted beside the older one"), ("updated_at", "no row is ever newer")])
  func `a key that holds the version is told, and nobody is advised to do without it`(key: String, told: String)
    async throws
  {
    try await TestDatabase.with { database async throws in
      let columns = "id int, updated_at int"
      try database.makePair(production: columns + ", PRIMARY KEY (\(key))", staging: columns)
      let said = try await database.plan().findings.map(\.message)
      #expect(said.contains { $0.contains(told) } && !said.contains { $0.contains("faster without it") }, "\(said)")
    }
  }

  @Test func `rights that a trigger seems to need are asked for before`() async throws {
    try await TestDatabase.with { database async throws in
      let role = "merger_\(database.name.suffix(8))"
      try database.makePair(production: "id int PRIMARY KEY, updated_at int", staging: "id int, updated_at int")
      try database.run(
        """
        CREATE SCHEMA audit; CREATE TABLE audit.log (id int); CREATE TABLE audit.limits (n int); CREATE TABLE audit.free (n int);
        CREATE FUNCTION production.note() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          -- insert into audit.free
          PERFORM n FROM audit.limits; INSERT INTO audit.log VALUES (new.id); RETURN NULL;
        END $$;
        CREATE TRIGGER note AFTER INSERT ON production.t FOR EACH ROW EXECUTE FUNCTION production.note();
        INSERT INTO staging.t VALUES (1, 2); CREATE ROLE \(role) LOGIN;
        """
      )
      let early = try await database.call("init", "--print-grants", role)
      #expect(early.status == 0 && early.errors.contains("run merge-engine init first"), "\(early.transcript)")
      #expect(try await database.call("init").status == 0)
      let grants = try await database.call("init", "--print-grants", role)
      #expect(!grants.errors.contains("init first"))
      try database.run(grants.output)
      func said() async throws -> [String] {
        try await database.plan(as: role).findings.filter { $0.kind == .missingRight }.map(\.message)
      }
      let lacking = try await said()
      #expect(lacking.count == 3, "\(lacking)")
      for right in ["USAGE ON SCHEMA audit", "INSERT ON audit.log", "SELECT ON audit.limits"] {
        #expect(lacking.contains { $0.contains("seems to need \(right), which the role \(role) lacks") }, "\(lacking)")
        try database.run("GRANT \(right) TO \(role)")
      }
      #expect(try await said() == [])
      let login = ["--database", database.connectionString(role: role)]
      #expect(try await CommandLineProgram.run(["merge"] + login).status == 0)
      try database.run("DROP OWNED BY \(role); DROP ROLE \(role)")
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
