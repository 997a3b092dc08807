import Foundation
import TestSupport
import Testing

/// `replay --into-staging`: staging as it was when it was saved.
@Suite struct SnapshotRestoreTests {
  @Test func `staging gets its rows and marks back, in tables that are there and in new ones`() async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      try await prepare(database, folder)
      try database.run(
        """
        CREATE SCHEMA kept; CREATE TABLE kept.orders AS TABLE staging.orders;
        CREATE TABLE kept.customers AS TABLE staging.customers;
        TRUNCATE staging.orders; DROP TABLE staging.customers CASCADE
        """
      )
      let production = try database.versions(of: "production.orders")
      let outcome = try await database.call("replay", folder.path, "--into-staging", "--json")
      #expect(outcome.status == 0)
      #expect(try outcome.json()["tables"].table("orders")["rows"].integer == 200)
      #expect(try outcome.json()["tables"].table("orders")["created"] == .bool(false))
      #expect(try outcome.json()["tables"].table("customers")["created"] == .bool(true))
      for table in ["orders", "customers"] {
        #expect(
          try database.sortedRows("SELECT * FROM staging.\(table)")
            == database.sortedRows("SELECT * FROM kept.\(table)")
        )
      }
      #expect(try database.staged("PROCESSED") == 30)
      #expect(try database.versions(of: "production.orders") == production)
      // A table made anew can be merged, and takes the next load.
      #expect(try await database.call("--quiet").status == 0)
      #expect(
        try database.holds(
          "EXISTS (SELECT FROM pg_constraint WHERE conrelid = 'staging.customers'::regclass AND contype = 'p')"
        )
      )
    }
  }

  @Test func `a table that holds a row is left alone, and so are all others`() async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      try await prepare(database, folder)
      try database.run("TRUNCATE staging.customers; DELETE FROM staging.orders WHERE order_id > 1")
      let before = try database.contents()
      let outcome = try await database.call("replay", folder.path, "--into-staging")
      #expect(outcome.status == 73)
      #expect(outcome.errors.contains("orders: staging.orders holds rows"))
      #expect(try database.contents() == before)
    }
  }

  @Test func `a table with other columns is left alone, and every difference is named`() async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      try await prepare(database, folder)
      try database.run(
        """
        TRUNCATE staging.orders, staging.customers;
        ALTER TABLE staging.orders ADD extra integer, ALTER amount TYPE numeric(12,3), DROP order_date
        """
      )
      let before = try database.contents()
      let outcome = try await database.call("replay", folder.path, "--into-staging")
      #expect(outcome.status == 73)
      for text in [
        "has no column order_date", "has a column extra", "the column amount of staging.orders is numeric(12,3)",
      ] {
        #expect(outcome.errors.contains(text))
      }
      #expect(try database.contents() == before)
    }
  }

  @Test func `production is never restored into`() async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      try await prepare(database, folder)
      try database.run("TRUNCATE production.orders, production.customers")
      let outcome = try await database.call("replay", folder.path, "--into-staging", "--staging-schema", "production")
      #expect(outcome.status == 64)
      #expect(try database.number("SELECT count(*) FROM production.orders") == 0)
    }
  }

  @Test func `into another database that has no staging schema`() async throws {
    try await TestDatabase.withPair { first, second async throws in
      let folder = try SnapshotFolder()
      try await prepare(first, folder)
      #expect(try await second.call("replay", folder.path, "--into-staging", "--table", "orders").status == 0)
      #expect(try second.sortedRows("SELECT * FROM staging.orders") == first.sortedRows("SELECT * FROM staging.orders"))
      #expect(try second.number("SELECT count(*) FROM pg_tables WHERE schemaname = 'staging'") == 1)
    }
  }

  @Test func `into the database that --staging-database names, and no other`() async throws {
    try await TestDatabase.withPair { production, staging async throws in
      let folder = try SnapshotFolder()
      try await prepare(production, folder)
      try production.run("TRUNCATE staging.orders, staging.customers")
      let before = try production.contents()
      let outcome = try await production.call(
        "replay",
        folder.path,
        "--into-staging",
        "--staging-database",
        staging.connectionString
      )
      #expect(outcome.status == 0)
      #expect(try staging.number("SELECT count(*) FROM staging.orders") == 200)
      #expect(try production.contents() == before)
    }
  }

  @Test func `an interrupted restore ends with 130 and has written nothing`() async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      try await prepare(database, folder)
      try database.run("DROP TABLE staging.customers CASCADE; TRUNCATE staging.orders")
      let before = try database.contents()
      let blocker = try database.connect()
      try blocker.run("BEGIN; LOCK TABLE staging.orders IN SHARE MODE")
      let replay = try database.launch(["replay", folder.path, "--into-staging"])
      try await database.wait(for: TestDatabase.somebodyWaitsForALock)
      replay.send(SIGINT)
      #expect(try await replay.outcome().status == 130)
      try blocker.run("ROLLBACK")
      #expect(try database.contents() == before)
      #expect(try await database.call("replay", folder.path, "--into-staging").status == 0)
    }
  }

  @Test func `a view of a table's name is left alone`() async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      try await prepare(database, folder)
      try database.run(
        """
        TRUNCATE staging.orders; DROP TABLE staging.customers CASCADE; CREATE VIEW staging.customers AS SELECT 1 AS one
        """
      )
      let before = try database.contents()
      let outcome = try await database.call("replay", folder.path, "--into-staging")
      #expect(outcome.status == 73)
      #expect(outcome.errors.contains("customers: staging.customers is not an ordinary table"))
      #expect(try database.contents() == before)
    }
  }

  @Test func `a column of a type without a binary form comes back as text, and a merge reads it`() async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (id integer PRIMARY KEY, rights aclitem, updated_at timestamp);
        CREATE TABLE staging.t (id integer, rights aclitem, updated_at timestamp);
        INSERT INTO staging.t SELECT 1, (current_user || '=r/' || current_user)::aclitem, '2025-01-01'
        """
      )
      #expect(try await database.call("snapshot", "save", folder.path, "--quiet").status == 0)
      try database.run("CREATE TABLE kept AS SELECT id, rights FROM staging.t; TRUNCATE staging.t")
      let refused = try await database.call("replay", folder.path, "--into-staging")
      #expect(refused.status == 73)
      #expect(refused.errors.contains("the snapshot holds its values as text"))
      #expect(refused.errors.contains("the replay creates it with a text column"))
      try database.run("DROP TABLE staging.t")
      #expect(try await database.call("replay", folder.path, "--into-staging").status == 0)
      #expect(try database.value("SELECT pg_typeof(rights) FROM staging.t") == "text")
      #expect(try await database.call("--quiet").status == 0)
      #expect(
        try database.sortedRows("SELECT id, rights FROM production.t") == database.sortedRows("SELECT * FROM kept")
      )
    }
  }

  @Test(arguments: [["--restart", "--into-staging"], ["--staging-database", "dbname=x"]])
  func `options that contradict each other are wrong usage`(arguments: [String]) async throws {
    let outcome = try await CommandLineProgram.run(["replay", "somewhere"] + arguments)
    #expect(outcome.status == 64)
  }

  /// 200 orders, 30 of which are marked, and 50 customers, saved.
  private func prepare(_ database: TestDatabase, _ folder: borrowing SnapshotFolder) async throws {
    try await database.makeGuideTables()
    try database.fillGuideTables(orderCount: 200, customerCount: 50)
    try database.run("UPDATE staging.orders SET _dms_processing_status = 'PROCESSED' WHERE order_id <= 30")
    #expect(try await database.call("snapshot", "save", folder.path, "--quiet").status == 0)
  }
}
