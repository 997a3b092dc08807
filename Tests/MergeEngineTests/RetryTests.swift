import MergeEngine
import TestSupport
import Testing

/// Locks, deadlocks and statements that take too long are waited for, a limited number of times.
@Suite struct RetryTests {
  @Test func `where CDC and a batch wait for each other the batch gives way, before anybody looks for a deadlock`()
    async throws
  {
    try await TestDatabase.withRows(10, in: .sleeping) { database in
      let cdc = try database.connect()
      try cdc.run("BEGIN; UPDATE production.t SET updated_at = 9, v = 'cdc' WHERE id = 9")
      let merge = database.start()
      try await database.waitForBlockedWorker()
      try cdc.run("UPDATE production.t SET updated_at = 2, v = 'cdc' WHERE id = 1; COMMIT")
      let report = try await database.finish(merge)
      #expect(report.status == .success, "\(report.failures)")
      #expect(report.totals.stale >= 1)
      #expect(try database.rows("SELECT * FROM production.t WHERE id = 9") == ["(9,9,cdc)"])
      try database.run("SELECT pg_stat_force_next_flush()")
      #expect(try database.count("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0)
    }
  }

  @Test func `a lock that is released in time is waited for, over several tries`() async throws {
    try await TestDatabase.withRows(10, in: .sleeping) { database in
      let cdc = try database.connect()
      try cdc.run("BEGIN; SELECT FROM production.t WHERE id = 5 FOR UPDATE")
      let merge = database.start { $0.lockTimeoutMilliseconds = 2_000 }
      try await database.waitForBlockedTries(2)
      try cdc.run("COMMIT")
      let report = try await database.finish(merge)
      #expect(report.status == .success, "\(report.failures)")
      #expect(report.totals.updated == 5)
      try database.expectEverythingMerged()
    }
  }

  /// A trigger stands in for a server that has no memory, or no place for locks, for two batches at a time.
  @Test func `where the server has no room for all workers the others go on, and nothing fails`() async throws {
    try await TestDatabase.withRows(200) { database in
      try database.run(
        """
        CREATE SEQUENCE production.refusals;
        CREATE FUNCTION production.crowd() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          -- Until it was refused for the first time a batch waits for another one.
          IF (SELECT is_called FROM production.refusals) THEN RETURN NULL; END IF;
          WHILE NOT pg_try_advisory_xact_lock(77, 1) AND (SELECT NOT is_called FROM production.refusals) LOOP
            PERFORM nextval('production.refusals');
            RAISE EXCEPTION USING ERRCODE = '53200', MESSAGE = 'out of shared memory';
          END LOOP;
          WHILE (SELECT NOT is_called FROM production.refusals) LOOP PERFORM pg_sleep(0.01); END LOOP;
          RETURN NULL;
        END $$;
        CREATE TRIGGER crowd AFTER INSERT OR UPDATE ON production.t EXECUTE FUNCTION production.crowd();
        """
      )
      let report = try await database.merge {
        $0.batchRows = 10
        $0.workers = 2
        $0.maxLockMilliseconds = 60_000
      }
      #expect(report.status == .success, "\(report.failures)")
      #expect(try database.holds("(SELECT is_called FROM production.refusals)"))
      try database.expectEverythingMerged()
    }
  }

  @Test func `a lock that is never released fails its table, and the others go on`() async throws {
    try await TestDatabase.withRows(10, in: .sleeping) { database in
      try database.makePair(
        "u",
        production: TestDatabase.rowColumns + ", PRIMARY KEY (id)",
        staging: TestDatabase.rowColumns
      )
      try database.run("INSERT INTO staging.u VALUES (1, 1, 's')")
      let cdc = try database.connect()
      try cdc.run("BEGIN; SELECT FROM production.t WHERE id = 5 FOR UPDATE")
      let report = try await database.merge {
        $0.lockTimeoutMilliseconds = 50
        $0.workers = 1
      }
      try cdc.run("COMMIT")
      #expect(report.status == .failed)
      #expect(report.failures.first?.contains("55P03") == true)
      #expect(try database.count("SELECT count(*) FROM production.u") == 1)
      // All but the row that was held are merged: a batch that must wait is divided.
      #expect(try database.rows("SELECT id FROM staging.t WHERE _dms_processing_status = 'NEW'") == ["(5)"])
      let second = try await database.merge()
      #expect(second.status == .success)
      try database.expectEverythingMerged()
    }
  }

  @Test func `a statement that takes too long once is tried again`() async throws {
    try await TestDatabase.withRows(10, in: .sleeping) { database in
      let cdc = try database.connect()
      try cdc.run("BEGIN; SELECT FROM production.t WHERE id = 5 FOR UPDATE")
      let merge = database.start {
        $0.lockTimeoutMilliseconds = 0
        $0.statementTimeoutMilliseconds = 2_000
      }
      try await database.waitForBlockedTries(2)
      try cdc.run("COMMIT")
      let report = try await database.finish(merge)
      #expect(report.status == .success, "\(report.failures)")
      #expect(report.totals.updated == 5)
      try database.expectEverythingMerged()
    }
  }

  @Test func `a table that can't be prepared for a while is prepared again, on a connection without leftovers`()
    async throws
  {
    try await TestDatabase.withRows(10, in: .sleeping) { database in
      // Reading may be prepared under this lock, writing may not.
      let cdc = try database.connect()
      try cdc.run("BEGIN; LOCK TABLE production.t IN SHARE MODE")
      let merge = database.start { $0.lockTimeoutMilliseconds = 2_000 }
      try await database.waitForBlockedTries(2)
      try cdc.run("COMMIT")
      let report = try await database.finish(merge)
      #expect(report.status == .success, "\(report.failures)")
      try database.expectEverythingMerged()
    }
  }
}
