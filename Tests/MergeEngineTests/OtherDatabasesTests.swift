import Foundation
import TestSupport
import Testing

/// Values whose binary form means something else in another database.
@Suite struct OtherDatabasesTests {
  /// The same names in another order, so that their numbers differ.
  private static func objects(_ names: [String]) -> String {
    names.map { "CREATE TABLE public.\($0) (n int);" }.joined() + "CREATE TYPE public.mood AS ENUM ('calm');"
  }

  private static let columns =
    "id int PRIMARY KEY, a regclass, b regtype, c regclass[], d regrole, e regconfig, updated_at timestamp"
  private static let rows = """
    INSERT INTO staging.t VALUES
      (1, 'customers', 'mood', '{orders,customers}', 'pg_monitor', 'german', '2025-01-01'),
      (2, 'orders', NULL, NULL, NULL, NULL, '2025-01-01'), (3, 'elsewhere', NULL, NULL, NULL, NULL, '2025-01-01');
    """
  private static let expected = ["(1,customers,mood,\"{orders,customers}\",pg_monitor,german)", "(2,orders,,,,)"]

  private func fill(_ production: TestDatabase, _ staging: TestDatabase) throws {
    try production.run(
      """
      \(Self.objects(["padding", "customers", "orders"]))
      CREATE SCHEMA production; CREATE TABLE production.t (\(Self.columns));
      """
    )
    try staging.run(
      """
      \(Self.objects(["orders", "elsewhere", "customers"]))
      CREATE SCHEMA staging; CREATE TABLE staging.t (\(Self.columns));
      \(Self.rows)
      """
    )
  }

  private static let found = "SELECT id, a, b, c, d, e FROM production.t ORDER BY id"

  @Test func `names of tables, types, roles and configurations stand for production's own`() async throws {
    try await TestDatabase.withPair { production, staging in
      try fill(production, staging)
      let there = ["--staging-database", staging.connectionString]
      let plan = try await production.call("plan", arguments: there + ["--json"])
      #expect(try plan.json()["totals"]["errors"].integer == 1, "\(plan.transcript)")
      let merge = try await production.call("merge", arguments: there)
      #expect(merge.status == 65, "\(merge.transcript)")
      #expect(try production.rows(Self.found) == Self.expected)
      #expect(
        try production.rows("SELECT sqlstate, message LIKE '%elsewhere%' FROM admin.merge_errors") == [
          "(42P01,t)"
        ]
      )
      let verify = try await production.call("verify", arguments: there)
      #expect(
        verify.output.contains("what was compared is as it should be; 1 refused row could not be compared"),
        "\(verify.transcript)"
      )
    }
  }

  /// The key is what production is asked for first.
  @Test(arguments: [3, 3000]) func `a key that production can't read refuses its row, and the others are merged`(
    rowCount: Int
  )
    async throws
  {
    try await TestDatabase.withPair { production, staging in
      func columns(_ labels: String) -> String {
        "CREATE TYPE public.kind AS ENUM (\(labels)); CREATE SCHEMA production; CREATE SCHEMA staging;"
      }
      try production.run(
        "\(columns("'a', 'b'")) CREATE TABLE production.t (k public.kind, id int, updated_at int, PRIMARY KEY (k, id))"
      )
      try staging.run(
        """
        \(columns("'a', 'z'")) CREATE TABLE staging.t (k public.kind, id int, updated_at int);
        INSERT INTO staging.t SELECT CASE WHEN n % \(rowCount / 3) = 0 THEN 'z' ELSE 'a' END::public.kind, n, 1
        FROM generate_series(1, \(rowCount)) AS n
        """
      )
      let there = ["--staging-database", staging.connectionString, "--json"]
      let plan = try await production.call("plan", arguments: there)
      #expect(try plan.json()["totals"]["errors"].integer == 3, "\(plan.transcript)")
      let merge = try await production.call("merge", arguments: there)
      #expect(merge.status == 65, "\(merge.transcript)")
      #expect(try merge.json()["totals"]["errors"].integer == 3)
      #expect(try merge.json()["totals"]["inserted"].integer == rowCount - 3)
      #expect(
        try production.rows("SELECT DISTINCT sqlstate, row_key ->> 'k' FROM admin.merge_errors") == ["(22P02,z)"]
      )
    }
  }

  @Test func `of a snapshot too, and what can't even be loaded is refused by its number`() async throws {
    try await TestDatabase.with(.latin1) { production in
      try await TestDatabase.with { staging in
        let columns = "id int PRIMARY KEY, v text, updated_at int"
        for database in [production, staging] {
          try database.run(
            "CREATE SCHEMA production; CREATE SCHEMA staging; CREATE TABLE production.t (\(columns)); CREATE TABLE staging.t (\(columns))"
          )
        }
        try staging.run(
          "INSERT INTO staging.t SELECT n, CASE WHEN n % 100 = 7 THEN '€' ELSE 'é' END, 1 FROM generate_series(1, 300) AS n"
        )
        try await withFolder { folder in
          #expect(try await staging.call("snapshot", "save", "\(folder)/night").status == 0)
          let replay = try await production.call("replay", "\(folder)/night", "--json")
          #expect(replay.status == 65, "\(replay.transcript)")
          let totals = try replay.json()["totals"]
          #expect((totals["read"].integer, totals["inserted"].integer, totals["errors"].integer) == (300, 297, 3))
          #expect(
            try production.rows("SELECT sqlstate, snapshot_row FROM admin.merge_errors ORDER BY 2")
              == ["(22P05,6)", "(22P05,106)", "(22P05,206)"]
          )
          #expect(try production.count("SELECT count(*) FROM production.t") == 297)
          let again = try await production.call("replay", "\(folder)/night", "--json")
          #expect(try again.json()["totals"]["errors"].integer == 3, "\(again.transcript)")
        }
      }
    }
  }

  @Test func `values that rows hand over to each other are not foreseen, and plan says so`() async throws {
    try await TestDatabase.withPair { production, staging in
      try production.run(
        """
        CREATE SCHEMA production; CREATE TABLE production.t (id int PRIMARY KEY, v text UNIQUE, updated_at int);
        INSERT INTO production.t VALUES (1, 'a', 1)
        """
      )
      try staging.run(
        """
        CREATE SCHEMA staging; CREATE TABLE staging.t (id int, v text, updated_at int);
        INSERT INTO staging.t VALUES (1, 'z', 2), (2, 'a', 2)
        """
      )
      let there = ["--staging-database", staging.connectionString, "--json"]
      let plan = try await production.call("plan", arguments: there)
      #expect(
        plan.output.contains("not foreseen: which values of t_v_key one row leaves to another"),
        "\(plan.transcript)"
      )
      #expect(try await production.call("merge", arguments: there).json()["totals"]["errors"].integer == 0)
    }
  }

  @Test func `plan says that only production's collation knows which keys are the same`() async throws {
    try await TestDatabase.withPair { production, staging in
      guard try production.makeCaseless() else { return }
      try production.run(
        """
        CREATE SCHEMA production; CREATE TABLE production.t (k text COLLATE public.caseless PRIMARY KEY, updated_at int);
        """
      )
      try staging.run(
        """
        CREATE SCHEMA staging; CREATE TABLE staging.t (k text, updated_at int);
        INSERT INTO staging.t VALUES ('a', 1), ('A', 2)
        """
      )
      let there = ["--staging-database", staging.connectionString, "--json"]
      let plan = try await production.call("plan", arguments: there)
      #expect(plan.output.contains("which keys are the same by production's collation"), "\(plan.transcript)")
      let merge = try await production.call("merge", arguments: there)
      #expect(try merge.json()["totals"]["duplicate"].integer == 1, "\(merge.transcript)")
    }
  }

  @Test func `such a key is foreseen where production is larger than memory, too`() async throws {
    let settings = ["shared_buffers": "1MB", "effective_cache_size": "1MB"]
    try await TestServer.withOwn(settings: settings) { cluster async throws in
      let production = try TestDatabase(connectionString: cluster.connectionString())
      try production.run("CREATE DATABASE staging")
      let staging = try TestDatabase(connectionString: cluster.connectionString(database: "staging"))
      let kind = "CREATE TYPE public.kind AS ENUM"
      try production.run(
        """
        \(kind) ('a', 'b'); CREATE SCHEMA production;
        CREATE TABLE production.t (k public.kind, id int, updated_at int, PRIMARY KEY (k, id));
        INSERT INTO production.t SELECT 'a', n, 1 FROM generate_series(1, 40000) AS n
        """
      )
      try staging.run(
        """
        \(kind) ('a', 'z'); CREATE SCHEMA staging; CREATE TABLE staging.t (k public.kind, id int, updated_at int);
        INSERT INTO staging.t SELECT CASE WHEN n % 50 = 0 THEN 'z' ELSE 'a' END::public.kind, n, 2 FROM generate_series(1, 200) AS n
        """
      )
      let there = ["--staging-database", staging.connectionString, "--json"]
      let plan = try await production.call("plan", arguments: there)
      #expect(plan.output.contains("production.t is likely to be cold"), "\(plan.transcript)")
      let merge = try await production.call("merge", arguments: there)
      #expect((plan.status, merge.status) == (0, 65), "\(plan.transcript)\(merge.transcript)")
      for outcome in [plan, merge] {
        #expect(try outcome.json()["totals"]["errors"].integer == 4)
        #expect(try outcome.json()["totals"]["updated"].integer == 196)
      }
    }
  }

  @Test
  func `text that production's encoding can't hold is refused and recorded in ASCII, and plan says that it may be`()
    async throws
  {
    try await TestDatabase.with(.latin1) { production in
      try await TestDatabase.with { staging in
        try production.run(
          "CREATE SCHEMA production; CREATE TABLE production.t (id text PRIMARY KEY, v text, updated_at int)"
        )
        try staging.run(
          """
          CREATE SCHEMA staging; CREATE TABLE staging.t (id text, v text, updated_at int);
          INSERT INTO staging.t VALUES ('a', 'é', 1), ('b', '日', 1), ('€', 'x', 1), ('d', 'x', 1);
          """
        )
        let there = ["--staging-database", staging.connectionString, "--json"]
        let plan = try await production.call("plan", arguments: there)
        #expect(plan.output.contains("text in staging's encoding, UTF8, that production's, LATIN1, can't hold"))
        let merge = try await production.call("merge", arguments: there)
        #expect(merge.status == 65, "\(merge.transcript)")
        #expect(try production.rows("SELECT id, v FROM production.t ORDER BY id") == ["(a,é)", "(d,x)"])
        #expect(
          try production.rows(
            "SELECT sqlstate, row_key ->> 'id' = '\\u20AC', row_data ->> 'v' = '\\u65E5' FROM admin.merge_errors ORDER BY 2"
          ) == ["(22P05,f,t)", "(22P05,t,f)"]
        )
        let again = try await production.call("merge", arguments: there)
        #expect(again.status == 65)
        #expect(try again.json()["totals"]["standing_errors"].integer == 2)
      }
    }
  }

  @Test func `a composite type whose fields have another order there is no way to read`() async throws {
    try await TestDatabase.withPair { production, staging in
      func make(_ schema: String, _ fields: String) -> String {
        """
        CREATE TYPE public.place AS (\(fields)); CREATE SCHEMA \(schema);
        CREATE TABLE \(schema).t (k int PRIMARY KEY, v public.place, w public.place[], updated_at int);
        """
      }
      try production.run(make("production", "x int, y int"))
      try staging.run(make("staging", "y int, x int") + "INSERT INTO staging.t VALUES (1, ROW(100, 200), NULL, 1)")
      let there = ["--staging-database", staging.connectionString]
      for command in ["plan", "merge"] {
        let outcome = try await production.call(command, arguments: there)
        #expect(outcome.status == 73, "\(outcome.transcript)")
        #expect(
          outcome.everything.contains(
            "v have the fields (x, y) in production.t and (y, x) in staging.t, and would change"
          )
        )
        #expect(outcome.everything.contains("the values of w have"))
      }
      #expect(try production.count("SELECT count(*) FROM production.t") == 0)
      try staging.run(
        "ALTER TYPE public.place RENAME ATTRIBUTE y TO a; ALTER TYPE public.place RENAME ATTRIBUTE x TO b"
      )
      let merge = try await production.call("merge", arguments: there)
      #expect(merge.status == 0 && merge.errors.contains("field by field"), "\(merge.transcript)")
      #expect(try production.value("SELECT v FROM production.t") == "(100,200)")
    }
  }

  @Test func `a snapshot holds them as names too`() async throws {
    try await TestDatabase.withPair { production, staging in
      try fill(production, staging)
      let folder = try SnapshotFolder()
      try staging.run("CREATE SCHEMA production")
      #expect(try await staging.call("snapshot", arguments: ["save", folder.path]).status == 0)
      let replay = try await production.call("replay", arguments: [folder.path])
      #expect(replay.status == 65, "\(replay.transcript)")
      #expect(try production.rows(Self.found) == Self.expected)
    }
  }

  @Test func `a plan whose sample production can't read still counts`() async throws {
    try await TestDatabase.withPair { production, staging in
      for (database, schema, labels) in [(production, "production", "'a'"), (staging, "staging", "'a', 'c'")] {
        try database.run(
          """
          CREATE TYPE public.e AS ENUM (\(labels)); CREATE SCHEMA \(schema);
          CREATE TABLE \(schema).t (id int PRIMARY KEY, x public.e, updated_at timestamp);
          """
        )
      }
      try production.run("INSERT INTO production.t (id, updated_at) VALUES (1, '2024-01-01')")
      try staging.run("INSERT INTO staging.t VALUES (1, 'c', '2025-01-01'), (2, 'a', '2025-01-01')")
      let there = ["--staging-database", staging.connectionString, "--json"]
      let plan = try await production.call("plan", arguments: there)
      #expect(plan.status == 0, "\(plan.transcript)")
      let merge = try await production.call("merge", arguments: there)
      for count in ["inserted", "updated", "errors"] {
        #expect(try plan.json()["totals"][count].integer == merge.json()["totals"][count].integer, "\(count)")
      }
    }
  }
}
