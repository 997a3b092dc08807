import MergeEngine
import TestSupport
import Testing

/// Tables as wide as the server allows them.
@Suite struct WideTableTests {
  @Test func `plan and merge take them, before-images say beforehand what they can't, and init goes on behind them`()
    async throws
  {
    try await TestDatabase.with { database async throws in
      let columns = (0..<1598).map { "c\($0) smallint" }.joined(separator: ", ")
      try database.run(
        """
        CREATE SCHEMA production;
        CREATE TABLE production.wide (id integer PRIMARY KEY, updated_at timestamp, \(columns));
        CREATE TABLE production.slim (id integer PRIMARY KEY, updated_at timestamp);
        INSERT INTO production.wide (id, updated_at, c1) VALUES (1, '2025-01-01', 1);
        """
      )
      // With the status column it is one column too many.
      let first = try await database.call("init", "--status-column", "--json")
      #expect(first.status == 0, "\(first.everything)")
      let wide = try first.json()["tables"].table("wide")
      #expect(wide["action"].text == "skipped")
      #expect(wide["note"].text?.contains("no staging table could be created for production.wide") == true)
      #expect(try first.json()["tables"].table("slim")["action"].text == "created")

      #expect(try await database.call("init").status == 0)
      try database.run(
        "INSERT INTO staging.wide (id, updated_at, c1) VALUES (1, '2025-01-02', 2), (2, '2025-01-02', 2)"
      )
      let plan = try await database.plan { $0.tables = ["wide"] }
      #expect(plan.totals.inserted == 1 && plan.totals.updated == 1)
      #expect(
        plan.tables[0].samples.contains { $0.columns.contains { $0.column == "c1" && $0.old == "1" && $0.new == "2" } }
      )
      for command in ["plan", "merge"] {
        let images = try await database.call(command, "--before-images")
        #expect(images.status == 73, "\(images.everything)")
        #expect(images.everything.contains("too many for --before-images"))
      }
      let merge = try await database.call()
      #expect(merge.status == 0, "\(merge.everything)")
      #expect(try database.rows("SELECT id, c1 FROM production.wide ORDER BY id") == ["(1,2)", "(2,2)"])
    }
  }
}
