import Foundation
import TestSupport
import Testing

/// Tables whose staging is called otherwise, in commands that count and import: what the file says of them is understood with the schema
/// and without it.
@Suite struct RenamedTablesTests {
  private func fill(_ database: TestDatabase) throws {
    try database.run(
      """
      CREATE SCHEMA production; CREATE SCHEMA staging;
      CREATE TABLE production.items (id int PRIMARY KEY, v varchar(3) CHECK (v <> 'bad'), updated_at timestamp);
      CREATE TABLE staging."ITEMS_stg" (order_id int, val varchar(9), updated_at timestamp);
      INSERT INTO staging."ITEMS_stg" SELECT n, 'a' || n, '2025-01-01' FROM generate_series(1, 50) n;
      INSERT INTO staging."ITEMS_stg" VALUES (51, 'bad', '2025-01-01');
      """
    )
  }

  private static func file(_ name: String, _ more: String = "", ignored: String = "") -> [String: String] {
    [
      "own.yaml": """
      \(more)
      tables:
        \(name): {staging_table: ITEMS_stg, columns: {id: order_id, v: val}\(ignored)}
      """
    ]
  }

  @Test(arguments: [("items", ""), ("production.items", ""), ("production.items", "pairs: [staging=production]")])
  func `status and the views know them`(_ name: String, _ pairs: String) async throws {
    try await TestDatabase.with { database async throws in
      try fill(database)
      func call(_ words: String...) async throws -> CommandLineProgram.Outcome {
        try await database.call(arguments: words + ["--config", "own.yaml"], files: Self.file(name, pairs))
      }
      #expect(try await call("merge").status == 65)
      let status = try await call("status", "--json")
      #expect(status.status == 65, "\(status.transcript)")
      let table = try status.json()["tables"].table("items")
      #expect(table["processed"].integer == 50 && table["errors"].integer == 1, "\(status.transcript)")
      #expect(try await call("status", "--table", name).status == 65)
      #expect(
        try database.rows("SELECT table_name, column_name, status FROM admin.oracle_pg_type_verification")
          == ["(items,v,\"LENGTH MISMATCH\")"]
      )
    }
  }

  @Test func `files of staging's columns become a snapshot that replay merges by the same file`() async throws {
    try await TestDatabase.with { database async throws in
      try fill(database)
      let folder = try SnapshotFolder()
      let load = URL(filePath: folder.path).appending(path: "load/ITEMS_STG")
      try FileManager.default.createDirectory(at: load, withIntermediateDirectories: true)
      try Data("ORDER_ID,VAL,UPDATED_AT,ZZ\n7,x,2025-02-01,?\n8,y,2025-02-01,?\n".utf8).write(
        to: load.appending(path: "LOAD1.csv")
      )
      let files = Self.file("items")
      let made = try await database.call(
        "snapshot",
        "from-csv",
        "\(folder.path)/night",
        load.deletingLastPathComponent().path,
        arguments: ["--header", "--config", "own.yaml", "--table", "items"],
        files: Self.file("items", ignored: ", ignore_columns: [zz]")
      )
      #expect(made.status == 0, "\(made.transcript)")
      let replay = try await database.call(
        "replay",
        "\(folder.path)/night",
        arguments: ["--config", "own.yaml"],
        files: files
      )
      #expect(replay.status == 0, "\(replay.transcript)")
      #expect(try database.rows("SELECT id, v FROM production.items ORDER BY 1") == ["(7,x)", "(8,y)"])
    }
  }

  @Test func `a schema that the file names in two pairs is the file's mistake`() async throws {
    let outcome = try await CommandLineProgram.run(
      ["plan", "--database", "host=/nowhere", "--config", "own.yaml"],
      files: ["own.yaml": "pairs: [a=b, a=c]"]
    )
    #expect(
      outcome.status == 78 && outcome.errors.contains("own.yaml: pairs: the schema a is named twice"),
      "\(outcome.everything)"
    )
  }
}
