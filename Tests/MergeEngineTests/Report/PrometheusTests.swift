import Foundation
import TestSupport
import Testing

/// `status --prometheus`: the text exposition format, strictly read, and the file it stands in.
@Suite struct PrometheusTests {
  @Test func `the metrics are well-formed and say what staging, the last run and the quarantine hold`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      try database.run("ALTER TABLE production.orders ADD CHECK (amount <> 17.75)")
      let run = try await database.call("--json").json()
      try database.run("INSERT INTO staging.orders (order_id, updated_at) VALUES (99999, now())")
      let metrics = try await metrics(of: database)
      func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        metrics.value(name, labels.merging(["database": database.name]) { $1 })
      }
      for (state, count) in [("pending", 1.0), ("processed", 1998), ("error", 2)] {
        #expect(value("merge_engine_staging_rows", ["table": "orders", "state": state]) == count)
      }
      #expect(value("merge_engine_last_run_id") == 1)
      let statuses = ["LOADING", "RUNNING", "SUCCESS", "PARTIAL", "FAILED", "ABORTED"]
      for status in statuses + ["ROLLING BACK", "ROLLED BACK IN PART", "ROLLED BACK"] {
        #expect(value("merge_engine_last_run_status", ["status": status]) == (status == "PARTIAL" ? 1 : 0))
      }
      for (verdict, key) in [("insert", "inserted"), ("update", "updated"), ("stale", "stale"), ("error", "errors")] {
        let expected = run["tables"].table("orders")[key].integer.map(Double.init)
        #expect(value("merge_engine_last_run_rows", ["table": "orders", "verdict": verdict]) == expected)
      }
      #expect(value("merge_engine_quarantined_rows", ["table": "orders", "sqlstate": "23514"]) == 2)
      // Nothing was merged without a refused row yet.
      #expect(!metrics.samples.contains { $0.name == "merge_engine_last_success_timestamp_seconds" })
      let started = try #require(
        try database.value("SELECT extract(epoch FROM merge_start AT TIME ZONE 'UTC') FROM admin.merge_summary")
      )
      let told = try #require(value("merge_engine_last_run_start_timestamp_seconds"))
      #expect(abs(told - (Double(started) ?? 0)) < 0.001)
      #expect(try await database.call("errors", "dismiss", "--reason", "tested").status == 0)
      #expect(try await database.call("--quiet").status == 0)
      let later = try await self.metrics(of: database)
      #expect(later.value("merge_engine_last_success_timestamp_seconds", ["database": database.name]) ?? 0 > told)
      // What was dismissed rouses nobody any more.
      #expect(!later.samples.contains { $0.name == "merge_engine_quarantined_rows" })
    }
  }

  @Test func `names with quotes, backslashes and newlines come out as they are`() async throws {
    try await TestDatabase.with { database async throws in
      let name = "a \"b\" c\\d\\n\ne{f=\"g\"} 1 #"
      let table = "\"" + name.replacing("\"", with: "\"\"") + "\""
      try database.run(
        """
        CREATE SCHEMA production; CREATE TABLE production.\(table) (id int PRIMARY KEY, updated_at int);
        """
      )
      #expect(try await database.call("init", "--status-column", "--quiet").status == 0)
      try database.run("INSERT INTO staging.\(table) (id) VALUES (1), (2)")
      let metrics = try await metrics(of: database)
      let labels = ["table": name, "state": "pending", "database": database.name]
      #expect(metrics.value("merge_engine_staging_rows", labels) == 2)
    }
  }

  @Test func `a run that goes on has no end, and a database without a run has no run`() async throws {
    try await TestDatabase.with { database async throws in
      let before = try database.contents()
      let empty = try await metrics(of: database)
      #expect(
        Set(empty.samples.map(\.name)) == [
          "merge_engine_info", "merge_engine_collected_timestamp_seconds", "merge_engine_collection_duration_seconds",
        ]
      )
      #expect(try database.contents() == before)
      try await database.makeGuideTables()
      try database.fillGuideTables()
      let other = try database.connect()
      try other.run("BEGIN; SELECT FROM production.orders WHERE order_id = 8 FOR UPDATE")
      let merge = try database.launch(["--quiet"])
      try await database.wait(for: TestDatabase.somebodyWaitsForALock)
      let running = try await metrics(of: database)
      #expect(running.value("merge_engine_last_run_status", ["database": database.name, "status": "RUNNING"]) == 1)
      #expect(running.value("merge_engine_last_run_duration_seconds", ["database": database.name]) ?? -1 > 0)
      #expect(!running.samples.contains { $0.name == "merge_engine_last_run_end_timestamp_seconds" })
      try other.run("ROLLBACK")
      #expect(try await merge.outcome().status == 0)
    }
  }

  @Test func `the file is replaced as a whole, readable by everybody, with nothing left beside it`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      try await withFolder { folder in
        let path = "\(folder)/merge.prom"
        try "half a".write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        let outcome = try await database.call("status", "--prometheus", path)
        #expect(outcome.status == 0)
        #expect(outcome.everything == "")
        _ = try Exposition(String(contentsOfFile: path, encoding: .utf8))
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o644)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["merge.prom"])
      }
    }
  }

  @Test func `what can't be written ends with 73 and leaves the old file; no server leaves it too, with 69`()
    async throws
  {
    try await TestDatabase.with { database async throws in
      let outcome = try await database.call("status", "--prometheus", "/nowhere/at/all/merge.prom")
      #expect(outcome.status == 73)
      #expect(outcome.errors.contains("the metrics file /nowhere/at/all/merge.prom can't be written"))
    }
    try await withFolder { folder in
      let path = "\(folder)/merge.prom"
      try "the old ones\n".write(toFile: path, atomically: true, encoding: .utf8)
      let outcome = try await CommandLineProgram.run([
        "status", "--prometheus", path, "--database", "host=127.0.0.1 port=1 connect_timeout=2",
      ])
      #expect(outcome.status == 69)
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "the old ones\n")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["merge.prom"])
    }
  }

  private func metrics(of database: TestDatabase) async throws -> Exposition {
    let outcome = try await database.call("status", "--prometheus", "-")
    #expect(outcome.status == 0, "\(outcome.errors)")
    return try Exposition(outcome.output)
  }
}
