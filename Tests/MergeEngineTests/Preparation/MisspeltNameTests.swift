import TestSupport
import Testing

/// Names that miss by case or by a letter are answered with the one that exists, and nothing is made beside it.
@Suite struct MisspeltNameTests {
  private static let tables = """
    CREATE SCHEMA production; CREATE SCHEMA staging;
    CREATE TABLE production.customers (id integer PRIMARY KEY, name text, updated_at timestamp);
    CREATE TABLE production.orders (id integer PRIMARY KEY, note text, updated_at timestamp);
    CREATE TABLE staging.orders (id integer, note text, updated_at timestamp);
    INSERT INTO staging.orders VALUES (1, 'new', now());
    """

  @Test(arguments: ["plan", "merge"])
  func `staging in upper case blocks, with the statement that renames it`(command: String) async throws {
    try await TestDatabase.with { database async throws in
      try database.run(Self.tables)
      try database.run(
        """
        CREATE TABLE staging."CUSTOMERS" ("ID" integer, "NAME" text, "UPDATED_AT" timestamp);
        INSERT INTO staging."CUSTOMERS" VALUES (1, 'x', now());
        """
      )
      let before = try database.contents()
      let table = try await database.call(command)
      #expect(table.status == 73)
      #expect(table.everything.contains("only \"customers\", which differs in case"))
      #expect(table.everything.contains("convert-lowercase"))
      #expect(table.everything.contains(#"ALTER TABLE "staging"."CUSTOMERS" RENAME TO "customers""#))
      #expect(table.everything.contains("--table orders"))
      let named = try await database.call(command, "--table", "customers")
      #expect(named.status == 73)
      #expect(named.everything.contains(#"no staging table staging.customers, but staging."CUSTOMERS""#))
      #expect(try database.contents() == before)

      try database.run(#"ALTER TABLE "staging"."CUSTOMERS" RENAME TO "customers""#)
      let columns = try await database.call(command)
      #expect(columns.status == 73)
      #expect(columns.everything.contains("columns of staging.customers differ from production's only in case"))
      let statement = #"RENAME COLUMN "UPDATED_AT" TO "updated_at""#
      #expect(columns.everything.contains(statement))
      // What is missing only by its right name is not told of once more.
      #expect(!columns.everything.contains("is missing in"))
      try database.run(
        """
        ALTER TABLE staging.customers RENAME COLUMN "ID" TO id; ALTER TABLE staging.customers RENAME COLUMN "NAME" TO name;
        ALTER TABLE staging.customers \(statement);
        """
      )
      #expect(try await database.call(command).status == 0)
    }
  }

  @Test func `init makes no twin of a table that differs only by case`() async throws {
    try await TestDatabase.with { database async throws in
      try database.run(Self.tables)
      try database.run(#"CREATE TABLE staging."CUSTOMERS" ("ID" integer, "UPDATED_AT" timestamp)"#)
      let outcome = try await database.call("init", "--json")
      #expect(outcome.status == 0)
      let report = try outcome.json()["tables"].table("customers")
      #expect(report["action"].text == "skipped")
      #expect(report["note"].text?.contains(#"ALTER TABLE "staging"."CUSTOMERS" RENAME TO "customers""#) == true)
      #expect(try database.value("to_regclass('staging.customers')") == nil)
      #expect(try await database.call("init", "--table", "customers").status == 73)
      // Two tables of production may differ by case only: then each has its own.
      try database.run(#"CREATE TABLE production."CUSTOMERS" (id integer PRIMARY KEY, updated_at timestamp)"#)
      #expect(try await database.call("init").status == 0)
      #expect(try database.value("to_regclass('staging.customers')") != nil)
    }
  }

  struct File: Sendable, CustomTestStringConvertible {
    var testDescription: String { text }
    let text: String
    let message: [String]
  }

  @Test(arguments: [
    File(text: "tables: {ordes: {version_column: updated_at}}", message: ["tables.ordes", "Did you mean orders?"]),
    File(text: "tables: {ORDERS: {ignore_columns: [note]}}", message: ["tables.ORDERS", "Did you mean orders?"]),
    File(
      text: "tables: {orders: {version_column: updatd_at}}",
      message: [
        "tables.orders.version_column", "production.orders has no column updatd_at", "Did you mean updated_at?",
      ]
    ),
    File(
      text: "tables: {orders: {ignore_columns: [notes]}}",
      message: ["tables.orders.ignore_columns", "no column notes", "Did you mean note?"]
    ),
    File(
      text: "tables: {orders: {insert_only_columns: [Note]}}",
      message: ["tables.orders.insert_only_columns", "no column Note", "Did you mean note?"]
    ),
    File(text: "tables: {orders: {key: [note, note]}}", message: ["tables.orders.key: it names a column twice"]),
    File(
      text: "tables: {orders: {insert_only_columns: [updated_at]}}",
      message: ["tables.orders.insert_only_columns", "updated_at is the version column"]
    ),
    File(text: "insert_only_columns: [created_at, updated_at]", message: ["updated_at is the version column"]),
    File(text: "insert_only_columns: [nam]", message: ["insert_only_columns", "a column nam", "Did you mean name?"]),
    File(text: "version_colum: updated_at", message: ["unknown key version_colum", "Did you mean version_column?"]),
    File(text: "tables: {orders: {ignore: [note]}}", message: ["unknown key tables.orders.ignore"]),
  ])
  func `the file's tables, columns and options have to be there`(file: File) async throws {
    try await TestDatabase.with { database async throws in
      try database.run(Self.tables)
      let before = try database.contents()
      for command in ["plan", "merge", "init", "verify"] {
        let outcome = try await database.call(command, files: ["merge-engine.yaml": file.text + "\n"])
        #expect(outcome.status == 78, "\(command): \(outcome.everything)")
        for part in file.message { #expect(outcome.errors.contains(part), "\(command): \(outcome.errors)") }
      }
      #expect(try database.contents() == before)
    }
  }

  @Test(arguments: ["plan", "merge", "verify", "status"])
  func `schemas and tables that miss by a letter are answered with the nearest`(command: String) async throws {
    try await TestDatabase.with { database async throws in
      try database.run(Self.tables)
      let table = try await database.call(command, "--table", "ordres")
      #expect(table.status == 73, "\(table.everything)")
      #expect(table.everything.contains("Did you mean orders?"))
      for (option, name, meant) in [
        ("--staging-schema", "stagin", "staging"), ("--production-schema", "Production", "production"),
      ] {
        let schema = try await database.call(command, option, name)
        #expect(schema.status == 73, "\(schema.everything)")
        #expect(schema.everything.contains("there is no schema \(name)"))
        #expect(schema.everything.contains("Did you mean \(meant)?"))
        #expect(!schema.everything.contains("are the same"))
      }
    }
  }

  @Test func `a version column that is missing in production is looked for among its versions`() async throws {
    try await TestDatabase.with { database async throws in
      try database.run(Self.tables)
      try database.run("ALTER TABLE production.orders RENAME COLUMN updated_at TO update_at")
      let outcome = try await database.call()
      #expect(outcome.status == 73)
      #expect(outcome.errors.contains("has no column updated_at"))
      #expect(outcome.errors.contains("Did you mean update_at?"))
    }
  }
}
