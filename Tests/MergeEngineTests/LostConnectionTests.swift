import MergeEngine
import TestSupport
import Testing

/// A connection that is lost costs time and no row.
@Suite struct LostConnectionTests {
  @Test(arguments: ["INSERT ON production", "UPDATE ON production", "UPDATE ON staging"], ["run%", "control%", "%"])
  func `a connection that is cut in the middle of a batch is made again`(_ moment: String, _ whose: String) async throws
  {
    try await TestDatabase.withRows(2000) { database in
      let words = moment.split(separator: " ").map(String.init)
      try database.writeConcurrently(
        on: words[0],
        of: "\(words[2]).t",
        """
        DO $do$ BEGIN
          PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE application_name LIKE 'merge-engine \(whose)' AND datname = current_database();
        END $do$
        """
      )
      let report = try await database.merge {
        $0.batchRows = 300
        $0.workers = 2
      }
      #expect(report.status == .success, "\(report.failures)")
      #expect(report.totals.read == 2000)
      #expect(report.totals.inserted == 1000)
      #expect(report.totals.updated == 1000)
      try database.expectEverythingMerged()
    }
  }

  @Test func `a row that ends the connection every time fails its table, and the rest is merged`() async throws {
    try await TestDatabase.withRows(500) { database in
      try database.makePair(
        "u",
        production: TestDatabase.rowColumns + ", PRIMARY KEY (id)",
        staging: TestDatabase.rowColumns
      )
      try database.run(
        """
        CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF new.id = 250 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN new; END $$;
        CREATE TRIGGER poison BEFORE INSERT ON production.t FOR EACH ROW EXECUTE FUNCTION poison();
        INSERT INTO staging.u SELECT n, 5, 's' FROM generate_series(1, 500) n;
        """
      )
      let report = try await database.merge {
        $0.batchRows = 20
        $0.workers = 2
      }
      #expect(report.status == .failed)
      #expect(report.failures.count == 1)
      #expect(report.failures.first?.contains("terminating connection") == true, "\(report.failures)")
      #expect(try database.count("SELECT count(*) FROM production.u") == 500)
      let merged = "SELECT id FROM staging.t WHERE _dms_processing_status = 'PROCESSED'"
      #expect(try database.difference(merged, "SELECT id FROM production.t WHERE v = 's'") == [])
      try database.run("DROP TRIGGER poison ON production.t")
      try await database.merge()
      try database.expectEverythingMerged()
    }
  }

  @Test func `an atomic run whose connection is cut fails and leaves nothing`() async throws {
    try await TestDatabase.withRows(100) { database in
      try database.writeConcurrently(
        on: "UPDATE",
        """
        DO $do$ BEGIN
          PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE application_name LIKE 'merge-engine run%' AND datname = current_database();
        END $do$
        """
      )
      let report = try await database.merge { $0.atomic = true }
      #expect(report.status == .failed)
      #expect(try database.count("SELECT count(*) FROM staging.t WHERE _dms_processing_status <> 'NEW'") == 0)
      #expect(try database.count("SELECT count(*) FROM production.t WHERE v = 's'") == 0)
      let second = try await database.merge { $0.atomic = true }
      #expect(second.status == .success)
      try database.expectEverythingMerged()
    }
  }

  /// Cuts the control connection of a merge that waits for row 1001, lets the run make a new one, and then the row go.
  private func cutControl(_ database: TestDatabase, _ change: (inout MergeOptions) -> Void) async throws -> RunReport {
    let cdc = try database.connect()
    try cdc.run("BEGIN; SELECT FROM production.t WHERE id = 1001 FOR UPDATE")
    let merge = database.start(change)
    try await database.waitForBlockedWorker()
    let isControl = "application_name = 'merge-engine control' AND datname = current_database()"
    let old = try database.count("SELECT pid FROM pg_stat_activity WHERE \(isControl)")
    try database.run("SELECT pg_terminate_backend(\(old))")
    // The lock of the run comes last.
    let isHeld = """
      SELECT count(*) FROM pg_stat_activity AS a JOIN pg_locks AS l USING (pid)
      WHERE \(isControl) AND pid <> \(old) AND l.locktype = 'advisory' AND l.classid = \(0x4D45_5252)
      """
    for _ in 0..<1500 where try database.count(isHeld) == 0 { try await Task.sleep(for: .milliseconds(20)) }
    try await Task.sleep(for: .milliseconds(300))
    try cdc.run("COMMIT")
    return try await database.finish(merge)
  }

  @Test func `an atomic run whose control connection is cut fails as a whole, and leaves nothing`() async throws {
    try await TestDatabase.withRows(2000) { database in
      let report = try await cutControl(database) {
        $0.atomic = true
        $0.batchRows = 300
      }
      #expect(report.status == .failed)
      #expect(report.failures.first?.contains("the connection that holds the run's locks was lost") == true)
      #expect(report.totals.read == 0)
      #expect(try database.count("SELECT count(*) FROM staging.t WHERE _dms_processing_status <> 'NEW'") == 0)
      #expect(try database.count("SELECT count(*) FROM production.t WHERE v = 's'") == 0)
      let second = try await database.merge { $0.atomic = true }
      #expect(second.status == .success)
      try database.expectEverythingMerged()
    }
  }

  @Test func `a control connection that is cut while replica lag is kept is made again`() async throws {
    try await TestDatabase.withRows(2000) { database in
      let report = try await cutControl(database) {
        $0.maxReplicaLagSeconds = 60
        $0.batchRows = 300
      }
      #expect(report.status == .success, "\(report.failures)")
      #expect(report.totals.read == 2000)
      try database.expectEverythingMerged()
    }
  }

  @Test func `the one commit of an atomic run is written to disk before it is reported`() async throws {
    try await TestDatabase.withRows(100) { database in
      try database.run(
        """
        CREATE TABLE public.seen (setting text);
        CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO public.seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
        CREATE TRIGGER look AFTER UPDATE ON production.t FOR EACH STATEMENT EXECUTE FUNCTION look();
        """
      )
      try await database.merge { $0.atomic = true }
      #expect(try database.rows("SELECT DISTINCT setting FROM public.seen") == ["(on)"])
      try database.expectEverythingMerged()
    }
  }

  @Test func `without marks a run that loses its connection at ever other places reads no row twice`() async throws {
    try await TestDatabase.withRows(500) { database in
      try database.run(
        """
        CREATE SEQUENCE public.losses;
        CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF new.id >= 30 * (SELECT last_value FROM public.losses) THEN
            PERFORM nextval('public.losses');
            PERFORM pg_terminate_backend(pg_backend_pid());
          END IF;
          RETURN new;
        END $$;
        CREATE TRIGGER poison BEFORE INSERT ON production.t FOR EACH ROW EXECUTE FUNCTION poison();
        """
      )
      let report = try await database.merge {
        $0.mark = .none
        $0.batchRows = 20
        $0.workers = 1
      }
      #expect(report.status == .success, "\(report.failures)")
      #expect(report.totals.read == 500)
      // More often than a run is patient with losses that nothing is gained between.
      #expect(try database.count("SELECT last_value FROM public.losses") > 10)
    }
  }
}
