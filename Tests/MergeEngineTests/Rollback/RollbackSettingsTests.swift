import TestSupport
import Testing

/// A rollback goes by what its run has read, whatever the settings say by now.
@Suite struct RollbackSettingsTests {
  private static let byCode = ["merge-engine.yaml": "tables: {items: {key: [code]}}"]
  private static let plain = ["merge-engine.yaml": "batch: 1000"]

  @Test(arguments: [(byCode, plain), (plain, byCode)])
  func `rows are read again by the key that the run has matched them by`(
    ofRun: [String: String],
    ofRollback: [String: String]
  ) async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.items (id int PRIMARY KEY, code int NOT NULL UNIQUE, n int, updated_at int);
        CREATE TABLE staging.items (id int, code int, n int, updated_at int);
        INSERT INTO production.items VALUES (1, 102, 1, 1), (2, 101, 1, 1);
        INSERT INTO staging.items VALUES (1, 102, 2, 2), (3, 1, 7, 7), (4, 103, 1, 1), (103, 55, 1, 1);
        """
      )
      let merge = try await database.call("merge", arguments: ["--before-images"], files: ofRun)
      #expect(merge.status == 0, "\(merge.transcript)")
      let merged = try database.sortedRows("TABLE production.items")
      let rollback = try await database.call("rollback", arguments: ["1"], files: ofRollback)
      #expect(rollback.status == 0 && rollback.everything.contains("4 staging rows"), "\(rollback.transcript)")
      #expect(try database.sortedRows("TABLE production.items") == ["(1,102,1,1)", "(2,101,1,1)"])
      let again = try await database.call("merge", files: ofRun)
      #expect(again.status == 0, "\(again.transcript)")
      #expect(try database.sortedRows("TABLE production.items") == merged)
    }
  }

  @Test func `the same columns are the same key, be it the primary one or not`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: "id int PRIMARY KEY, updated_at int", staging: "id int, updated_at int")
      try database.run("INSERT INTO staging.t VALUES (1, 1), (2, 1)")
      #expect(try await database.call("merge", "--before-images").status == 0)
      try database.run("ALTER TABLE production.t DROP CONSTRAINT t_pkey, ADD UNIQUE (id)")
      let rollback = try await database.call("rollback", "1", "--json")
      #expect(rollback.status == 0, "\(rollback.transcript)")
      #expect(try rollback.json()["totals"]["deleted"].integer == 2)
    }
  }

  @Test func `a rollback finds the staging table that its run has read`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.items (id int PRIMARY KEY, updated_at int);
        CREATE TABLE staging.ora (id int, updated_at int); CREATE TABLE staging.items (id int, updated_at int);
        INSERT INTO staging.ora VALUES (1, 1), (2, 1);
        """
      )
      let settings = ["merge-engine.yaml": "tables: {items: {staging_table: ora}}"]
      #expect(try await database.call("merge", arguments: ["--before-images"], files: settings).status == 0)
      let rollback = try await database.call("rollback", arguments: ["1"])
      #expect(rollback.status == 0 && rollback.everything.contains("2 staging rows"), "\(rollback.transcript)")
      let again = try await database.call("merge", arguments: ["--json"], files: settings)
      #expect(try again.json()["totals"]["inserted"].integer == 2, "\(again.transcript)")
    }
  }

  @Test func `a rollback that would look for keys in other columns of staging is refused`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.items (id int PRIMARY KEY, n int, updated_at int);
        CREATE TABLE staging.items (id int, n int, updated_at int); INSERT INTO staging.items VALUES (1, 2, 1), (5, 1, 1);
        """
      )
      let settings = ["merge-engine.yaml": "tables: {items: {columns: {id: n, n: id}}}"]
      #expect(try await database.call("merge", arguments: ["--before-images"], files: settings).status == 0)
      for words in [["1", "--plan"], ["1"]] {
        let refused = try await database.call("rollback", arguments: words)
        #expect(refused.status == 73 && refused.everything.contains("key id from n"), "\(refused.transcript)")
      }
      #expect(try database.count("SELECT count(*) FROM production.items") == 2)
      let rollback = try await database.call("rollback", arguments: ["1"], files: settings)
      #expect(rollback.status == 0 && rollback.everything.contains("2 staging rows"), "\(rollback.transcript)")
    }
  }
}
