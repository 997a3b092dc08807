import Foundation
import Libpq
import TestSupport
import Testing

@testable import MergeEngine

/// A snapshot of several pairs of schemas: two tables of one name don't meet in it, and each goes where its pair is.
@Suite struct SeveralPairsSnapshotTests {
  private func call(_ database: TestDatabase, _ words: String...) async throws -> CommandLineProgram.Outcome {
    try await database.call(arguments: words + SeveralPairsTests.pairs)
  }

  /// Staging of both pairs, saved; then it is gone.
  private func save(_ folder: borrowing SnapshotFolder, _ database: TestDatabase) async throws {
    try database.run(SeveralPairsTests.tables)
    let saved = try await database.call(
      arguments: ["snapshot", "save", folder.path, "--json"] + SeveralPairsTests.pairs
    )
    #expect(saved.status == 0, "\(saved.transcript)")
    let manifest = try saved.json()
    #expect(manifest["format_version"].integer == 2)
    let tables = manifest["tables"].elements.map { table in
      "\(table["pair"]["staging"].text ?? "")=\(table["pair"]["production"].text ?? "") \(table["name"].text ?? "")"
    }
    #expect(
      Set(tables) == ["shop_stg=shop items", "shop_stg=shop orders", "crm_stg=crm customers", "crm_stg=crm items"]
    )
    #expect(Set(manifest["tables"].elements.map(\.["file"].text)).count == 4)
    try database.run("DROP SCHEMA shop_stg CASCADE; DROP SCHEMA crm_stg CASCADE")
  }

  @Test func `its replay merges all of them, parents first, beside CDC, and is taken back`() async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      try await save(folder, database)
      let info = try await CommandLineProgram.run(["snapshot", "info", folder.path])
      #expect(info.status == 0, "\(info.transcript)")
      for words in ["shop.items", "crm.items", "shop_stg=shop, crm_stg=crm"] { #expect(info.output.contains(words)) }
      try database.writeConcurrently(
        on: "UPDATE",
        of: "shop.items",
        "UPDATE shop.items SET v = 5, updated_at = '2025-02-02' WHERE id = 2"
      )
      let replay = try await call(database, "replay", folder.path, "--json", "--before-images", "--workers", "1")
      #expect(replay.status == 65, "\(replay.transcript)")
      let tables = try replay.json()["tables"]
      let names = tables.elements.compactMap { $0["table"].text }
      #expect(Set(names) == ["crm.customers", "crm.items", "shop.items", "shop.orders"])
      #expect(tables.table("shop.orders")["inserted"].integer == 3)
      #expect(tables.table("shop.items")["inserted"].integer == 1 && tables.table("shop.items")["updated"].integer == 1)
      #expect(tables.table("crm.items")["inserted"].integer == 1 && tables.table("crm.items")["errors"].integer == 1)
      #expect(try database.rows("SELECT id, v FROM shop.items ORDER BY id") == ["(1,2)", "(2,5)", "(3,2)"])
      #expect(try database.rows("SELECT id, v FROM crm.items ORDER BY id") == ["(1,9)"])
      #expect(
        try database.rows("SELECT production_schema, table_name FROM admin.merge_errors") == ["(crm,items)"]
      )

      let rollback = try await call(database, "rollback", "1", "--json")
      #expect(rollback.status == 0, "\(rollback.transcript)")
      #expect(try database.rows("SELECT id, v FROM shop.items ORDER BY id") == ["(1,1)", "(2,5)"])
      #expect(try database.count("SELECT (SELECT count(*) FROM crm.items) + (SELECT count(*) FROM shop.orders)") == 0)
      let again = try await call(database, "replay", folder.path, "--json")
      #expect(try again.json()["totals"]["read"].integer == 10, "\(again.transcript)")
      #expect(try database.rows("SELECT id, v FROM crm.items ORDER BY id") == ["(1,9)"])
    }
  }

  @Test func `a table, or a pair, is replayed alone, also into a schema that is called otherwise by now`() async throws
  {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      try await save(folder, database)
      let table = try await call(database, "replay", folder.path, "--json", "--table", "crm.items")
      #expect(try table.json()["tables"].elements.map { $0["table"].text } == ["crm.items"], "\(table.transcript)")
      #expect(try database.rows("SELECT id, v FROM crm.items") == ["(1,9)"])
      #expect(try database.count("SELECT count(*) FROM shop.items") == 2)
      let pair = try await database.call("replay", folder.path, "--json", "--pair", "shop_stg=shop", "--table", "items")
      #expect(pair.status == 0, "\(pair.transcript)")
      #expect(try pair.json()["tables"].elements.map { $0["table"].text } == ["items"])
      #expect(try database.count("SELECT count(*) FROM shop.items") == 3)
      try database.run("CREATE SCHEMA test; CREATE TABLE test.items (LIKE shop.items INCLUDING ALL)")
      let renamed = try await database.call("replay", folder.path, "--pair", "shop_stg=test", "--table", "items")
      #expect(renamed.status == 0, "\(renamed.transcript)")
      #expect(try database.count("SELECT count(*) FROM test.items") == 3)

      for (words, message) in [
        (["--pair", "other=shop"], "no table of the staging schema other. It holds "),
        ([], "no table of the staging schema staging"),
        (SeveralPairsTests.pairs + ["--table", "crm.itms"], "has no table crm.itms"),
      ] {
        let outcome = try await database.call(arguments: ["replay", folder.path] + words)
        #expect(outcome.status == 73, "\(outcome.transcript)")
        #expect(outcome.errors.contains(message), "\(outcome.transcript)")
      }
    }
  }

  @Test func `staging of all pairs is filled from it`() async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      try await save(folder, database)
      let restore = try await call(database, "replay", folder.path, "--into-staging", "--json")
      #expect(restore.status == 0, "\(restore.transcript)")
      #expect(
        try restore.json()["tables"].elements.map { "\($0["schema"].text ?? "").\($0["table"].text ?? "")" }.sorted()
          == ["crm_stg.customers", "crm_stg.items", "shop_stg.items", "shop_stg.orders"]
      )
      #expect(try database.count("SELECT count(*) FROM shop_stg.items") == 3)
      #expect(try database.count("SELECT count(*) FROM crm_stg.items") == 2)
      #expect(try await call(database, "merge").status == 65)
      #expect(try database.rows("SELECT id, v FROM crm.items") == ["(1,9)"])
    }
  }

  @Test func `an interrupted replay goes on in each pair's table of a name by itself`() async throws {
    try await TestDatabase.with { database async throws in
      try database.run(
        """
        CREATE SCHEMA a; CREATE SCHEMA a_stg; CREATE SCHEMA b; CREATE SCHEMA b_stg;
        CREATE TABLE a.t (id int PRIMARY KEY, parent int REFERENCES a.t, updated_at timestamp);
        CREATE TABLE b.t (id int PRIMARY KEY, parent int REFERENCES b.t, updated_at timestamp);
        CREATE TABLE a_stg.t (LIKE a.t); CREATE TABLE b_stg.t (LIKE b.t);
        INSERT INTO a_stg.t SELECT n, NULLIF(n + 1, 21), '2025-01-01' FROM generate_series(1, 20) AS n;
        INSERT INTO b_stg.t SELECT n, CASE n WHEN 3 THEN 99 ELSE NULLIF(n + 1, 31) END, '2025-01-01' FROM generate_series(1, 30) AS n
        """
      )
      let pairs = ["--pair", "a_stg=a", "--pair", "b_stg=b"]
      let folder = try SnapshotFolder()
      #expect(try await database.call(arguments: ["snapshot", "save", folder.path] + pairs).status == 0)
      // Children before their parents: each batch's rows wait for those of the next, in both tables.
      let words = ["replay", folder.path, "--json", "--batch", "4", "--workers", "1"] + pairs
      let replay = try await database.call(arguments: words)
      #expect(replay.status == 65, "\(replay.transcript)")
      let tables = try replay.json()["tables"]
      #expect(tables.table("a.t")["inserted"].integer == 20 && tables.table("a.t")["errors"].integer == 0)
      #expect(tables.table("b.t")["inserted"].integer == 27 && tables.table("b.t")["errors"].integer == 3)
      try database.run("INSERT INTO b.t VALUES (99, NULL, '2025-01-01')")
      let again = try await database.call(arguments: words)
      #expect(again.status == 0, "\(again.transcript)")
      #expect(try database.count("SELECT count(*) FROM b.t") == 31)
    }
  }

  @Test func `one of an earlier version, which knows no pairs, is read as before`() async throws {
    try await TestDatabase.with { database async throws in
      try database.run(SeveralPairsTests.tables)
      let folder = try SnapshotFolder()
      let save = try await database.call("snapshot", "save", folder.path, "--pair", "shop_stg=shop")
      #expect(save.status == 0, "\(save.transcript)")
      try folder.change("manifest.json") { data in
        var manifest = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        var tables = try #require(manifest["tables"] as? [[String: Any]])
        for index in tables.indices { tables[index]["pair"] = nil }
        manifest["tables"] = tables
        #expect(manifest["format_version"] as? Int == 1)
        data = try JSONSerialization.data(withJSONObject: manifest)
      }
      try database.run("INSERT INTO crm.customers VALUES (1, 'a', NULL), (2, 'b', NULL)")
      // Of one pair, so it goes to whatever pair is named; of several to the one with its staging schema.
      let one = try await database.call("replay", folder.path, "--json", "--pair", "elsewhere=shop")
      #expect(one.status == 0, "\(one.transcript)")
      #expect(try one.json()["tables"].elements.map { $0["table"].text } == ["items", "orders"])
      try database.run("TRUNCATE shop.orders")
      let several = try await call(database, "replay", folder.path)
      #expect(several.status == 73 && several.errors.contains("the staging schema crm_stg"), "\(several.transcript)")
      let named = try await database.call(
        "replay",
        folder.path,
        "--json",
        "--pair",
        "shop_stg=shop",
        files: ["merge-engine.yaml": "pairs: [shop_stg=shop, crm_stg=crm]\n"]
      )
      #expect(named.status == 0, "\(named.transcript)")
      #expect(try database.count("SELECT count(*) FROM shop.orders") == 3)
    }
  }

  @Test func `throughput is told of each table of a name by itself`() async throws {
    try await TestDatabase.with { database async throws in
      try database.run(SeveralPairsTests.tables)
      #expect(try await call(database, "merge").status == 65)
      #expect(
        try database.sortedRows(
          "SELECT production_schema, table_name, sum(records_read) FROM admin.merge_batches GROUP BY 1, 2"
        )
          == ["(crm,customers,2)", "(crm,items,2)", "(shop,items,3)", "(shop,orders,3)"]
      )
      let connection = try Connection(to: database.target, applicationName: "test") { _ in }
      let series = try RunThroughput.read(1, Identifier("admin"), connection)?.tables.map {
        "\($0.name) \($0.rowCount)"
      }.sorted()
      #expect(series == ["crm.customers 2", "crm.items 2", "shop.items 3", "shop.orders 3"])
      // An admin schema of before has no column for it, and gets one.
      try database.run("ALTER TABLE admin.merge_batches DROP COLUMN production_schema")
      #expect(try await call(database, "report", "1", "--output", "-").status == 0)
      try database.run("INSERT INTO shop_stg.items VALUES (4, 4, '2025-02-01')")
      #expect(try await call(database, "merge").status == 65)
      #expect(
        try database.rows("SELECT DISTINCT production_schema FROM admin.merge_batches WHERE run_id = 2") == ["(shop)"]
      )
    }
  }
}
