import Foundation
import TestSupport
import Testing

/// Staging whose tables and columns have other names than production's, through every command.
@Suite struct StagingNamesTests {
  private static let file = """
    tables:
      orders:
        staging_table: ORA_ORDERS
        columns: {id: ORDER_ID, amount: amt, updated_at: changed}
        ignore_columns: [junk]
    """
  private static let files = ["merge-engine.yaml": file]

  private static let tables = """
    CREATE SCHEMA production; CREATE SCHEMA staging;
    CREATE TABLE production.customers (id int PRIMARY KEY, name text, updated_at timestamp);
    CREATE TABLE staging.customers (id int, name text, updated_at timestamp);
    CREATE TABLE production.orders (id int PRIMARY KEY, customer_id int REFERENCES production.customers, amount numeric(10,2)
      CHECK (amount >= 0), updated_at timestamp);
    CREATE TABLE staging."ORA_ORDERS" ("ORDER_ID" int, customer_id int, amt numeric(10,2), changed timestamp, junk text);
    INSERT INTO staging.customers VALUES (1, 'a', '2025-02-01');
    INSERT INTO production.orders VALUES (1, NULL, 1, '2025-01-01'), (2, NULL, 1, '2025-03-01'), (3, NULL, 1, '2025-01-01');
    INSERT INTO staging."ORA_ORDERS" VALUES (1, 1, 2, '2025-02-01', 'j'), (2, 1, 2, '2025-02-01', 'j'),
      (3, 1, 2, '2025-02-01', 'j'), (4, 1, 2, '2025-02-01', 'j'), (5, 1, -1, '2025-02-01', 'j');
    """

  @Test func `another table and other columns are merged as the file names them, with CDC beside the merge`()
    async throws
  {
    try await TestDatabase.with { database async throws in
      try database.run(Self.tables)
      func call(_ words: String...) async throws -> CommandLineProgram.Outcome {
        try await database.call(arguments: words, files: Self.files)
      }
      let plan = try await call("plan", "--json")
      #expect(plan.status == 0, "\(plan.transcript)")
      #expect(try plan.json()["tables"].table("orders")["inserted"].integer == 1)
      let before = try await call("status", "--json")
      #expect(try before.json()["tables"].table("orders")["pending"].integer == 5, "\(before.transcript)")
      try database.writeConcurrently(
        on: "UPDATE",
        of: "production.orders",
        "UPDATE production.orders SET amount = 9, updated_at = '2025-02-02' WHERE id = 3"
      )
      let merge = try await call("merge", "--json", "--before-images")
      #expect(merge.status == 65, "\(merge.transcript)")
      let orders = try merge.json()["tables"].table("orders")
      #expect(orders["inserted"].integer == 1 && orders["updated"].integer == 1 && orders["stale"].integer == 2)
      #expect(orders["lost_races"].integer == 1)
      #expect(
        try database.rows("SELECT id, customer_id, amount, updated_at::date FROM production.orders ORDER BY id")
          == ["(1,1,2.00,2025-02-01)", "(2,,1.00,2025-03-01)", "(3,,9.00,2025-02-02)", "(4,1,2.00,2025-02-01)"]
      )
      let errors = try await call("errors", "list", "--json")
      #expect(try errors.json()["errors"].elements.map { $0["row_key"].text } == [#"{"id": 5}"#])
      let status = try await call("status", "--json")
      #expect(status.status == 65)
      #expect(try status.json()["tables"].table("orders")["processed"].integer == 4, "\(status.transcript)")
      #expect(
        try database.rows(
          "SELECT table_name, processed_records, error_records FROM admin.oracle_pg_migration_status ORDER BY 1"
        )
          == ["(customers,1,0)", "(orders,4,1)"]
      )
      // Whoever names the table names production's.
      #expect(try await call("status", "--table", "orders").status == 65)
      #expect(try await call("merge", "--table", "orders").status == 65)

      try database.run(
        "UPDATE production.orders SET amount = 5 WHERE id = 1; DELETE FROM production.orders WHERE id = 4"
      )
      let differences = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).jsonl")
      defer { try? FileManager.default.removeItem(at: differences) }
      let verify = try await call("verify", "--recheck-after", "0", "--output", differences.path, "--json")
      #expect(verify.status == 65, "\(verify.transcript)")
      let repair = try await call("repair", differences.path)
      #expect(repair.status == 0, "\(repair.transcript)")
      #expect(
        try database.rows("SELECT id, amount FROM production.orders WHERE id IN (1, 4) ORDER BY id") == [
          "(1,2.00)", "(4,2.00)",
        ]
      )
      let why = try await call("why", "orders", "1", "--json")
      #expect(try why.json()["staging"].elements[0]["values"]["amount"].text == "2.00", "\(why.transcript)")
      #expect(try why.json()["staging"].elements[0]["standing"].text == "merged")
      let refused = try await call("why", "orders", "5", "--json")
      #expect(try refused.json()["staging"].elements[0]["standing"].text == "refused", "\(refused.transcript)")
      #expect(try await call("errors", "dismiss", "--reason", "known").status == 0)
      let report = try await call("report", "1", "--output", differences.path)
      #expect(report.status == 0, "\(report.transcript)")
      let cleanup = try await call("cleanup", "--keep-task")
      #expect(cleanup.everything.contains("orders"), "\(cleanup.transcript)")
    }
  }

  @Test func `a run is taken back, and its rows are found in staging and merged again`() async throws {
    try await TestDatabase.with { database async throws in
      try database.run(Self.tables)
      try database.run(
        #"DELETE FROM staging."ORA_ORDERS" WHERE amt < 0; CREATE INDEX ON production.orders (customer_id)"#
      )
      func call(_ words: String...) async throws -> CommandLineProgram.Outcome {
        try await database.call(arguments: words, files: Self.files)
      }
      let before = try database.rows("TABLE production.orders ORDER BY id")
      #expect(try await call("merge", "--before-images").status == 0)
      let after = try database.rows("TABLE production.orders ORDER BY id")
      let rollback = try await call("rollback", "1", "--json")
      #expect(rollback.status == 0, "\(rollback.transcript)")
      #expect(try database.rows("TABLE production.orders ORDER BY id") == before)
      let again = try await call("merge", "--json")
      #expect(try again.json()["tables"].table("orders")["read"].integer == 3, "\(again.transcript)")
      #expect(try database.rows("TABLE production.orders ORDER BY id") == after)
    }
  }

  @Test func `init makes staging under the names of the file, and adds what it lacks`() async throws {
    try await TestDatabase.with { database async throws in
      try database.run(
        """
        CREATE SCHEMA production;
        CREATE TABLE production.orders (id int PRIMARY KEY, amount int, updated_at timestamp);
        """
      )
      let file = ["merge-engine.yaml": "tables: {orders: {staging_table: orders_stg, columns: {id: ORDER_ID}}}\n"]
      func columns() throws -> [String] {
        try database.rows(
          "SELECT attname FROM pg_attribute WHERE attrelid = 'staging.orders_stg'::regclass AND attnum > 0 ORDER BY attnum"
        )
      }
      #expect(try await database.call("init", files: file).status == 0)
      #expect(try columns() == ["(ORDER_ID)", "(amount)", "(updated_at)"])
      #expect(try database.value("to_regclass('staging.orders')") == nil)
      try database.run("ALTER TABLE production.orders ADD COLUMN note text")
      let again = try await database.call("init", "--json", files: file)
      #expect(
        try again.json()["tables"].table("orders")["note"].text == "staging.orders_stg gained note",
        "\(again.transcript)"
      )
      let grants = try await database.call("init", "--print-grants", "postgres", files: file)
      #expect(grants.output.contains(#""staging"."orders_stg""#))
      try database.run("INSERT INTO staging.orders_stg VALUES (1, 2, now(), 'n')")
      #expect(try await database.call("merge", files: file).status == 0)
      #expect(try database.rows("SELECT id, amount, note FROM production.orders") == ["(1,2,n)"])
    }
  }

  @Test func `a snapshot keeps staging's names, and is replayed and restored under them`() async throws {
    try await TestDatabase.with { database async throws in
      try database.run(Self.tables)
      let folder = try SnapshotFolder()
      let save = try await database.call(
        "snapshot",
        "save",
        folder.path,
        "--table",
        "orders",
        "--table",
        "customers",
        files: Self.files
      )
      #expect(save.status == 0, "\(save.transcript)")
      try database.run(#"ALTER TABLE staging."ORA_ORDERS" RENAME TO kept"#)
      let replay = try await database.call("replay", folder.path, "--json", files: Self.files)
      #expect(replay.status == 65, "\(replay.transcript)")
      #expect(try replay.json()["tables"].table("orders")["updated"].integer == 2)
      #expect(try database.rows("SELECT id, amount FROM production.orders WHERE id = 1") == ["(1,2.00)"])
      let restore = try await database.call(
        "replay",
        folder.path,
        "--into-staging",
        "--table",
        "orders",
        files: Self.files
      )
      #expect(restore.status == 0, "\(restore.transcript)")
      #expect(try database.difference(#"TABLE staging."ORA_ORDERS""#, "TABLE staging.kept") == [])
    }
  }

  @Test func `the documents for DMS load into the staging table of the file, by the column that Oracle has`()
    async throws
  {
    try await TestDatabase.with { database async throws in
      try database.run(Self.tables)
      let mappings = try await database.call(
        "dms",
        "mappings",
        "--from",
        "2025-01-01",
        "--to",
        "2025-02-01",
        "--source-schema",
        "SHOP",
        files: Self.files
      )
      #expect(mappings.status == 0, "\(mappings.transcript)")
      let rules = try JSONValue(text: mappings.output)["rules"].elements
      let rename = rules.first { $0["rule-action"].text == "rename" && $0["rule-target"].text == "table" }
      #expect(rename?["object-locator"]["table-name"].text == "ORDERS")
      #expect(rename?["value"].text == "ORA_ORDERS")
      let selection = rules.first { $0["object-locator"]["table-name"].text == "ORDERS" && $0["filters"] != .null }
      #expect(selection?["filters"].elements[0]["column-name"].text == "CHANGED")
      var files = Self.files
      files["mappings.json"] = mappings.output
      let lint = try await database.call("dms", "lint", "mappings.json", files: files)
      #expect(!lint.everything.contains("there is no such table"), "\(lint.transcript)")
    }
  }

  /// What the file says, and what has to be answered.
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var sql = ""
    let file: String
    var status: Int32 = 78
    let message: [String]
  }

  @Test(arguments: [
    Case(
      testDescription: "a staging table that is not there",
      file: "tables: {orders: {staging_table: ORA_ORDRES}}",
      status: 73,
      message: [
        "there is no staging table staging.ORA_ORDRES, which tables.orders.staging_table names",
        "Did you mean ORA_ORDERS?",
      ]
    ),
    Case(
      testDescription: "a column that production lacks",
      file: "tables: {orders: {staging_table: ORA_ORDERS, columns: {amont: amt}}}",
      message: ["tables.orders.columns: production.orders has no column amont. Did you mean amount?"]
    ),
    Case(
      testDescription: "a column that staging lacks",
      file: "tables: {orders: {staging_table: ORA_ORDERS, columns: {amount: AMOUNT}}}",
      message: ["tables.orders.columns.amount: the staging table ORA_ORDERS has no column AMOUNT"]
    ),
    Case(
      testDescription: "one column for two",
      file: "tables: {orders: {staging_table: ORA_ORDERS, columns: {amount: amt, id: amt}}}",
      message: ["tables.orders.columns: amount and id are both read from amt"]
    ),
    Case(
      testDescription: "a column that is there under both names",
      sql: #"ALTER TABLE staging."ORA_ORDERS" ADD COLUMN amount numeric"#,
      file: "tables: {orders: {staging_table: ORA_ORDERS, columns: {amount: amt}}}",
      message: [
        "tables.orders.columns.amount: it is read from amt, and the staging table ORA_ORDERS has a column amount too"
      ]
    ),
    Case(
      testDescription: "one staging table for two",
      file: "tables: {orders: {staging_table: ORA_ORDERS}, customers: {staging_table: ORA_ORDERS}}",
      message: ["tables.customers.staging_table and tables.orders.staging_table both name ORA_ORDERS"]
    ),
    Case(
      testDescription: "no mapping",
      file: "tables: {orders: {columns: [amount]}}",
      message: ["merge-engine.yaml:1", "tables.orders.columns must be keys with values"]
    ),
  ])
  func `names that stand for nothing are told, and nothing is written`(_ case: Case) async throws {
    try await TestDatabase.with { database async throws in
      try database.run(Self.tables + `case`.sql)
      let before = try database.contents()
      for command in ["plan", "merge"] {
        let outcome = try await database.call(command, files: ["merge-engine.yaml": `case`.file + "\n"])
        #expect(outcome.status == `case`.status, "\(command): \(outcome.transcript)")
        for part in `case`.message { #expect(outcome.everything.contains(part), "\(command): \(outcome.everything)") }
      }
      #expect(try database.contents() == before)
    }
  }

  @Test func `columns may change names with each other`() async throws {
    try await TestDatabase.with { database async throws in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (k int PRIMARY KEY, a text, b text, updated_at int);
        CREATE TABLE staging.t (k int, a text, b text, updated_at int);
        INSERT INTO staging.t VALUES (1, 'is b', 'is a', 1);
        """
      )
      let merge = try await database.call(
        "merge",
        files: ["merge-engine.yaml": "tables: {t: {columns: {a: b, b: a}}}\n"]
      )
      #expect(merge.status == 0, "\(merge.transcript)")
      #expect(try database.rows("SELECT a, b FROM production.t") == [#"("is a","is b")"#])
    }
  }
}
