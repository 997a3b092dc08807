import TestSupport
import Testing

/// Staging as DMS makes it with DROP_AND_CREATE: Oracle's capitals, no key, no status column, types of DMS's choice.
@Suite struct FoldedCaseTests {
  private static let production = """
    CREATE SCHEMA production; CREATE SCHEMA staging;
    CREATE TABLE production.customers (customer_id bigint PRIMARY KEY, name varchar(40) NOT NULL, balance numeric(12,2),
      is_active boolean, created_at timestamptz, updated_at timestamptz(6));
    CREATE TABLE production.orders (order_id int PRIMARY KEY, customer_id bigint REFERENCES production.customers,
      amount numeric, note text, updated_at timestamp);
    """
  /// NUMBER, NUMBER(1), VARCHAR2, DATE, TIMESTAMP, CLOB as DMS's PostgreSQL target makes them.
  private static let staging = """
    CREATE TABLE staging."CUSTOMERS" ("CUSTOMER_ID" numeric(38,10), "NAME" varchar(40), "BALANCE" double precision,
      "IS_ACTIVE" smallint, "CREATED_AT" timestamp(0), "UPDATED_AT" timestamp(6));
    CREATE TABLE staging."ORDERS" ("ORDER_ID" numeric(38,10), "CUSTOMER_ID" numeric(38,10), "AMOUNT" numeric(38,10), "NOTE" text,
      "UPDATED_AT" timestamp(0));
    """
  private static let rows = """
    INSERT INTO production.customers VALUES (1, 'old', 1, true, '2024-01-01Z', '2025-01-01Z'), (2, 'old', 1, true, '2024-01-01Z', '2025-03-01Z');
    INSERT INTO staging."CUSTOMERS" VALUES (1, 'new', 2.5, 0, '2025-01-01', '2025-02-01'), (2, 'new', 2.5, 0, '2025-01-01', '2025-02-01'),
      (3, 'new', 2.5, 1, '2025-01-01', '2025-02-01');
    INSERT INTO staging."ORDERS" VALUES (1, 3, 1.5, 'n', '2025-02-01'), (2, 3, 2.5, 'n', '2025-02-01'), (1, 3, 1.75, 'later', '2025-02-02'),
      (3.5, 3, 2.5, 'no key', '2025-02-01');
    """

  @Test(arguments: [["--fold-case"], []])
  func `it is merged as it is, and findings say what its types lose`(flag: [String]) async throws {
    try await TestDatabase.with { database async throws in
      try database.run(Self.production + Self.staging + Self.rows)
      let files = flag.isEmpty ? ["merge-engine.yaml": "fold_case: true\n"] : [:]
      func call(_ words: String...) async throws -> CommandLineProgram.Outcome {
        try await database.call(arguments: words + flag, files: files)
      }
      // smallint has no cast to boolean that is made by itself.
      let plan = try await call("plan")
      #expect(
        plan.everything.contains("numeric(38,10) is what DMS makes of NUMBER without precision"),
        "\(plan.transcript)"
      )
      #expect(plan.everything.contains("column balance: double precision in staging, numeric(12,2) in production"))
      #expect(plan.everything.contains("Times without a zone are read in --time-zone"))
      #expect(
        plan.everything.contains("1 row of staging.ORDERS with a key order_id that the cast to integer would change")
      )
      try database.writeConcurrently(
        on: "UPDATE",
        of: "production.customers",
        "UPDATE production.customers SET name = 'cdc', updated_at = '2025-02-02Z' WHERE customer_id = 1"
      )
      let merge = try await call("merge", "--json")
      #expect(merge.status == 65, "\(merge.transcript)")
      #expect(try merge.json()["tables"].table("orders")["errors"].integer == 1)
      #expect(
        try database.rows("SELECT customer_id, name, balance, is_active FROM production.customers ORDER BY 1")
          == ["(1,cdc,1.00,t)", "(2,old,1.00,t)", "(3,new,2.50,t)"]
      )
      #expect(
        try database.rows("SELECT order_id, customer_id, amount, note FROM production.orders ORDER BY 1")
          == ["(1,3,1.7500000000,later)", "(2,3,2.5000000000,n)"]
      )
      let status = try await call("status", "--json")
      #expect(try status.json()["tables"].table("orders")["processed"].integer == 3, "\(status.transcript)")
      #expect(
        try database.rows("SELECT table_name FROM admin.oracle_pg_migration_status ORDER BY 1") == [
          "(customers)", "(orders)",
        ]
      )
      let verify = try await call("verify", "--recheck-after", "0", "--json")
      #expect(try verify.json()["tables"].table("orders")["missing"]["count"].integer ?? 0 == 0, "\(verify.transcript)")
      let why = try await call("why", "orders", "1", "--json")
      #expect(try why.json()["staging"].elements.count == 2, "\(why.transcript)")
      #expect(try await call("errors", "dismiss", "--reason", "no key").status == 0)
      #expect(try await call("merge").status == 0)
      let cleanup = try await call("cleanup", "--keep-task")
      #expect(try database.count(#"SELECT count(*) FROM staging."CUSTOMERS""#) == 0, "\(cleanup.transcript)")
    }
  }

  @Test func `without it capitals block, and say how they are taken for the same`() async throws {
    try await TestDatabase.with { database async throws in
      try database.run(Self.production + Self.staging + Self.rows)
      let merge = try await database.call("merge")
      #expect(merge.status == 73)
      #expect(merge.errors.contains("--fold-case"))
      #expect(merge.errors.contains(#"ALTER TABLE "staging"."ORDERS" RENAME TO "orders""#))
    }
  }

  @Test func `two names that differ by case only have to be told apart by the file`() async throws {
    try await TestDatabase.with { database async throws in
      try database.run(Self.production + Self.staging + Self.rows)
      try database.run("CREATE TABLE staging.orders (LIKE production.orders)")
      let merge = try await database.call("merge", "--fold-case")
      #expect(merge.status == 73, "\(merge.transcript)")
      #expect(merge.errors.contains(#"the staging tables staging."orders" and staging."ORDERS" differ only in case"#))
      #expect(merge.errors.contains("tables.orders.staging_table"))
      let file = ["merge-engine.yaml": "fold_case: true\ntables: {orders: {staging_table: ORDERS}}\n"]
      #expect(try await database.call("merge", files: file).status == 65)
      #expect(try database.count("SELECT count(*) FROM production.orders") == 2)
      // The same name goes before one in another case, column by column.
      try database.run(
        """
        CREATE TABLE production.twins ("A" text, a text, k int PRIMARY KEY, updated_at int);
        CREATE TABLE staging."TWINS" ("A" text, a text, "K" int, "UPDATED_AT" int);
        INSERT INTO staging."TWINS" VALUES ('large', 'small', 1, 1);
        """
      )
      #expect(try await database.call("merge", "--table", "twins", "--fold-case").status == 0)
      #expect(try database.rows("TABLE production.twins") == ["(large,small,1,1)"])
    }
  }

  @Test func `init takes capitals for staging that is there, and makes no twin`() async throws {
    try await TestDatabase.with { database async throws in
      try database.run(Self.production + Self.staging)
      let outcome = try await database.call("init", "--fold-case", "--json")
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try outcome.json()["tables"].table("orders")["action"].text == "present")
      #expect(try database.value("to_regclass('staging.orders')") == nil)
    }
  }
}
