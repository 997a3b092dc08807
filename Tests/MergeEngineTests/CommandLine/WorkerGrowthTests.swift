import Foundation
import MergeEngine
import TestSupport
import Testing

/// `--workers auto` finds how many workers pay; a number stays what it is.
@Suite struct WorkerGrowthTests {
  /// A staging table whose batches of 100 rows each wait for 200 ms, as one of a far client does.
  private static func withSlowBatches(rows: Int = 12_000, _ body: (TestDatabase) async throws -> Void) async throws {
    try await TestDatabase.with(in: .sleeping) { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (k int PRIMARY KEY, v text, updated_at int);
        CREATE TABLE staging.t (k int PRIMARY KEY, v text, updated_at int);
        INSERT INTO staging.t SELECT n, 'staged', 1 FROM generate_series(1, \(rows)) AS n; ANALYZE staging.t;
        CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.2); RETURN NULL; END $$;
        CREATE TRIGGER wait BEFORE INSERT ON production.t FOR EACH STATEMENT EXECUTE FUNCTION public.wait();
        """
      )
      #expect(try await database.call("init").status == 0)
      try await body(database)
    }
  }

  private static let workers = "SELECT count(DISTINCT worker) FROM admin.merge_batches"

  /// How many pay is ``GrowthRuleTests``' matter: on a busy machine the third may already bring too little.
  @Test func `a worker is added, watched, and counted in JSON`() async throws {
    try await Self.withSlowBatches { database in
      let merge = try database.launch(["--batch", "100", "--json"])
      let watch = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'merge-engine run 1 worker %'"
      try await database.wait(for: "(\(watch) AND datname = current_database()) > 2")
      let status = try database.launch(["status", "--watch", "--json"])
      let lines = try await status.waitForLines(1)
      status.send(2)
      #expect(try JSONValue(text: lines[0])["workers"].elements.count > 1)
      _ = try await status.outcome()
      let outcome = try await merge.outcome()
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try outcome.json()["totals"]["inserted"].integer == 12_000)
      let most = try #require(try outcome.json()["workers"].integer)
      #expect((3...16).contains(most))
      #expect(try database.count(Self.workers) == most)
    }
  }

  @Test func `a fixed number stays fixed`() async throws {
    try await Self.withSlowBatches { database in
      let outcome = try await database.call("--batch", "100", "--workers", "3", "--json")
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try outcome.json()["workers"].integer == 3)
      #expect(try database.count(Self.workers) == 3)
    }
  }

  @Test func `a number that somebody asks for ends the search, with a rate and without one`() async throws {
    try await Self.withSlowBatches(rows: 8000) { database in
      let merge = try database.launch([
        "--batch", "100", "--max-rows-per-second", "400", "--workers", "auto", "--json",
      ])
      try await database.wait(for: "coalesce((SELECT sum(records_read) FROM admin.merge_logs), 0) > 4000")
      #expect(try await database.call("control", "1", "--workers", "2", "--max-rows-per-second", "0").status == 0)
      let outcome = try await merge.outcome()
      #expect(outcome.status == 0, "\(outcome.transcript)")
      let most = try #require(try outcome.json()["workers"].integer)
      #expect((2...16).contains(most))
      #expect(try database.count(Self.workers) <= most)
      #expect(try database.count("SELECT sum(records_read) FROM admin.merge_logs") == 8000)
    }
  }

  @Test func `the role's limit of connections is kept, with some to spare`() async throws {
    try await Self.withSlowBatches { database in
      let role = "few_\(database.name.suffix(12))"
      try database.run("CREATE ROLE \(role) LOGIN CONNECTION LIMIT 6")
      let grants = try await database.call("init", "--print-grants", role)
      try database.run(grants.output)
      let outcome = try await CommandLineProgram.run(
        ["--database", database.connectionString(role: role), "--batch", "100", "--json"]
      )
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(!outcome.errors.contains("warning"))
      #expect(try outcome.json()["workers"].integer == 3)
      try database.run("DROP OWNED BY \(role); DROP ROLE \(role)")
    }
  }
}
