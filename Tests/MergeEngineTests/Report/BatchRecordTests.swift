import Foundation
import TestSupport
import Testing

@testable import MergeEngine

/// `merge_batches`, the warnings of a run, and `merge_verifications`: what a report is made from later.
@Suite struct BatchRecordTests {
  private static let columns = "id int, updated_at int, v text"

  /// Staging with ten rows a block in many blocks, half of them in production with an older version.
  private func withTable(_ rowCount: Int, _ body: (TestDatabase) async throws -> Void) async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: Self.columns + ", PRIMARY KEY (id), CHECK (v <> 'bad')", staging: Self.columns)
      try database.run(
        """
        INSERT INTO staging.t SELECT n, 5, CASE WHEN n = 77 THEN 'bad' ELSE 's' END FROM generate_series(1, \(rowCount)) n;
        INSERT INTO production.t SELECT n, 1, 'p' FROM generate_series(1, \(rowCount)) n WHERE n % 2 = 1;
        """
      )
      try await body(database)
    }
  }

  /// Sums of both tables side by side; equal when the batches are what was counted.
  private func differenceFromLog(_ database: TestDatabase) throws -> [String] {
    let counts = "records_read, records_inserted, records_updated, records_unchanged, records_stale, records_duplicate,"
    let sums = (counts + " records_error, lost_races").split(separator: ", ")
      .map { "sum(\($0.trimmingCharacters(in: [",", " "])))" }.joined(separator: ", ")
    return try database.difference(
      "SELECT run_id, table_name::text, \(sums), sum(batches) FROM admin.merge_logs GROUP BY 1, 2",
      "SELECT run_id, table_name, \(sums), count(*) FROM admin.merge_batches GROUP BY 1, 2"
    )
  }

  @Test(arguments: [false, true])
  func `every batch has its row, which add up to the log, lie within the run and name their worker`(
    atomic: Bool
  ) async throws {
    try await withTable(2000) { database in
      if atomic { try database.run("DELETE FROM staging.t WHERE v = 'bad'") }
      let report = try await database.merge {
        $0.batchRows = 200
        $0.atomic = atomic
      }
      #expect(report.status == (atomic ? .success : .partial))
      #expect(report.totals.batches > 4)
      #expect(try differenceFromLog(database) == [])
      let workers = try database.sortedRows("SELECT DISTINCT worker FROM admin.merge_batches ORDER BY 1")
      #expect(Set(workers).isSubset(of: atomic ? ["(1)"] : ["(1)", "(2)"]) && !workers.isEmpty)
      #expect(
        try database.sortedRows(
          """
          SELECT b.* FROM admin.merge_batches b JOIN admin.merge_summary r ON r.id = b.run_id
          WHERE b.started_at IS NULL OR b.started_at < r.merge_start OR b.finished_at < b.started_at
             OR b.finished_at > r.merge_end OR b.elapsed_ms IS NULL
          """
        ) == []
      )
      // Also in one transaction, whose clock stands still, each batch has a time of its own.
      #expect(
        try database.count("SELECT count(DISTINCT started_at) FROM admin.merge_batches") == report.totals.batches
      )
    }
  }

  @Test func `a batch that is rolled back leaves no row`() async throws {
    try await withTable(100) { database in
      let report = try await database.merge { $0.atomic = true }
      #expect(report.status == .failed)
      #expect(try database.count("SELECT count(*) FROM admin.merge_batches") == 0)
    }
  }

  @Test func `without marks a lost connection costs no batch its record, and no row is read twice`() async throws {
    try await withTable(2000) { database in
      try database.run("DELETE FROM staging.t WHERE v = 'bad'")
      let other = try database.connect()
      try other.run("BEGIN; SELECT FROM production.t WHERE id = 1999 FOR UPDATE")
      let merge = database.start {
        $0.mark = .none
        $0.batchRows = 200
        $0.workers = 1
      }
      try await database.waitForBlockedWorker()
      try database.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'merge-engine run % worker %' AND datname = current_database()"
      )
      try other.run("ROLLBACK")
      let report = try await database.finish(merge)
      #expect(report.status == .success, "\(report.failures)")
      #expect(try database.count("SELECT sum(records_read) FROM admin.merge_batches") == report.totals.read)
      #expect(try database.count("SELECT count(*) FROM staging.t") == report.totals.read)
      #expect(try differenceFromLog(database) == [])
    }
  }

  @Test func `who may not close a dead run lets go of its lock, so that it does not look alive`() async throws {
    try await withTable(10) { database in
      _ = try await database.merge()
      try database.run("UPDATE admin.merge_summary SET status = 'RUNNING'; SET default_transaction_read_only = on")
      try RunRecord.closeDeadRunsIfAllowed(database.connection, Schemas())
      #expect(
        try database.count("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()") == 0
      )
      #expect(try database.sortedRows("SELECT status FROM admin.merge_summary") == ["(RUNNING)"])
    }
  }

  @Test func `a run keeps the warnings of its plan and of its end`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      try database.run(
        """
        ALTER TABLE production.orders ADD CHECK (amount <> 17.75);
        CREATE TABLE staging.orphans (id integer);
        """
      )
      #expect(try await database.call("--cleanup", "--quiet").status == 65)
      let warnings = try #require(try database.value("SELECT warnings FROM admin.merge_summary WHERE id = 1"))
      #expect(warnings.contains("staging.orphans has no table of the same name in production"))
      #expect(warnings.contains("the staging table orders was not truncated"))
    }
  }

  @Test func `an archived run has its batches and verifications, and a pruned one takes them along`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      #expect(try await database.call("--quiet", "--ties", "compare").status == 0)
      #expect(try await database.call("verify", "--quiet").status == 0)
      let batches = try #require(try database.number("SELECT count(*) FROM admin.merge_batches"))
      try await withFolder { folder in
        let outcome = try await database.call("cleanup", "--archive", folder, "--older-than", "0", "--keep-task")
        #expect(outcome.status == 0, "\(outcome.errors)")
        let archive = try JSONValue(text: String(contentsOfFile: "\(folder)/run-1.json", encoding: .utf8))
        #expect(archive["batches"].elements.count == batches)
        #expect(archive["verifications"].elements.count == 1)
      }
      for table in ["merge_summary", "merge_batches", "merge_verifications"] {
        #expect(try database.number("SELECT count(*) FROM admin.\(table)") == 0)
      }
    }
  }
}
