import MergeEngine
import TestSupport
import Testing

/// Integer keys that lie close together are not looked up one by one; the verdicts are the same.
@Suite struct DenseProbeTests {
  /// Dense stretches and lonely keys, negative ones among them; of each kind some new, newer, equal and older.
  private static let staged = """
    SELECT k AS id, 10 + k % 3 AS updated_at
    FROM (SELECT generate_series(-700, 2000) UNION ALL SELECT generate_series(3000, 30000, 977)
          UNION ALL SELECT generate_series(31000, 31900, 3)) AS keys (k)
    """

  @Test(arguments: ["smallint", "integer", "bigint"], ["integer", "numeric"])
  func `dense and lonely keys get the verdicts of the rule`(_ key: String, version: String) async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "id \(key) PRIMARY KEY, updated_at \(version), v text",
        staging: "id \(key), updated_at \(version), v text"
      )
      try database.run(
        """
        INSERT INTO production.t SELECT k, 11, 'old' FROM generate_series(-1000, 31999) k WHERE k % 7 <> 0;
        INSERT INTO staging.t SELECT id, updated_at, 'new' FROM (\(Self.staged)) AS s;
        CREATE TABLE expected AS
        SELECT coalesce(s.id, p.id), coalesce(greatest(s.updated_at, p.updated_at), p.updated_at) AS updated_at,
               CASE WHEN p.id IS NULL OR s.updated_at > p.updated_at THEN 'new' ELSE 'old' END AS v
        FROM production.t p FULL JOIN staging.t s USING (id);
        """
      )
      let report = try await database.merge { $0.batchRows = 100_000 }
      #expect(try database.difference("TABLE production.t", "TABLE expected") == [])
      #expect(report.totals.inserted > 100)
      #expect(report.totals.updated > 100)
      #expect(report.totals.unchanged > 100)
      #expect(report.totals.stale > 100)
    }
  }

  @Test func `a dense batch costs one index scan, not one for each key`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: "id int PRIMARY KEY, updated_at int", staging: "id int, updated_at int")
      try database.run(
        """
        INSERT INTO production.t SELECT n, 1 FROM generate_series(1, 20000) n;
        INSERT INTO staging.t SELECT n, 1 FROM generate_series(5001, 15000) n;
        """
      )
      let report = try await database.merge {
        $0.batchRows = 100_000
        $0.workers = 1
      }
      #expect(report.totals.unchanged == 10_000)
      // The server counts a session's scans when the session ends, a moment after its client is gone.
      var scanCount = 0
      for _ in 0..<100 where scanCount == 0 {
        try await Task.sleep(for: .milliseconds(100))
        try database.run("SELECT pg_stat_clear_snapshot()")
        scanCount = try database.count("SELECT idx_scan FROM pg_stat_user_indexes WHERE schemaname = 'production'")
      }
      #expect(scanCount == report.totals.batches)
    }
  }
}
