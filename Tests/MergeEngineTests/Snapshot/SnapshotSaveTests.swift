import ChildEnvironment
import Foundation
import MergeEngine
import TestSupport
import Testing

/// What a snapshot holds, and what stands against taking one.
@Suite struct SnapshotSaveTests {
  @Test func `psql loads the files with its copy command, row by row what staging has`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      let folder = try SnapshotFolder()
      try database.fillGuideTables(orderCount: 100, customerCount: 50)
      #expect(try await database.call("snapshot", "save", folder.path).status == 0)
      try database.run("CREATE TABLE public.loaded (LIKE staging.orders)")
      let psql = Process()
      psql.executableURL = URL(filePath: "/usr/bin/env")
      psql.arguments = [
        "psql", "--no-psqlrc", "--quiet", database.connectionString, "--command",
        "\\copy public.loaded from '\(folder.file("orders.pgcopy").path)' with (format binary)",
      ]
      try psql.run()
      #expect(psql.waitForEnd(within: 60) == .exited(0))
      #expect(
        try database.sortedRows("SELECT * FROM public.loaded") == database.sortedRows("SELECT * FROM staging.orders")
      )
    }
  }

  @Test func `the manifest says what a replay needs to know, and nothing secret`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      let folder = try SnapshotFolder()
      try database.fillGuideTables(orderCount: 100, customerCount: 50)
      let before = Date()
      // What a load of the window brings.
      let outside = "WHERE NOT coalesce(updated_at >= '2025-01-15' AND updated_at < '2025-02-01', false)"
      try database.run("DELETE FROM staging.orders \(outside); DELETE FROM staging.customers \(outside)")
      let rowCount = try database.staged("NEW")
      #expect(try await database.call("merge", "--from", "2025-01-15", "--to", "2025-02-01").status == 0)
      let save = try await database.call(
        "snapshot",
        "save",
        folder.path,
        "--json",
        environment: ["PGPASSWORD": TestServer.password]
      )
      #expect(save.status == 0)
      let text = String(decoding: try folder.bytes("manifest.json"), as: UTF8.self)
      #expect(!text.contains(TestServer.password))
      #expect(!text.contains("host="))
      let manifest = try JSONValue(text: text)
      #expect(try save.json() == manifest)
      #expect(manifest["format_version"].integer == 1)
      #expect(manifest["staging_schema"].text == "staging")
      #expect(manifest["encoding"].text == "UTF8")
      #expect(manifest["window"]["from"].text == "2025-01-15")
      #expect(manifest["window"]["to"].text == "2025-02-01")
      let orders = try #require(manifest["tables"].elements.first { $0["name"].text == "orders" })
      #expect(orders["rows"].integer == rowCount)
      #expect(orders["bytes"].integer == (try folder.bytes("orders.pgcopy")).count)
      #expect(orders["key"] == .array([.string("order_id")]))
      #expect(orders["version_column"].text == "updated_at")
      #expect(manifest["server_version"].text == (try database.value("current_setting('server_version')")))
      #expect(manifest["engine_version"].text == EngineVersion.current)
      let takenAt = try Date(
        manifest["taken_at"].text ?? "",
        strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)
      )
      #expect((before...Date()).contains(takenAt))
      let columns = orders["columns"].elements
      #expect(
        columns.map { $0["name"].text } == [
          "order_id", "customer_id", "amount", "order_date", "updated_at", "_dms_processing_status",
        ]
      )
      #expect(
        columns.map { $0["type"].text } == [
          "integer", "integer", "numeric(10,2)", "timestamp without time zone", "timestamp without time zone",
          "character varying(20)",
        ]
      )
      // The key, and the status that init makes.
      #expect(columns.map { $0["not_null"] == .bool(true) } == [true, false, false, false, false, true])
    }
  }

  @Test func `rows that were loaded after the last merge are not said to be of its window`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      try database.run("INSERT INTO staging.orders (order_id, updated_at) VALUES (1, '2025-01-20')")
      #expect(try await database.call("merge", "--from", "2025-01-15", "--to", "2025-02-01").status == 0)
      #expect(try await savedWindow(database)["from"].text == "2025-01-15")
      try database.run("INSERT INTO staging.orders (order_id, updated_at) VALUES (2, '2025-01-20')")
      #expect(try await savedWindow(database) == .null)
      #expect(try await database.call("merge").status == 0)
      #expect(try await savedWindow(database) == .null)
    }
  }

  @Test func `where rows are not marked no window is claimed`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      try database.run("INSERT INTO staging.orders (order_id, updated_at) VALUES (1, '2025-01-20')")
      #expect(try await database.call("merge", "--from", "2025-01-15", "--mark", "none").status == 0)
      #expect(try await savedWindow(database) == .null)
    }
  }

  @Test func `a load under way has its own window, whatever was merged before`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      #expect(try await database.call("merge", "--from", "2025-01-15", "--to", "2025-02-01").status == 0)
      try database.run(
        """
        INSERT INTO staging.orders (order_id, updated_at) VALUES (1, '2025-03-20');
        INSERT INTO admin.merge_summary (merge_start, status, parameters)
        VALUES (now(), 'LOADING', '{"annotations": {"window_from": "2025-03-01 00:00:00", "window_to": "2025-04-01"}}')
        """
      )
      let window = try await savedWindow(database)
      #expect(window["from"].text == "2025-03-01 00:00:00")
      #expect(window["to"].text == "2025-04-01")
      // Its load came to nothing: what is in staging is nobody's window.
      try database.run("UPDATE admin.merge_summary SET status = 'FAILED' WHERE status = 'LOADING'")
      #expect(try await savedWindow(database) == .null)
    }
  }

  private func savedWindow(_ database: TestDatabase) async throws -> JSONValue {
    let folder = try SnapshotFolder()
    let outcome = try await database.call("snapshot", "save", folder.path, "--json")
    try #require(outcome.status == 0, "\(outcome.errors)")
    return try outcome.json()["window"]
  }

  @Test func `a TRUNCATE that is not committed is waited for, and the rows after it are saved`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      let folder = try SnapshotFolder()
      try database.fillGuideTables(orderCount: 100, customerCount: 50)
      let loader = try database.connect()
      try loader.run("BEGIN; TRUNCATE staging.orders")
      let save = try database.launch(["snapshot", "save", folder.path, "--json"])
      try await database.wait(for: TestDatabase.somebodyWaitsForALock)
      try loader.run(
        "INSERT INTO staging.orders (order_id) SELECT generate_series(1, 5); COMMIT"
      )
      let outcome = try await save.outcome()
      #expect(outcome.status == 0)
      // A snapshot from before the wait would see neither the old rows nor the new ones.
      let orders = try #require(try outcome.json()["tables"].elements.first { $0["name"].text == "orders" })
      #expect(orders["rows"].integer == 5)
    }
  }

  @Test func `info shows what was saved, as a table and as JSON, without a database`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      let folder = try SnapshotFolder()
      try database.fillGuideTables(orderCount: 1234, customerCount: 50)
      let save = try await database.call("snapshot", "save", folder.path, "--json")
      let text = try await CommandLineProgram.run(["snapshot", "info", folder.path])
      #expect(text.status == 0)
      #expect(text.output.contains(/orders +1,234 +78.3 kB +6 +order_id +updated_at/))
      #expect(text.output.contains("checked: 1,284 rows in \(folder.path)"))
      let json = try await CommandLineProgram.run(["snapshot", "info", folder.path, "--json"])
      #expect(try json.json() == save.json())
    }
  }

  @Test func `all tables are saved as they are at one moment`() async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      for name in ["a", "z"] {
        try database.run(
          "CREATE SCHEMA IF NOT EXISTS staging; CREATE TABLE staging.\(name) (id integer, body text)"
        )
      }
      // So much that the first table is not through when it is noticed that it was begun.
      try database.run(
        """
        INSERT INTO staging.a SELECT n, repeat('x', 1000) FROM generate_series(1, 100000) AS n;
        INSERT INTO staging.z VALUES (1, 'x')
        """
      )
      let save = try database.launch(["snapshot", "save", folder.path, "--json"])
      while !FileManager.default.fileExists(atPath: folder.file("a.pgcopy").path) {
        try await Task.sleep(for: .milliseconds(1))
      }
      save.send(SIGSTOP)
      #expect(!FileManager.default.fileExists(atPath: folder.file("z.pgcopy").path))
      try database.run("BEGIN; INSERT INTO staging.a VALUES (0); INSERT INTO staging.z VALUES (0); COMMIT")
      save.send(SIGCONT)
      let outcome = try await save.outcome()
      #expect(try outcome.json()["tables"].elements.map { $0["rows"].integer } == [100_000, 1])
    }
  }

  @Test func `a folder that holds anything is left alone`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      let folder = try SnapshotFolder()
      #expect(try await database.call("snapshot", "save", folder.path).status == 0)
      let manifest = try folder.bytes("manifest.json")
      let again = try await database.call("snapshot", "save", folder.path)
      #expect(again.status == 73)
      #expect(again.errors.contains("is not empty: it holds a snapshot"))
      #expect(try folder.bytes("manifest.json") == manifest)
    }
  }

  @Test func `a folder that another save is writing to is left alone`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      let folder = try SnapshotFolder()
      try FileManager.default.createDirectory(at: folder.url, withIntermediateDirectories: false)
      try Data().write(to: folder.file("manifest.json.unfinished"))
      let outcome = try await database.call("snapshot", "save", folder.path)
      #expect(outcome.status == 73)
      #expect(outcome.errors.contains("is not empty"))
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["manifest.json.unfinished"])
    }
  }

  @Test func `staging in another database is saved, with production's key, and replayed without it`() async throws {
    try await TestDatabase.withPair { production, staging async throws in
      let folder = try SnapshotFolder()
      try production.makeGuideProduction()
      try staging.run(
        """
        CREATE SCHEMA staging;
        CREATE TABLE staging.orders (order_id integer, amount numeric(10,2), updated_at timestamp);
        INSERT INTO staging.orders SELECT n, n, '2025-01-01' FROM generate_series(1, 20) AS n
        """
      )
      let save = try await production.call(
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
      #expect(try await production.call("replay", folder.path).status == 0)
      #expect(try production.number("SELECT count(*) FROM production.orders") == 20)
    }
  }

  @Test func `where no file can be written it says so and ends with 73`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      let folder = try SnapshotFolder()
      try Data().write(to: folder.url)
      let outcome = try await database.call("snapshot", "save", folder.path + "/below-a-file")
      #expect(outcome.status == 73)
      #expect(outcome.errors.contains("can't be created or read"))
    }
  }

  @Test func `a full disk ends with 74, says what to do, and leaves no folder`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      let folder = try SnapshotFolder()
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
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      let folder = try SnapshotFolder()
      let outcome = try await database.call("snapshot", "save", folder.path, arguments: arguments)
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
