import Foundation
import TestSupport
import Testing

/// Several pairs of schemas in one run: ordered by foreign keys across schemas, and nothing of one taken for another's.
@Suite struct SeveralPairsTests {
  /// The order of a dictionary must not decide.
  @Test func `what is said with the schema goes before what is said of all, though names have dots`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int PRIMARY KEY, changed int, updated_at int"
      for pair in ["a", "b"] {
        try database.run(
          """
          CREATE SCHEMA p\(pair); CREATE TABLE p\(pair)."it.ems" (\(columns));
          CREATE SCHEMA s\(pair); CREATE TABLE s\(pair)."it.ems" (\(columns));
          INSERT INTO p\(pair)."it.ems" VALUES (1, 9, 1); INSERT INTO s\(pair)."it.ems" VALUES (1, 8, 2)
          """
        )
      }
      let settings = """
        pairs: [sa=pa, sb=pb]
        tables:
          it.ems: {version_column: updated_at}
          pb.it.ems: {version_column: changed}
        """
      for _ in 0..<8 {
        let plan = try await database.call("plan", arguments: ["--json"], files: ["merge-engine.yaml": settings])
        let totals = try plan.json()["totals"]
        #expect(totals["updated"].integer == 1 && totals["stale"].integer == 1, "\(plan.transcript)")
      }
    }
  }

  static let pairs = ["--pair", "shop_stg=shop", "--pair", "crm_stg=crm"]

  /// `items` in both pairs, and orders of one that refer to customers of the other.
  static let tables = """
    CREATE SCHEMA shop; CREATE SCHEMA shop_stg; CREATE SCHEMA crm; CREATE SCHEMA crm_stg;
    CREATE TABLE crm.customers (id int PRIMARY KEY, name text, updated_at timestamp);
    CREATE TABLE shop.orders (id int PRIMARY KEY, customer_id int NOT NULL REFERENCES crm.customers, updated_at timestamp);
    CREATE TABLE shop.items (id int PRIMARY KEY, v int CHECK (v > 0), updated_at timestamp);
    CREATE TABLE crm.items (id int PRIMARY KEY, v int CHECK (v > 0), updated_at timestamp);
    CREATE TABLE crm_stg.customers (LIKE crm.customers); CREATE TABLE shop_stg.orders (LIKE shop.orders);
    CREATE TABLE shop_stg.items (LIKE shop.items); CREATE TABLE crm_stg.items (LIKE crm.items);
    CREATE INDEX ON shop.orders (customer_id);
    INSERT INTO crm_stg.customers VALUES (1, 'a', '2025-02-01'), (2, 'b', '2025-02-01');
    INSERT INTO shop_stg.orders VALUES (1, 1, '2025-02-01'), (2, 2, '2025-02-01'), (3, 2, '2025-02-01');
    INSERT INTO shop.items VALUES (1, 1, '2025-01-01'), (2, 1, '2025-01-01');
    INSERT INTO shop_stg.items VALUES (1, 2, '2025-02-01'), (2, 2, '2025-02-01'), (3, 2, '2025-02-01');
    INSERT INTO crm_stg.items VALUES (1, 9, '2025-02-01'), (7, -1, '2025-02-01');
    """

  private func call(_ database: TestDatabase, _ words: String...) async throws -> CommandLineProgram.Outcome {
    try await database.call(arguments: words + Self.pairs)
  }

  @Test func `they are merged in one run, parents first, with CDC beside it, and every command knows them apart`()
    async throws
  {
    try await TestDatabase.with { database async throws in
      try database.run(Self.tables)
      let plan = try await call(database, "plan", "--json")
      #expect(plan.status == 0, "\(plan.transcript)")
      #expect(try plan.json()["tables"].table("crm.items")["errors"].integer == 1)
      try database.writeConcurrently(
        on: "UPDATE",
        of: "shop.items",
        "UPDATE shop.items SET v = 5, updated_at = '2025-02-02' WHERE id = 2"
      )
      let merge = try await call(database, "merge", "--json", "--before-images", "--workers", "1")
      #expect(merge.status == 65, "\(merge.transcript)")
      let tables = try merge.json()["tables"]
      let names = tables.elements.compactMap { $0["table"].text }
      #expect(Set(names) == ["crm.customers", "crm.items", "shop.items", "shop.orders"])
      #expect(names.firstIndex(of: "crm.customers") ?? 9 < names.firstIndex(of: "shop.orders") ?? 0)
      #expect(
        tables.table("shop.orders")["inserted"].integer == 3 && tables.table("shop.orders")["errors"].integer == 0
      )
      #expect(tables.table("shop.items")["inserted"].integer == 1 && tables.table("shop.items")["updated"].integer == 1)
      #expect(tables.table("crm.items")["inserted"].integer == 1 && tables.table("crm.items")["errors"].integer == 1)
      #expect(try database.rows("SELECT id, v FROM shop.items ORDER BY id") == ["(1,2)", "(2,5)", "(3,2)"])
      #expect(try database.rows("SELECT id, v FROM crm.items ORDER BY id") == ["(1,9)"])
      #expect(
        try database.rows(
          "SELECT production_schema, table_name, records_read FROM admin.merge_logs WHERE table_name = 'items' ORDER BY 1"
        ) == ["(crm,items,2)", "(shop,items,3)"]
      )

      let status = try await call(database, "status", "--json")
      #expect(try status.json()["tables"].table("shop.items")["processed"].integer == 3, "\(status.transcript)")
      #expect(try status.json()["tables"].table("crm.items")["errors"].integer == 1)
      #expect(try status.json()["last_run"]["run_id"].integer == 1)
      // The run is one of each pair's too.
      let one = try await database.call("status", "--json", "--staging-schema", "crm_stg", "--production-schema", "crm")
      #expect(try one.json()["last_run"]["run_id"].integer == 1, "\(one.transcript)")
      #expect(try one.json()["tables"].table("items")["errors"].integer == 1)
      #expect(
        try database.rows(
          "SELECT table_name, total_records, error_records FROM admin.oracle_pg_migration_status ORDER BY 1"
        )
          == ["(crm.customers,2,0)", "(crm.items,2,1)", "(shop.items,3,0)", "(shop.orders,3,0)"]
      )
      let errors = try await call(database, "errors", "list", "--json")
      #expect(
        try errors.json()["errors"].elements.map { $0["table_name"].text } == ["crm.items"],
        "\(errors.transcript)"
      )
      let retry = try await call(database, "errors", "retry", "--table", "crm.items", "--json")
      #expect(try retry.json()["released"]["crm.items"].integer == 1, "\(retry.transcript)")
      #expect(try await call(database, "merge").status == 65)
      #expect(try await call(database, "errors", "dismiss", "--reason", "known").status == 0)
      #expect(try await call(database, "merge").status == 0)
      #expect(try await call(database, "report", "1", "--output", "-").status != 70)
    }
  }

  @Test func `a schema with a dot in its name has tables that can be named`() async throws {
    try await TestDatabase.with { database async throws in
      try database.run(
        """
        CREATE SCHEMA prod; CREATE SCHEMA stg; CREATE SCHEMA "prod.a"; CREATE SCHEMA "stg.a";
        CREATE TABLE prod.t (id int PRIMARY KEY, v text, updated_at int); CREATE TABLE stg.t (LIKE prod.t);
        CREATE TABLE "prod.a".t (LIKE prod.t INCLUDING ALL); CREATE TABLE "stg.a".t (LIKE prod.t);
        INSERT INTO stg.t VALUES (1, 'one', 1); INSERT INTO "stg.a".t VALUES (2, 'two', 1), (3, 'three', 1);
        """
      )
      let pairs = ["--pair", "stg=prod", "--pair", "stg.a=prod.a"]
      let merge = try await database.call(arguments: ["merge", "--table", "prod.a.t", "--json"] + pairs)
      #expect(merge.status == 0, "\(merge.transcript)")
      #expect(try merge.json()["totals"]["inserted"].integer == 2)
      let why = try await database.call(arguments: ["why", "prod.a.t", "2"] + pairs)
      #expect(why.status == 0, "\(why.transcript)")
      #expect(try await database.call(arguments: ["merge", "--table", "prod.t"] + pairs).status == 0)
      #expect(try database.count("SELECT count(*) FROM prod.t") == 1)
    }
  }

  /// What is asked of one would be answered for the other.
  @Test(arguments: ["merge", "plan", "status", "verify", "why x.y.t 1", "init", "errors list"])
  func `tables that would be called alike are not taken into one run`(_ command: String) async throws {
    try await TestDatabase.with { database async throws in
      try database.run(
        """
        CREATE SCHEMA x; CREATE SCHEMA "x.y"; CREATE SCHEMA sx; CREATE SCHEMA sxy;
        CREATE TABLE x."y.t" (id int PRIMARY KEY, updated_at int); CREATE TABLE sx."y.t" (id int, updated_at int);
        CREATE TABLE "x.y".t (id int PRIMARY KEY, updated_at int); CREATE TABLE sxy.t (id int, updated_at int);
        INSERT INTO sx."y.t" VALUES (1, 1); INSERT INTO sxy.t VALUES (1, 1)
        """
      )
      let words = command.split(separator: " ").map(String.init)
      let outcome = try await database.call(arguments: words + ["--pair", "sx=x", "--pair", "sxy=x.y"])
      #expect(outcome.status == 64, "\(outcome.transcript)")
      #expect(outcome.errors.contains(#""x"."y.t" and "x.y"."t" would both be called x.y.t"#), "\(outcome.transcript)")
      #expect(try await database.call("merge", "--staging-schema", "sx", "--production-schema", "x").status == 0)
    }
  }

  @Test func `verify, repair, why and rollback work on all of them`() async throws {
    try await TestDatabase.with { database async throws in
      try database.run(Self.tables + "DELETE FROM crm_stg.items WHERE v < 0;")
      #expect(try await call(database, "merge", "--before-images").status == 0)
      #expect(try await call(database, "verify", "--recheck-after", "0").status == 0)
      try database.run("UPDATE shop.items SET v = 77 WHERE id = 3; UPDATE crm.items SET v = 78")
      let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).jsonl")
      defer { try? FileManager.default.removeItem(at: file) }
      let verify = try await call(database, "verify", "--recheck-after", "0", "--output", file.path, "--json")
      #expect(verify.status == 65, "\(verify.transcript)")
      let why = try await call(database, "why", "crm.items", "1", "--json")
      #expect(try why.json()["production"]["values"]["v"].text == "78", "\(why.transcript)")
      let ambiguous = try await call(database, "why", "items", "1")
      #expect(
        ambiguous.status == 64 && ambiguous.errors.contains("items is in several schemas"),
        "\(ambiguous.transcript)"
      )
      let repair = try await call(database, "repair", file.path, "--json")
      #expect(repair.status == 0, "\(repair.transcript)")
      #expect(
        try database.rows("SELECT v FROM shop.items WHERE id = 3 UNION ALL SELECT v FROM crm.items") == ["(2)", "(9)"]
      )
      let undone = try await call(database, "rollback", "2", "--json")
      #expect(undone.status == 0, "\(undone.transcript)")
      let rollback = try await call(database, "rollback", "1", "--table", "shop.orders", "--json")
      #expect(rollback.status == 0, "\(rollback.transcript)")
      #expect(try database.count("SELECT count(*) FROM shop.orders") == 0)
      let again = try await call(database, "merge", "--table", "shop.orders", "--json")
      #expect(try again.json()["tables"].elements.map { $0["read"].integer } == [3], "\(again.transcript)")
      #expect(try database.count("SELECT count(*) FROM shop.orders") == 3)
    }
  }

  @Test func `init makes staging for all of them, and the file may name the pairs and a table's rules with its schema`()
    async throws
  {
    try await TestDatabase.with { database async throws in
      try database.run(Self.tables)
      try database.run("DROP SCHEMA shop_stg CASCADE; DROP SCHEMA crm_stg CASCADE")
      let file = """
        pairs: [shop_stg=shop, crm_stg=crm]
        tables: {crm.items: {staging_table: ora_items}, orders: {columns: {customer_id: cust}}}
        """
      let files = ["merge-engine.yaml": file + "\n"]
      let made = try await database.call("init", "--json", files: files)
      #expect(made.status == 0, "\(made.transcript)")
      #expect(try made.json()["tables"].table("crm.items")["action"].text == "created")
      #expect(try database.value("to_regclass('crm_stg.ora_items')") != nil)
      #expect(try database.value("to_regclass('shop_stg.items')") != nil)
      try database.run(
        "INSERT INTO crm_stg.ora_items VALUES (5, 5, '2025-02-01'); INSERT INTO shop_stg.items VALUES (1, 6, '2025-02-01')"
      )
      let merge = try await database.call("merge", "--json", files: files)
      #expect(merge.status == 0, "\(merge.transcript)")
      #expect(try database.rows("SELECT v FROM crm.items") == ["(5)"])
      #expect(try database.rows("SELECT v FROM shop.items WHERE id = 1") == ["(6)"])
    }
  }

  @Test(
    arguments: [
      (["--pair", "shop_stg"], 64, "--pair shop_stg is not a pair of schemas"),
      (["--pair", "shop_stg=shop", "--pair", "shop_stg=crm"], 64, "the schema shop_stg is named in two pairs"),
      (["--pair", "shop_stg=shop", "--staging-schema", "x"], 64, "--pair goes with neither --staging-schema nor"),
      (["--pair", "shop_stg=shop", "--pair", "crm_stg=crn"], 73, "there is no schema crn"),
      (["--pair", "shop_stg=shop", "--pair", "crm_stg=crm", "--table", "crm.itms"], 73, "Did you mean items?"),
      (["--pair", "shop=shop"], 64, "the staging and the production schema are the same"),
    ] as [([String], Int32, String)]
  )
  func `what is no pair is told, and nothing is written`(words: [String], status: Int32, message: String) async throws {
    try await TestDatabase.with { database async throws in
      try database.run(Self.tables)
      let before = try database.contents()
      let outcome = try await database.call("merge", arguments: words)
      #expect(outcome.status == status, "\(outcome.transcript)")
      #expect(outcome.everything.contains(message), "\(outcome.transcript)")
      #expect(try database.contents() == before)
    }
  }

  @Test(arguments: ["status", "plan", "verify", "cleanup", "errors list"])
  func `whoever asks about a schema of two pairs is told so`(command: String) async throws {
    try await TestDatabase.with { database async throws in
      try database.run(Self.tables)
      let words = command.split(separator: " ").map(String.init)
      let pairs = ["--pair", "shop_stg=shop", "--pair", "shop_stg=crm"]
      let outcome = try await database.call(words[0], arguments: words.dropFirst() + pairs)
      #expect(outcome.status == 64, "\(outcome.transcript)")
      #expect(outcome.everything.contains("the schema shop_stg is named in two pairs"), "\(outcome.transcript)")
    }
  }

  @Test func `what is asked for one pair takes nothing from the other`() async throws {
    try await TestDatabase.with { database async throws in
      try database.run(Self.tables)
      try database.run("DELETE FROM crm_stg.items WHERE v < 0")
      #expect(try await call(database, "merge", "--before-images").status == 0)
      let kept = try await database.call("cleanup", "--keep-staging", "--older-than", "0", "--pair", "crm_stg=crm")
      #expect(kept.status == 0, "\(kept.transcript)")
      #expect(try database.count("SELECT count(*) FROM admin.merge_summary") == 1)
      #expect(
        try database.rows("SELECT schema_name FROM admin.before_images WHERE dropped_at IS NULL GROUP BY 1 ORDER BY 1")
          == [
            "(crm)", "(shop)",
          ]
      )
      let outcome = try await database.call("rollback", "1", "--pair", "shop_stg=shop", "--json")
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try outcome.json()["tables"].elements.count == 2)
      #expect(try database.rows("SELECT id, v FROM shop.items ORDER BY id") == ["(1,1)", "(2,1)"])
      #expect(try database.count("SELECT count(*) FROM crm.customers") == 2)
      #expect(try database.rows("SELECT id, v FROM crm.items") == ["(1,9)"])
      // Its rows are read again, and the other pair's are not.
      let merge = try await call(database, "merge", "--json")
      #expect(try merge.json()["totals"]["read"].integer == 6, "\(merge.transcript)")
    }
  }
}
