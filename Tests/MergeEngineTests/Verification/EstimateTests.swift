import Libpq
import MergeEngine
import PrivateCluster
import TestSupport
import Testing

/// What `plan` says a merge will cost, beside what the merge then costs.
@Suite struct EstimateTests {
  /// Orders as the guide has them: of ten staged ones four are newer, three new and three as new.
  private func fill(_ database: TestDatabase, orderCount: Int) throws {
    let columns =
      "order_id int PRIMARY KEY, customer_id int, amount numeric(10,2), order_date timestamp, updated_at timestamp"
    try database.makePair(production: columns, staging: columns)
    try database.run(
      """
      ALTER TABLE staging.t SET (fillfactor = 45);
      CREATE INDEX ON production.t (customer_id);
      INSERT INTO staging.t SELECT n, n % 1000, n % 500, '2025-01-01', '2025-01-02' FROM generate_series(1, \(orderCount)) n;
      INSERT INTO production.t
      SELECT order_id, customer_id, 1, order_date, CASE WHEN order_id % 10 < 4 THEN order_date ELSE updated_at END
      FROM staging.t WHERE order_id % 10 < 7;
      ANALYZE;
      """
    )
  }

  /// On a server of its own, since WAL is everybody's; with time for every batch, since one that is rolled back has written, too.
  private func withServer(_ body: (TestDatabase) async throws -> Void) async throws {
    try await TestServer.withOwn(settings: ["autovacuum": "off", "deadlock_timeout": "60s"]) { cluster in
      try await body(TestDatabase(connectionString: cluster.connectionString()))
    }
  }

  @Test func `WAL is told within a quarter of what the merge writes, and dead rows are exact`() async throws {
    try await withServer { database in
      try fill(database, orderCount: 60_000)
      #expect(try database.value("SELECT current_setting('full_page_writes')") == "off")
      let estimate = try await database.plan().tables[0].estimate
      // The admin schema is no part of it.
      try await database.merge { $0.to = "2000-01-01" }
      try database.run("CHECKPOINT")
      let before = try #require(try database.value("SELECT pg_current_wal_insert_lsn()"))
      let merge = try await database.merge { $0.maxLockMilliseconds = 60_000 }
      let after = try #require(try database.value("SELECT pg_current_wal_insert_lsn()"))
      let written = try #require(Double(try database.value("SELECT pg_wal_lsn_diff('\(after)', '\(before)')") ?? ""))
      #expect(merge.totals.updated == 24_000 && merge.totals.inserted == 18_000)
      let ratio = Double(estimate.walByteCount) / written
      #expect((0.75...1.25).contains(ratio), "\(estimate.walByteCount) told, \(written) written")
      #expect(estimate.fullPageByteCountAtMost == 0)
      // Every updated row and every mark leaves one behind.
      #expect(estimate.deadProductionRowCount == 24_000)
      #expect(estimate.deadStagingRowCount == 60_000)
      let updates =
        "SELECT pg_stat_get_tuples_updated('production.t'::regclass) || ' ' || pg_stat_get_tuples_updated('staging.t'::regclass)"
      // The server's statistics come a moment after the sessions have ended.
      for _ in 0..<200 where try database.value(updates) != "24000 60000" {
        try await Task.sleep(for: .milliseconds(50))
      }
      #expect(try database.value(updates) == "24000 60000")
    }
  }

  @Test func `time is more than nothing and grows with the rows; less is dead where nothing is marked`() async throws {
    try await TestDatabase.with { database in
      try fill(database, orderCount: 60_000)
      let all = try await database.plan().tables[0].estimate
      let unmarked = try await database.plan { $0.mark = .none }.tables[0].estimate
      #expect(unmarked.deadStagingRowCount == 0 && unmarked.deadProductionRowCount == 24_000)
      #expect(unmarked.walByteCount < all.walByteCount)
      try database.run("DELETE FROM staging.t WHERE order_id > 900")
      let few = try await database.plan().tables[0].estimate
      #expect(few.elapsedMilliseconds > 0)
      #expect(few.elapsedMilliseconds < all.elapsedMilliseconds)
      #expect(few.walByteCount < all.walByteCount)
      #expect(few.deadStagingRowCount == 900)
    }
  }
}
