import TestSupport
import Testing

/// Whoever has locked a table that nobody asked for keeps no command waiting.
@Suite struct UnrelatedLockTests {
  @Test func `commands open only the tables that they were asked for`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging; CREATE SCHEMA elsewhere;
        CREATE TABLE production.t (id int PRIMARY KEY, v text DEFAULT 'none' CHECK (v <> ''), updated_at timestamp);
        CREATE TABLE production.unrelated (id int PRIMARY KEY, v int DEFAULT 1 CHECK (v > 0), updated_at timestamp);
        CREATE TABLE production.tree (id int PRIMARY KEY, updated_at timestamp) PARTITION BY RANGE (id);
        CREATE TABLE elsewhere.leaf PARTITION OF production.tree FOR VALUES FROM (0) TO (9);
        CREATE MATERIALIZED VIEW production.summary AS SELECT count(*) FROM production.unrelated;
        CREATE TABLE staging.t (id int, v text, updated_at timestamp);
        CREATE TABLE staging.unrelated (id int, v int, updated_at timestamp);
        INSERT INTO staging.t SELECT n, 'v', '2025-01-01' FROM generate_series(1, 10) n;
        """
      )
      #expect(try await database.call("merge", "--table", "t", "--before-images").status == 0)
      let other = try database.connect()
      try other.run(
        """
        BEGIN; LOCK production.unrelated, staging.unrelated, production.tree, elsewhere.leaf IN ACCESS EXCLUSIVE MODE;
        REFRESH MATERIALIZED VIEW production.summary
        """
      )
      try database.run("UPDATE staging.t SET v = 'new', updated_at = '2025-02-01' WHERE id = 1")
      let table = ["--table", "t"]
      for command in [
        ["plan"] + table, ["merge", "--before-images"] + table, ["verify"] + table, ["status"] + table,
        ["errors", "list"] + table, ["errors", "retry"] + table, ["init"] + table, ["report", "1"],
        ["rollback", "2", "--plan"], ["rollback", "2"], ["merge"] + table, ["cleanup", "--keep-task"] + table,
      ] {
        let outcome = try await database.call(
          arguments: command,
          files: ["merge-engine.yaml": "lock_timeout: 300\nrecheck_after: 0\n"]
        )
        #expect(outcome.status == 0, "\(command): \(outcome.transcript)")
      }
      try other.run("ROLLBACK")
    }
  }
}
