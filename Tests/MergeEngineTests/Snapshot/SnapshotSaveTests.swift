import Foundation
import Testing

/// What a snapshot holds, and what stands against taking one.
@Suite struct SnapshotSaveTests {
  @Test func `psql loads the files with its copy command, row by row what staging has`() async throws {
    try await ScratchDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      try await database.makeGuideTables()
      try database.fillGuideTables(orderCount: 100, customerCount: 50)
      #expect(try await database.run("snapshot", "save", folder.path).status == 0)
      try database.execute("CREATE TABLE public.loaded (LIKE staging.orders)")
      let psql = Process()
      psql.executableURL = URL(filePath: "/usr/bin/env")
      psql.arguments = [
        "psql", "--no-psqlrc", "--quiet", database.connectionString, "--command",
        "\\copy public.loaded from '\(folder.file("orders.pgcopy").path)' with (format binary)",
      ]
      try psql.run()
      psql.waitUntilExit()
      #expect(psql.terminationStatus == 0)
      #expect(try database.rows("SELECT * FROM public.loaded") == database.rows("SELECT * FROM staging.orders"))
    }
  }

  @Test func `the manifest says what a replay needs to know, and nothing secret`() async throws {
    try await ScratchDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      try await database.makeGuideTables()
      try database.fillGuideTables(orderCount: 100, customerCount: 50)
      #expect(try await database.run("merge", "--from", "2025-01-15", "--to", "2025-02-01").status == 0)
      let save = try await database.run(
        "snapshot",
        "save",
        folder.path,
        "--json",
        environment: ["PGPASSWORD": ScratchDatabase.password]
      )
      #expect(save.status == 0)
      let text = String(decoding: try folder.bytes("manifest.json"), as: UTF8.self)
      #expect(!text.contains(ScratchDatabase.password))
      #expect(!text.contains("host="))
      let manifest = try JSONValue(text: text)
      #expect(try save.json() == manifest)
      #expect(manifest["format_version"].integer == 1)
      #expect(manifest["staging_schema"].text == "staging")
      #expect(manifest["encoding"].text == "UTF8")
      #expect(manifest["window"]["from"].text == "2025-01-15")
      #expect(manifest["window"]["to"].text == "2025-02-01")
      let orders = try #require(manifest["tables"].elements.first { $0["name"].text == "orders" })
      #expect(orders["rows"].integer == 100)
      #expect(orders["bytes"].integer == (try folder.bytes("orders.pgcopy")).count)
      #expect(orders["key"] == .array([.string("order_id")]))
      #expect(orders["version_column"].text == "updated_at")
      #expect(orders["columns"].elements.map { $0["name"].text }.first == "order_id")
    }
  }

  @Test func `info shows what was saved, as a table and as JSON, without a database`() async throws {
    try await ScratchDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      try await database.makeGuideTables()
      try database.fillGuideTables(orderCount: 1234, customerCount: 50)
      let save = try await database.run("snapshot", "save", folder.path, "--json")
      let text = try await CommandLineProgram.run(["snapshot", "info", folder.path])
      #expect(text.status == 0)
      #expect(text.output.contains(/orders +1,234 +78.3 kB +6 +order_id +updated_at/))
      #expect(text.output.contains("checked: 1,284 rows in \(folder.path)"))
      let json = try await CommandLineProgram.run(["snapshot", "info", folder.path, "--json"])
      #expect(try json.json() == save.json())
    }
  }

  @Test func `all tables are saved as they are at one moment`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      // Every transaction of the writer puts the same row into both tables.
      for name in ["a", "z"] {
        try database.makePair(
          name,
          production: "id int PRIMARY KEY, updated_at timestamp",
          staging: "id int, updated_at timestamp"
        )
        try database.run("INSERT INTO staging.\(name) SELECT n, '2025-01-01' FROM generate_series(1, 60000) AS n")
      }
      let connectionString = database.connectionString
      let writer = Task {
        let other = try TestDatabase(connectionString: connectionString)
        var id = 60_000
        while !Task.isCancelled {
          id += 1
          try other.run("INSERT INTO staging.a VALUES (\(id)); INSERT INTO staging.z VALUES (\(id))")
        }
        return id
      }
      let manifest = try await database.save(folder)
      writer.cancel()
      let lastID = try await writer.value
      #expect(manifest.tables[0].rowCount == manifest.tables[1].rowCount)
      #expect(lastID > 60_000)
    }
  }

  @Test func `a folder that holds anything is left alone`() async throws {
    try await ScratchDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      try await database.makeGuideTables()
      #expect(try await database.run("snapshot", "save", folder.path).status == 0)
      let manifest = try folder.bytes("manifest.json")
      let again = try await database.run("snapshot", "save", folder.path)
      #expect(again.status == 73)
      #expect(again.errors.contains("is not empty: it holds a snapshot"))
      #expect(try folder.bytes("manifest.json") == manifest)
    }
  }

  @Test func `a folder that another save is writing to is left alone`() async throws {
    try await ScratchDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      try await database.makeGuideTables()
      try FileManager.default.createDirectory(at: folder.url, withIntermediateDirectories: false)
      try Data().write(to: folder.file("manifest.json.unfinished"))
      let outcome = try await database.run("snapshot", "save", folder.path)
      #expect(outcome.status == 73)
      #expect(outcome.errors.contains("is not empty"))
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["manifest.json.unfinished"])
    }
  }

  @Test func `staging in another database is saved, with production's key, and replayed without it`() async throws {
    try await ScratchDatabase.withPair { production, staging async throws in
      let folder = try SnapshotFolder()
      try production.makeGuideProduction()
      try staging.execute(
        """
        CREATE SCHEMA staging;
        CREATE TABLE staging.orders (order_id integer, amount numeric(10,2), updated_at timestamp);
        INSERT INTO staging.orders SELECT n, n, '2025-01-01' FROM generate_series(1, 20) AS n
        """
      )
      let save = try await production.run(
        "snapshot",
        "save",
        folder.path,
        "--json",
        "--staging-database",
        staging.connectionString
      )
      #expect(save.status == 0)
      #expect(try save.json()["tables"].elements[0]["key"] == .array([.string("order_id")]))
      #expect(try save.json()["tables"].elements[0]["primary_key"] == .array([]))
      #expect(try await production.run("replay", folder.path).status == 0)
      #expect(try production.number("SELECT count(*) FROM production.orders") == 20)
    }
  }

  @Test func `where no file can be written it says so and ends with 73`() async throws {
    try await ScratchDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      try await database.makeGuideTables()
      try Data().write(to: folder.url)
      let outcome = try await database.run("snapshot", "save", folder.path + "/below-a-file")
      #expect(outcome.status == 73)
      #expect(outcome.errors.contains("can't be made or read"))
    }
  }

  @Test func `a full disk ends with 74, says what to do, and leaves no folder`() async throws {
    try await ScratchDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      try await database.makeGuideTables()
      try database.fillGuideTables(orderCount: 20_000, customerCount: 50)
      // A limit of the process stands for a full disk: the write fails in the same place, in another word. No signal.
      let shell = "trap '' XFSZ; ulimit -f 512; exec \"$0\" \"$@\""
      let program = try await CommandLineProgram.run(
        ["snapshot", "save", folder.path, "--database", database.connectionString],
        through: shell
      )
      #expect(program.status == 74)
      #expect(program.errors.contains("while writing \(folder.file("orders.pgcopy").path): File too large"))
      #expect(!FileManager.default.fileExists(atPath: folder.path))
    }
  }

  @Test(arguments: [["--table", "no_such"], ["--staging-schema", "nowhere"]])
  func `what is not there can't be saved, and no folder is made`(arguments: [String]) async throws {
    try await ScratchDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      try await database.makeGuideTables()
      let outcome = try await database.run("snapshot", "save", folder.path, arguments: arguments)
      #expect(outcome.status == 73)
      #expect(outcome.errors.contains(arguments[1]))
      #expect(!FileManager.default.fileExists(atPath: folder.path))
    }
  }

  @Test func `tables of any name have files that every file system keeps apart`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      let names = ["orders", "Orders", "a/b", "größe \"x\"", ".."]
      for name in names {
        try database.makePair(
          "\"\(name.replacing("\"", with: "\"\""))\"",
          production: "id int PRIMARY KEY, updated_at timestamp",
          staging: "id int, updated_at timestamp"
        )
        try database.run("INSERT INTO staging.\"\(name.replacing("\"", with: "\"\""))\" VALUES (1, '2025-01-01')")
      }
      let manifest = try await database.save(folder)
      #expect(Set(manifest.tables.map { $0.file.lowercased() }).count == names.count)
      #expect(manifest.tables.allSatisfy { $0.file.utf8.allSatisfy { $0 < 128 && $0 != UInt8(ascii: "/") } })
      #expect(try await database.replay(folder).totals.inserted == names.count)
    }
  }
}
