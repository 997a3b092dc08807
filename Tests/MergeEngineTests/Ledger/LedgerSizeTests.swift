import Libpq
import TestSupport
import Testing

@testable import MergeEngine

/// A ledger with many entries: counting does not hold every row against each, and cleanup leaves what still says something.
@Suite struct LedgerSizeTests {
  /// Three thousand rows in batches of ten, broken off before the end, where a row is refused.
  private static func withManyEntries(_ body: (TestDatabase) async throws -> Void) async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (id int PRIMARY KEY, v int CHECK (v < 2995), updated_at timestamp);
        CREATE TABLE staging.t (id int, v int, updated_at timestamp);
        INSERT INTO staging.t SELECT n, n, '2025-01-01' FROM generate_series(1, 3000) n;
        """
      )
      let report = try await database.merge {
        $0.batchRows = 10
        $0.workers = 1
        $0.maxErrors = 0
      }
      #expect(report.status == .failed)
      #expect(try database.count("SELECT count(*) FROM admin.merge_progress WHERE superseded_at IS NULL") > 250)
      try await body(database)
    }
  }

  @Test func `counting reads each row some few times, however many entries there are`() async throws {
    try await Self.withManyEntries { database in
      let table = try #require(try StagingStatus.tables(database.connection, Schemas()).first)
      let merged = try database.count("SELECT count(*) FROM production.t")
      let status = try StagingStatus.count(table, database.connection, admin: Identifier("admin"))
      #expect(status.total == 3000)
      #expect(status.errors < 2)
      #expect(status.processed == merged)
      // 3,000 rows and 300 entries: held against each other they are 900,000.
      #expect(
        try database.connection.rowsLookedAt(table.counts(Identifier("admin"))) {
          $0["Node Type"].text?.hasSuffix("Scan") == true
        } < 40_000
      )
      #expect(
        try database.rows("SELECT total_records, processed_records FROM admin.oracle_pg_migration_status")
          == ["(3000,\(merged))"]
      )
    }
  }

  @Test func `cleanup deletes the entries that say nothing any more`() async throws {
    try await Self.withManyEntries { database in
      try database.run(
        "CREATE TABLE staging.u AS TABLE staging.t; CREATE TABLE production.u (LIKE production.t INCLUDING ALL)"
      )
      try database.run("DELETE FROM staging.t WHERE v >= 2995; DELETE FROM staging.u WHERE v >= 2995")
      #expect(try await database.merge { $0.batchRows = 1000 }.status == .success)
      try database.run("DROP TABLE staging.u")
      let outcome = try await database.call("cleanup", "--keep-task", "--table", "t", "--json")
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try #require(try outcome.json()["pruned_entries"].integer) > 250)
      #expect(
        try database.rows("SELECT table_name, place_start, superseded_at FROM admin.merge_progress") == ["(t,,)"]
      )
      // What is loaded then is new, and nothing else.
      try database.run("INSERT INTO staging.t VALUES (1, 5, '2025-02-01')")
      let report = try await database.merge()
      #expect(report.totals.read == 1 && report.totals.updated == 1 && report.warnings == [])
    }
  }

  /// Logs may go; what they say of rows that stand refused is none.
  @Test func `old records are pruned but for the refusals that stand`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (id int PRIMARY KEY, v int CHECK (v > 0), updated_at timestamp);
        CREATE TABLE staging.t (id int, v int, updated_at timestamp);
        INSERT INTO staging.t VALUES (1, 1, '2025-01-01'), (2, -1, '2025-01-01');
        """
      )
      #expect(try await database.merge().totals.errors == 1)
      try database.run("UPDATE admin.merge_summary SET merge_start = merge_start - interval '9 days'")
      _ = try await database.call("cleanup", "--keep-task", "--older-than", "1")
      #expect(try database.count("SELECT count(*) FROM admin.merge_summary") == 0)
      let report = try await database.merge()
      #expect(report.status == .partial && report.standingErrors == 1 && report.totals.read == 0)
    }
  }
}
