import MergeEngine
import PrivateCluster
import TestSupport
import Testing

/// A server that goes down in the middle of a run costs time and no row.
@Suite struct ServerRestartTests {
  /// Nothing but the run's beginning and its end is written to disk at once: with this setting a crash is sure to lose batches.
  @Test(arguments: [false, true], ["on", "off"])
  func `a server that is restarted in the middle of a run costs no row`(
    immediate: Bool,
    synchronousCommit: String
  ) async throws {
    let settings = ["wal_writer_delay": "10s", "synchronous_commit": synchronousCommit]
    try await TestServer.withOwn(settings: settings) { cluster async throws in
      let database = try TestDatabase(connectionString: cluster.connectionString())
      try database.fill(20_000)
      try database.run("CHECKPOINT")
      let merge = database.start {
        $0.batchRows = 100
        $0.workers = 2
      }
      try await database.wait(for: "(SELECT count(*) FROM production.t WHERE v = 's') >= 2000")
      try await cluster.restart(immediate: immediate)
      let after = try TestDatabase(connectionString: cluster.connectionString())
      let report = try await after.finish(merge)
      #expect(report.status == .success, "\(report.failures)")
      #expect(report.totals.read == 20_000)
      try after.expectEverythingMerged()
    }
  }

  /// Whoever empties the logs takes the run's own record away; nothing commits that belongs to no run.
  @Test func `a run whose record is gone ends, and the next one merges the rest`() async throws {
    try await TestDatabase.with { database async throws in
      try database.fill(2000)
      #expect(try await database.call("init").status == 0)
      try database.run(
        """
        CREATE FUNCTION public.forget() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF (SELECT count(*) FROM admin.merge_batches) = 3 THEN DELETE FROM admin.merge_logs; END IF;
          RETURN NULL;
        END $$;
        CREATE TRIGGER forget AFTER INSERT ON admin.merge_batches FOR EACH STATEMENT EXECUTE FUNCTION public.forget();
        """
      )
      let report = try await database.merge {
        $0.batchRows = 100
        $0.workers = 1
      }
      #expect(report.status == .failed && report.failures.contains { $0.contains("row of merge_logs is gone") })
      #expect(
        try database.count("SELECT count(*) FROM production.t WHERE v = 's'")
          == database.count("SELECT sum(records_inserted + records_updated)::int FROM admin.merge_batches")
      )
      try database.run("DROP TRIGGER forget ON admin.merge_batches")
      #expect(try await database.merge().status == .success)
      try database.expectEverythingMerged()
    }
  }

  @Test func `a server that does not come back ends the run with the time limit for connecting`() async throws {
    try await TestServer.withOwn { cluster async throws in
      let database = try TestDatabase(connectionString: cluster.connectionString())
      try database.fill(2000)
      let cdc = try database.connect()
      try cdc.run("BEGIN; SELECT FROM production.t WHERE id = 1001 FOR UPDATE")
      let merge = database.start {
        $0.batchRows = 100
        $0.reconnectLimitSeconds = 1
      }
      try await database.waitForBlockedWorker()
      await cluster.stop()
      let failure = await #expect(throws: MergeFailure.self) { try await merge.report.value }
      guard case .unreachable(let error) = failure else {
        Issue.record("\(String(describing: failure))")
        return
      }
      #expect(error.origin == .connecting)
    }
  }

  @Test func `marks on another server never outlive the rows that production has lost in a crash`() async throws {
    try await TestServer.withOwn(settings: ["wal_writer_delay": "10s"]) { cluster async throws in
      try await TestDatabase.with { staging in
        try staging.fill(20_000)
        let production = try TestDatabase(connectionString: cluster.connectionString())
        try production.fill(20_000)
        try production.run("DROP TABLE staging.t; CHECKPOINT")
        var options = MergeOptions()
        options.batchRows = 100
        let run = MergeRun(
          target: production.target,
          stagingTarget: staging.target,
          options: options,
          logger: .silent
        )
        let merge = Task { try await onItsOwnThread { try run.run() } }
        try await production.wait(for: "(SELECT count(*) FROM production.t WHERE v = 's') >= 2000")
        try await cluster.restart(immediate: true)
        let report = try await merge.value
        #expect(report.status == .success, "\(report.failures)")
        let after = try TestDatabase(connectionString: cluster.connectionString())
        #expect(
          try staging.rows("SELECT count(*) FROM staging.t WHERE _dms_processing_status = 'PROCESSED'") == ["(20000)"]
        )
        #expect(try after.rows("SELECT count(*), min(updated_at), min(v) FROM production.t") == ["(20000,5,s)"])
      }
    }
  }
}
