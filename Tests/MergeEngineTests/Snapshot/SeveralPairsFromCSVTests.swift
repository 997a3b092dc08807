import Foundation
import TestSupport
import Testing

/// `snapshot from-csv` of several pairs of schemas: the folders above a table's say whose the files are.
@Suite struct SeveralPairsFromCSVTests {
  private static let pairs = ["--pair", "shop_stg=shop", "--pair", "crm_stg=crm"]

  private func makeTables(_ database: TestDatabase) throws {
    for schema in ["shop", "crm"] {
      try database.run(
        """
        CREATE SCHEMA \(schema);
        CREATE TABLE \(schema).items (id int PRIMARY KEY, v text, updated_at timestamp);
        INSERT INTO \(schema).items SELECT n, 'old', '2025-01-01' FROM generate_series(1, 3) n;
        """
      )
    }
    try database.run("CREATE TABLE crm.customers (id int PRIMARY KEY, updated_at timestamp)")
  }

  private func write(_ text: String, to name: String, in folder: borrowing SnapshotFolder) throws {
    let url = URL(filePath: folder.path).appending(path: name)
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: url)
  }

  private func importing(_ database: TestDatabase, _ folder: borrowing SnapshotFolder, _ words: String...) async throws
    -> CommandLineProgram.Outcome
  {
    try await database.call(
      arguments: ["snapshot", "from-csv", "\(folder.path)/night", "\(folder.path)/load", "--json"] + words + Self.pairs
    )
  }

  @Test func `tables of one name go to the pair that the folder above says, deletes too`() async throws {
    try await TestDatabase.with { database async throws in
      try makeTables(database)
      let folder = try SnapshotFolder()
      try write("I,1,shop,2025-02-01\nD,3,old,2025-01-01\n", to: "load/SHOP/ITEMS/LOAD00000001.csv", in: folder)
      try write(
        "I,2,crm,2025-02-01\nD,1,old,2025-01-01\n",
        to: "load/crm_stg/items/2025/02/LOAD00000001.csv",
        in: folder
      )
      // Only one pair has such a table.
      try write("7,2025-02-01\n", to: "load/somewhere/CUSTOMERS/LOAD00000001.csv", in: folder)
      let outcome = try await importing(database, folder)
      #expect(outcome.status == 0, "\(outcome.transcript)")
      let tables = try outcome.json()["tables"].elements
      #expect(Set(tables.compactMap { $0["table"].text }) == ["shop.items", "crm.items", "crm.customers"])
      #expect(tables.allSatisfy { $0["snapshot_rows"].integer == 1 })
      let replay = try await database.call(arguments: ["replay", "\(folder.path)/night"] + Self.pairs)
      #expect(replay.status == 0, "\(replay.transcript)")
      #expect(try database.rows("SELECT id, v FROM shop.items ORDER BY id") == ["(1,shop)", "(2,old)", "(3,old)"])
      #expect(try database.rows("SELECT id, v FROM crm.items ORDER BY id") == ["(1,old)", "(2,crm)", "(3,old)"])
      #expect(try database.count("SELECT count(*) FROM crm.customers") == 1)
      let repair = try await database.call(
        arguments: [
          "repair", "\(folder.path)/night/deletes.jsonl", "--kind", "extra", "--max-extra-percent", "50", "--json",
        ] + Self.pairs
      )
      #expect(repair.status == 0, "\(repair.transcript)")
      #expect(try database.rows("SELECT id FROM shop.items ORDER BY id") == ["(1)", "(2)"])
      #expect(try database.rows("SELECT id FROM crm.items ORDER BY id") == ["(2)", "(3)"])
    }
  }

  @Test(arguments: [
    ("load/hr/ITEMS/LOAD1.csv", "may belong to shop.items or crm.items"),
    ("load/SHOP/CUSTOMERS/LOAD1.csv", "lies in the folder of shop.CUSTOMERS, but no such table is imported"),
  ])
  func `what may be of two tables, or of none, is refused`(_ file: String, _ reason: String) async throws {
    try await TestDatabase.with { database async throws in
      try makeTables(database)
      let folder = try SnapshotFolder()
      try write("1,x,2025-02-01\n", to: file, in: folder)
      let refused = try await importing(database, folder)
      #expect(refused.status == 73 && refused.errors.contains(reason), "\(refused.transcript)")
      #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/night"))
      guard file.contains("ITEMS") else { return }
      let named = try await importing(database, folder, "--table", "crm.items")
      #expect(named.status == 0, "\(named.transcript)")
      #expect(try named.json()["tables"].elements.map { $0["table"].text } == ["crm.items"])
    }
  }
}
