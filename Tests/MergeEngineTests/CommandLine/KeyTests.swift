import Foundation
import TestSupport
import Testing

/// Tables whose rows are matched by another unique index than the primary key's, through every command.
@Suite struct KeyTests {
  /// `production.items` without a primary key, unique by a code that is never NULL.
  private static let keyless = """
    CREATE SCHEMA production; CREATE SCHEMA staging;
    CREATE TABLE production.items (name text, code varchar(10) NOT NULL UNIQUE, updated_at timestamp);
    """

  /// Numbered by production itself, while Oracle knows nothing but the order number.
  private static let numbered = """
    CREATE SCHEMA production; CREATE SCHEMA staging;
    CREATE TABLE production.orders (id bigserial PRIMARY KEY, shop text NOT NULL, number int NOT NULL, note text,
      email text UNIQUE, updated_at timestamp, UNIQUE (shop, number));
    CREATE TABLE staging.orders (shop text, number int, note text, email text, updated_at timestamp);
    """
  private static let byNumber = ["merge-engine.yaml": "tables: {orders: {key: [number, shop]}}\n"]

  @Test
  func `the only unique index over NOT NULL columns is the key, from init to rollback, with CDC beside the merge`()
    async throws
  {
    try await TestDatabase.with { database async throws in
      try database.run(Self.keyless)
      let made = try await database.call("init", "--json")
      #expect(try made.json()["tables"].table("items")["action"].text == "created", "\(made.transcript)")
      #expect(
        try database.rows(
          "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'staging.items'::regclass AND contype = 'p'"
        )
          == [#"("PRIMARY KEY (code)")"#]
      )
      try database.run(
        """
        INSERT INTO production.items VALUES ('old', 'a', '2025-01-01'), ('old', 'b', '2025-03-01'), ('old', 'c', '2025-01-01');
        INSERT INTO staging.items SELECT 'new', code, timestamp '2025-02-01' FROM unnest('{a,b,c,d,e}'::text[]) AS code;
        """
      )
      let plan = try await database.call("plan", "--json")
      #expect(plan.status == 0, "\(plan.transcript)")
      #expect(try plan.json()["totals"]["inserted"].integer == 2)
      // CDC is a moment faster with one row to be inserted, and with one to be updated.
      try database.writeConcurrently(
        on: "INSERT",
        of: "production.items",
        "INSERT INTO production.items VALUES ('cdc', 'e', '2025-02-02'); UPDATE production.items SET name = 'cdc', updated_at = '2025-02-02' WHERE code = 'c'"
      )
      let merge = try await database.call("merge", "--json", "--before-images")
      #expect(merge.status == 0, "\(merge.transcript)")
      let totals = try merge.json()["totals"]
      #expect(totals["inserted"].integer == 1)
      #expect(totals["updated"].integer == 1)
      #expect(totals["stale"].integer == 3)
      #expect(
        try database.sortedRows("SELECT code, name FROM production.items")
          == ["(a,new)", "(b,old)", "(c,cdc)", "(d,new)", "(e,cdc)"]
      )
      let verify = try await database.call("verify", "--recheck-after", "0")
      #expect(verify.status == 0, "\(verify.transcript)")
      let why = try await database.call("why", "items", "a", "--json")
      #expect(try why.json()["images"].elements[0]["before"]["name"].text == "old", "\(why.transcript)")
      let rollback = try await database.call("rollback", "1", "--json")
      #expect(rollback.status == 0, "\(rollback.transcript)")
      #expect(
        try database.sortedRows("SELECT code, name FROM production.items")
          == ["(a,old)", "(b,old)", "(c,cdc)", "(e,cdc)"]
      )
    }
  }

  @Test func `another index than the primary key is named in the file, and what production numbers itself stays`()
    async throws
  {
    try await TestDatabase.with { database async throws in
      try database.run(Self.numbered)
      try database.run(
        """
        INSERT INTO production.orders (shop, number, note, email, updated_at) VALUES
          ('x', 1, 'old', 'a@x', '2025-01-01'), ('x', 2, 'old', 'b@x', '2025-01-01'), ('y', 1, 'old', 'c@x', '2025-01-01');
        INSERT INTO staging.orders VALUES ('x', 1, 'new', 'a@x', '2025-02-01'), ('y', 1, 'new', 'd@x', '2025-02-01'),
          ('y', 2, 'new', 'c@x', '2025-02-01'), ('y', 3, 'new', 'b@x', '2025-02-01');
        """
      )
      // Without the file rows would be matched by a number that staging does not have.
      let without = try await database.call()
      #expect(without.status == 73)
      #expect(without.errors.contains("the key column id is missing in staging.orders"))
      let merge = try await database.call("merge", "--json", "--before-images", files: Self.byNumber)
      // b@x is another order's, which no staging row gives away: the unique e-mail is asked for beside the key.
      #expect(merge.status == 65, "\(merge.transcript)")
      #expect(try merge.json()["totals"]["errors"].integer == 1)
      #expect(
        try database.rows("SELECT shop, number, note, email FROM production.orders ORDER BY 1, 2")
          == ["(x,1,new,a@x)", "(x,2,old,b@x)", "(y,1,new,d@x)", "(y,2,new,c@x)"]
      )
      #expect(
        try database.rows("SELECT id FROM production.orders WHERE note = 'old' OR number = 1 ORDER BY id") == [
          "(1)", "(2)", "(3)",
        ]
      )
      let errors = try await database.call("errors", "list", "--json")
      #expect(try errors.json()["errors"].elements[0]["row_key"].text == #"{"shop": "y", "number": 3}"#)

      try database.run("UPDATE production.orders SET note = 'mended by hand' WHERE shop = 'x' AND number = 1")
      let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).jsonl")
      defer { try? FileManager.default.removeItem(at: file) }
      let verify = try await database.call(
        "verify",
        "--recheck-after",
        "0",
        "--output",
        file.path,
        files: Self.byNumber
      )
      #expect(verify.status == 65, "\(verify.transcript)")
      let repair = try await database.call("repair", file.path, "--kind", "differing", "--json", files: Self.byNumber)
      #expect(repair.status == 0 || repair.status == 65, "\(repair.transcript)")
      #expect(try database.value("SELECT note FROM production.orders WHERE shop = 'x' AND number = 1") == "new")
      let why = try await database.call("why", "orders", "shop=x", "number=1", files: Self.byNumber)
      #expect(why.status == 0, "\(why.transcript)")
    }
  }

  @Test func `a snapshot knows the key, and a replay says when another one is used`() async throws {
    try await TestDatabase.with { database async throws in
      try database.run(Self.numbered)
      try database.run("INSERT INTO staging.orders VALUES ('x', 1, 'new', 'a@x', '2025-02-01')")
      let folder = try SnapshotFolder()
      let save = try await database.call("snapshot", "save", folder.path, files: Self.byNumber)
      #expect(save.status == 0, "\(save.transcript)")
      #expect(try String(decoding: folder.bytes("manifest.json"), as: UTF8.self).contains(#""number""#))
      let replay = try await database.call("replay", folder.path, "--json", files: Self.byNumber)
      #expect(replay.status == 0, "\(replay.transcript)")
      #expect(try replay.json()["totals"]["inserted"].integer == 1)
      try database.run(
        "CREATE UNIQUE INDEX by_all ON production.orders (shop, number, updated_at); ALTER TABLE production.orders ALTER updated_at SET NOT NULL"
      )
      let other = try await database.call(
        "replay",
        folder.path,
        files: ["merge-engine.yaml": "tables: {orders: {key: [shop, number, updated_at]}}\n"]
      )
      #expect(other.everything.contains("when the snapshot was taken it was shop, number"), "\(other.transcript)")
    }
  }

  @Test func `a deferrable key, a partitioned table and one with INCLUDE are matched by their unique indexes`()
    async throws
  {
    try await TestDatabase.with { database async throws in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.d (k int NOT NULL UNIQUE DEFERRABLE INITIALLY DEFERRED, v text, updated_at int);
        CREATE TABLE production.p (k int NOT NULL, v text, updated_at int NOT NULL) PARTITION BY RANGE (k);
        CREATE TABLE production.p1 PARTITION OF production.p FOR VALUES FROM (0) TO (3);
        CREATE TABLE production.p2 PARTITION OF production.p FOR VALUES FROM (3) TO (9);
        CREATE UNIQUE INDEX by_k ON production.p (k);
        CREATE TABLE production.i (k int NOT NULL, v text, updated_at int);
        CREATE UNIQUE INDEX covering ON production.i (k) INCLUDE (v);
        """
      )
      #expect(try await database.call("init").status == 0)
      for table in ["d", "p", "i"] {
        try database.run(
          """
          INSERT INTO production.\(table) VALUES (1, 'old', 1), (2, 'old', 9);
          INSERT INTO staging.\(table) VALUES (1, 'new', 2), (2, 'new', 2), (5, 'new', 2);
          """
        )
      }
      let merge = try await database.call("merge", "--json")
      #expect(merge.status == 0, "\(merge.transcript)")
      for table in ["d", "p", "i"] {
        #expect(
          try database.rows("SELECT k, v FROM production.\(table) ORDER BY k") == ["(1,new)", "(2,old)", "(5,new)"]
        )
      }
    }
  }

  @Test func `a key whose index is deferrable beside one that is not is merged too`() async throws {
    try await TestDatabase.with { database async throws in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (k int PRIMARY KEY, v int CHECK (v > 0), updated_at int, UNIQUE (k) DEFERRABLE);
        CREATE TABLE staging.t (k int, v int, updated_at int);
        INSERT INTO staging.t VALUES (1, 1, 1), (2, 0, 1);
        """
      )
      let merge = try await database.call("merge", "--json")
      #expect(merge.status == 65, "\(merge.transcript)")
      #expect(try merge.json()["totals"]["inserted"].integer == 1)
    }
  }

  /// What production has, what the file says, and what has to be answered.
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let sql: String
    var file = ""
    var status: Int32 = 73
    let message: [String]
  }

  @Test(arguments: [
    Case(
      testDescription: "no unique index at all",
      sql: "CREATE TABLE production.t (k int, v text, updated_at int)",
      message: [
        "production.t has no primary key, and no unique index",
        #"If k tells them apart: ALTER TABLE "production"."t" ADD PRIMARY KEY ("k");"#,
      ]
    ),
    Case(
      testDescription: "no unique index of a partitioned table",
      sql: "CREATE TABLE production.t (k int, v text, updated_at int) PARTITION BY LIST (v)",
      message: [
        "Add a primary key over the columns that tell them apart and those by which it is partitioned",
        #"ALTER TABLE "production"."t" ADD PRIMARY KEY (…);"#,
      ]
    ),
    Case(
      testDescription: "a column that may be NULL",
      sql: "CREATE TABLE production.t (k int UNIQUE, v text, updated_at int)",
      message: [
        "production.t has no primary key", "the unique index t_k_key of production.t allows NULL in k",
        #"ALTER TABLE "production"."t" ALTER COLUMN "k" SET NOT NULL;"#,
      ]
    ),
    Case(
      testDescription: "a partial index",
      sql: "CREATE TABLE production.t (k int NOT NULL, v text, updated_at int);"
        + "CREATE UNIQUE INDEX part ON production.t (k) WHERE k > 0",
      message: [
        "the unique index part of production.t is partial",
        #"CREATE UNIQUE INDEX CONCURRENTLY ON "production"."t" ("k");"#,
      ]
    ),
    Case(
      testDescription: "an expression",
      sql: "CREATE TABLE production.t (k text NOT NULL, v text, updated_at int);"
        + "CREATE UNIQUE INDEX lowered ON production.t (lower(k))",
      message: ["the unique index lowered of production.t is over an expression"]
    ),
    Case(
      testDescription: "another collation",
      sql: "CREATE TABLE production.t (k text NOT NULL, v text, updated_at int);"
        + #"CREATE UNIQUE INDEX other ON production.t (k COLLATE "POSIX")"#,
      message: ["the unique index other of production.t has another collation for k"]
    ),
    Case(
      testDescription: "an index that is not valid",
      sql: "CREATE TABLE production.t (k int NOT NULL, v text, updated_at int);"
        + "CREATE UNIQUE INDEX broken ON production.t (k);"
        + "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'production.broken'::regclass",
      message: [
        "the unique index broken of production.t is not valid",
        #"REINDEX INDEX CONCURRENTLY "production"."broken";"#,
      ]
    ),
    Case(
      testDescription: "two candidates",
      sql: "CREATE TABLE production.t (k int NOT NULL UNIQUE, v text NOT NULL, \"a b\" int NOT NULL, updated_at int, "
        + "UNIQUE (v, \"a b\"))",
      message: [
        "production.t has no primary key, and rows could be matched by 2 unique indexes",
        "under tables.t in the file", "key: [k] (index t_k_key)", "key: [v, 'a b'] (index t_v_a b_key)",
      ]
    ),
    Case(
      testDescription: "an index that is gone",
      sql: "CREATE TABLE production.t (k int PRIMARY KEY, v text NOT NULL, updated_at int)",
      file: "tables: {t: {key: [v]}}",
      message: [
        "tables.t.key names (v), and no unique index of production.t is over just that column",
        #"CREATE UNIQUE INDEX CONCURRENTLY ON "production"."t" ("v");"#, "key: [k] (index t_pkey)",
      ]
    ),
    Case(
      testDescription: "a named index whose column may be NULL",
      sql: "CREATE TABLE production.t (k int PRIMARY KEY, v text UNIQUE, updated_at int)",
      file: "tables: {t: {key: [v]}}",
      message: ["the unique index t_v_key of production.t allows NULL in v", "key: [k] (index t_pkey)"]
    ),
    Case(
      testDescription: "a column that there is not",
      sql: "CREATE TABLE production.t (k int PRIMARY KEY, v text, updated_at int)",
      file: "tables: {t: {key: [kk]}}",
      status: 78,
      message: ["tables.t.key: production.t has no column kk. Did you mean k?"]
    ),
    Case(
      testDescription: "no column",
      sql: "CREATE TABLE production.t (k int PRIMARY KEY, v text, updated_at int)",
      file: "tables: {t: {key: []}}",
      status: 78,
      message: ["tables.t.key: it names no column"]
    ),
    Case(
      testDescription: "no list",
      sql: "CREATE TABLE production.t (k int PRIMARY KEY, v text, updated_at int)",
      file: "tables: {t: {key: k}}",
      status: 78,
      message: ["merge-engine.yaml:1", "tables.t.key must be a list"]
    ),
  ])
  func `what can't be a key is told, with the statement or the line that helps`(_ case: Case) async throws {
    try await TestDatabase.with { database async throws in
      try database.run("CREATE SCHEMA production; CREATE SCHEMA staging; \(`case`.sql)")
      try database.run("CREATE TABLE staging.t AS TABLE production.t; INSERT INTO staging.t VALUES (1)")
      let before = try database.contents()
      for command in ["plan", "merge", "verify"] {
        let outcome = try await database.call(command, files: ["merge-engine.yaml": `case`.file + "\n"])
        #expect(outcome.status == `case`.status, "\(command): \(outcome.transcript)")
        for part in `case`.message { #expect(outcome.everything.contains(part), "\(command): \(outcome.everything)") }
      }
      #expect(try database.contents() == before)
    }
  }

  @Test func `a primary key that is not the key is warned of where it would be updated`() async throws {
    try await TestDatabase.with { database async throws in
      try database.run(Self.numbered)
      try database.run(
        """
        ALTER TABLE staging.orders ADD COLUMN id bigint;
        INSERT INTO staging.orders VALUES ('x', 1, 'new', 'a@x', '2025-02-01', 77);
        """
      )
      let plan = try await database.call("plan", files: Self.byNumber)
      #expect(
        plan.everything.contains("so id of its primary key is updated like any other column"),
        "\(plan.transcript)"
      )
      let ignoring = ["merge-engine.yaml": "tables: {orders: {key: [number, shop], ignore_columns: [id]}}\n"]
      let merge = try await database.call("merge", files: ignoring)
      #expect(merge.status == 0 && !merge.everything.contains("primary key"), "\(merge.transcript)")
      #expect(try database.rows("SELECT id, note FROM production.orders") == ["(1,new)"])
    }
  }
}
