import MergeEngine
import TestSupport
import Testing

/// A run has a number of its own, whatever became of the table that numbers are drawn from.
@Suite struct RunNumberTests {
  /// One run has merged ten rows, and an eleventh is there.
  private static func withOneRun(_ body: (TestDatabase) async throws -> Void) async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (id int PRIMARY KEY, updated_at date); CREATE TABLE staging.t (id int, updated_at date);
        INSERT INTO staging.t SELECT n, '2025-01-01' FROM generate_series(1, 10) AS n;
        """
      )
      let report = try await database.merge { $0.beforeImages = true }
      #expect(report.runID == 1)
      try database.run("INSERT INTO staging.t VALUES (11, '2025-01-01')")
      try await body(database)
    }
  }

  private static let restart = "TRUNCATE admin.merge_summary RESTART IDENTITY"

  @Test(arguments: [
    restart, "SELECT setval('admin.merge_summary_id_seq', 1, false)", "DROP TABLE admin.merge_summary CASCADE",
    "DELETE FROM admin.merge_summary; SELECT setval('admin.merge_summary_id_seq', 1, false)",
    "\(restart); TRUNCATE admin.merge_logs, admin.merge_batches, admin.merge_progress",
    "\(restart); DELETE FROM admin.before_images; TRUNCATE admin.merge_logs, admin.merge_progress",
  ])
  func `a run has no number that a record knows, and takes back no other's rows`(change: String) async throws {
    try await Self.withOneRun { database in
      try database.run(change)
      let report = try await database.merge { $0.beforeImages = true }
      #expect(report.runID > 1)
      try await database.rollBack(report.runID)
      #expect(try database.count("SELECT count(*) FROM production.t WHERE id <= 10") == 10)
      #expect(try database.count("SELECT count(*) FROM production.t WHERE id = 11") == 0)
      #expect(try await database.merge().runID > report.runID)
    }
  }

  @Test func `the sequence is drawn on until it is past all numbers`() async throws {
    try await Self.withOneRun { database in
      try database.run("UPDATE admin.merge_logs SET run_id = 5000; \(Self.restart)")
      #expect(try await database.merge().runID == 5001)
      #expect(try database.count("SELECT count(*) FROM admin.merge_summary") == 1)
      #expect(try await database.merge().runID == 5002)
    }
  }

  @Test func `runs that begin at once, and loads, have numbers of their own`() async throws {
    try await Self.withOneRun { database in
      try database.run("UPDATE admin.merge_batches SET run_id = 40; \(Self.restart)")
      let runs = LoadingRuns(target: database.target, schemas: MergeOptions().schemas, logger: .silent)
      let numbers = try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<4 { group.addTask { try await onItsOwnThread { try runs.open(["test": "true"]) } } }
        return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
      }
      #expect(numbers.count == 4 && numbers.allSatisfy { $0 > 40 }, "\(numbers)")
      #expect(try database.count("SELECT count(*) FROM admin.merge_summary WHERE status = 'LOADING'") == 4)
    }
  }

  @Test func `whoever may write batches but not read them goes by the other records`() async throws {
    try await Self.withOneRun { database in
      let role = "numbers_\(database.name.suffix(12))"
      try database.run("CREATE ROLE \"\(role)\" LOGIN")
      try database.run(try await database.call("init", "--print-grants", role).output)
      try database.run("REVOKE SELECT ON admin.merge_batches FROM \"\(role)\"; \(Self.restart)")
      let merge = try await CommandLineProgram.run(["--json", "--database", database.connectionString(role: role)])
      #expect(merge.status == 0, "\(merge.transcript)")
      #expect(try merge.json()["run_id"].integer == 2)
      try database.run("DROP OWNED BY \"\(role)\"; DROP ROLE \"\(role)\"")
    }
  }
}
