import MergeEngine
import PrivateCluster
import Testing

/// Locks, deadlocks, cut connections and restarted servers cost time and nothing else.
@Suite struct LostConnectionTests {
  private static let columns = "id int, updated_at int, v text"

  private func withTable(_ rowCount: Int, _ body: (TestDatabase) async throws -> Void) async throws {
    try await TestDatabase.with { database in
      try Self.fill(database, rowCount)
      try await body(database)
    }
  }

  /// Staging of version 5; production has every other row, of version 1.
  private static func fill(_ database: TestDatabase, _ rowCount: Int) throws {
    try database.makePair(production: columns + ", PRIMARY KEY (id)", staging: columns)
    try database.run(
      """
      INSERT INTO staging.t SELECT n, 5, 's' FROM generate_series(1, \(rowCount)) n;
      INSERT INTO production.t SELECT n, 1, 'p' FROM generate_series(1, \(rowCount)) n WHERE n % 2 = 1;
      """
    )
  }

  private func expectEverythingMerged(_ database: TestDatabase) throws {
    #expect(try database.difference("SELECT id, updated_at, v FROM staging.t", "TABLE production.t") == [])
    #expect(try database.count("SELECT count(*) FROM staging.t WHERE _dms_processing_status <> 'PROCESSED'") == 0)
  }

  @Test func `a deadlock with CDC is resolved by trying the batch again`() async throws {
    try await withTable(10) { database in
      // The engine looks for a deadlock after two seconds, CDC never: so the engine is the one to give way.
      let name = try #require(try database.value("SELECT current_database()"))
      try database.run("ALTER DATABASE \(name) SET deadlock_timeout = '2s'")
      let cdc = try database.connect()
      try cdc.run("SET deadlock_timeout = '60s'; BEGIN; UPDATE production.t SET updated_at = 9, v = 'cdc' WHERE id = 9")
      let merge = database.start()
      try await database.waitForBlockedWorker()
      try cdc.run("UPDATE production.t SET updated_at = 2, v = 'cdc' WHERE id = 1; COMMIT")
      let report = try await database.finish(merge)
      #expect(report.status == .success, "\(report.failures)")
      #expect(report.totals.stale == 1)
      #expect(try database.rows("SELECT * FROM production.t WHERE v <> 's'") == ["(9,9,cdc)"])
      try await Task.sleep(for: .seconds(1))
      try database.run("SELECT pg_stat_clear_snapshot()")
      #expect(try database.count("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 1)
    }
  }

  @Test func `a lock that is released in time is waited for, over several tries`() async throws {
    try await withTable(10) { database in
      let cdc = try database.connect()
      try cdc.run("BEGIN; SELECT FROM production.t WHERE id = 5 FOR UPDATE")
      let merge = database.start { $0.lockTimeoutMilliseconds = 100 }
      try await database.waitForBlockedWorker()
      try await Task.sleep(for: .milliseconds(700))
      try cdc.run("COMMIT")
      let report = try await database.finish(merge)
      #expect(report.status == .success, "\(report.failures)")
      #expect(report.totals.updated == 5)
      try expectEverythingMerged(database)
    }
  }

  @Test func `a lock that is never released fails its table, and the others go on`() async throws {
    try await withTable(10) { database in
      try database.makePair("u", production: Self.columns + ", PRIMARY KEY (id)", staging: Self.columns)
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
      #expect(try database.count("SELECT count(*) FROM staging.t WHERE _dms_processing_status = 'NEW'") == 10)
      let second = try await database.merge()
      #expect(second.status == .success)
      try expectEverythingMerged(database)
    }
  }

  @Test(arguments: ["INSERT ON production", "UPDATE ON production", "UPDATE ON staging"], ["run%", "control%", "%"])
  func `a connection that is cut in the middle of a batch is made again`(_ moment: String, _ whose: String) async throws
  {
    try await withTable(2000) { database in
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
      try expectEverythingMerged(database)
    }
  }

  @Test func `a row that ends the connection every time fails its table, and the rest is merged`() async throws {
    try await withTable(500) { database in
      try database.makePair("u", production: Self.columns + ", PRIMARY KEY (id)", staging: Self.columns)
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
      try expectEverythingMerged(database)
    }
  }

  @Test func `an atomic run whose connection is cut fails and leaves nothing`() async throws {
    try await withTable(100) { database in
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
      try expectEverythingMerged(database)
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
    try await withTable(2000) { database in
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
      try expectEverythingMerged(database)
    }
  }

  @Test func `a control connection that is cut while replica lag is kept is made again`() async throws {
    try await withTable(2000) { database in
      let report = try await cutControl(database) {
        $0.maxReplicaLagSeconds = 60
        $0.batchRows = 300
      }
      #expect(report.status == .success, "\(report.failures)")
      #expect(report.totals.read == 2000)
      try expectEverythingMerged(database)
    }
  }

  @Test func `the one commit of an atomic run is written to disk before it is reported`() async throws {
    try await withTable(100) { database in
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
      try expectEverythingMerged(database)
    }
  }

  @Test func `a statement that takes too long once is tried again`() async throws {
    try await withTable(10) { database in
      let cdc = try database.connect()
      try cdc.run("BEGIN; SELECT FROM production.t WHERE id = 5 FOR UPDATE")
      let merge = database.start {
        $0.lockTimeoutMilliseconds = 0
        $0.statementTimeoutMilliseconds = 500
      }
      try await database.waitForBlockedWorker()
      try await Task.sleep(for: .seconds(3))
      try cdc.run("COMMIT")
      let report = try await database.finish(merge)
      #expect(report.status == .success, "\(report.failures)")
      #expect(report.totals.updated == 5)
      try expectEverythingMerged(database)
    }
  }

  @Test func `a table that can't be prepared for a while is prepared again, on a connection without leftovers`()
    async throws
  {
    try await withTable(10) { database in
      // Reading may be prepared under this lock, writing may not.
      let cdc = try database.connect()
      try cdc.run("BEGIN; LOCK TABLE production.t IN SHARE MODE")
      let merge = database.start { $0.lockTimeoutMilliseconds = 100 }
      try await database.waitForBlockedWorker()
      try await Task.sleep(for: .milliseconds(500))
      try cdc.run("COMMIT")
      let report = try await database.finish(merge)
      #expect(report.status == .success, "\(report.failures)")
      try expectEverythingMerged(database)
    }
  }

  @Test func `without marks a run that loses its connection at ever other places is given up too`() async throws {
    try await withTable(500) { database in
      try database.run(
        """
        CREATE EXTENSION dblink SCHEMA public;
        CREATE SEQUENCE public.losses;
        CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF new.id = (SELECT CASE WHEN last_value % 2 = 0 THEN 400 ELSE 100 END FROM public.losses) THEN
            PERFORM nextval('public.losses');
            -- So that every round is like the first.
            PERFORM public.dblink_exec($c$\(database.connectionString)$c$, $s$DELETE FROM production.t WHERE v = 's'$s$);
            PERFORM pg_terminate_backend(pg_backend_pid());
          END IF;
          RETURN new;
        END $$;
        CREATE TRIGGER poison BEFORE INSERT ON production.t FOR EACH ROW EXECUTE FUNCTION poison();
        """
      )
      let stop = StopSignal()
      let watchdog = Task {
        try await Task.sleep(for: .seconds(120))
        stop.request(signal: 15)
      }
      let report = try await database.merge(stop: stop) {
        $0.mark = .none
        $0.batchRows = 20
        $0.workers = 1
      }
      watchdog.cancel()
      #expect(report.status == .failed)
      #expect(report.failures.first?.contains("terminating connection") == true, "\(report.failures)")
      #expect(try database.count("SELECT last_value FROM public.losses") < 15)
    }
  }

  /// Nothing but the run's end is written to disk at once: with this setting a crash is sure to lose batches.
  @Test(arguments: [false, true])
  func `a server that is restarted in the middle of a run costs no row`(immediate: Bool) async throws {
    try await PrivateCluster.with(ClusterOptions(settings: ["wal_writer_delay": "10s"])) { cluster async throws in
      let database = try TestDatabase(connectionString: cluster.connectionString())
      try Self.fill(database, 20_000)
      try database.run("CHECKPOINT")
      let merge = database.start {
        $0.batchRows = 100
        $0.workers = 2
      }
      while try database.count("SELECT count(*) FROM production.t WHERE v = 's'") < 2000 {
        try await Task.sleep(for: .milliseconds(5))
      }
      try await cluster.restart(immediate: immediate)
      let after = try TestDatabase(connectionString: cluster.connectionString())
      let report = try await after.finish(merge)
      #expect(report.status == .success, "\(report.failures)")
      #expect(report.totals.read == 20_000)
      try expectEverythingMerged(after)
    }
  }

  @Test func `a server that does not come back ends the run with the time limit for connecting`() async throws {
    try await PrivateCluster.with { cluster async throws in
      let database = try TestDatabase(connectionString: cluster.connectionString())
      try Self.fill(database, 2000)
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
    try await PrivateCluster.with(ClusterOptions(settings: ["wal_writer_delay": "10s"])) { cluster async throws in
      try await TestDatabase.with { staging in
        try Self.fill(staging, 20_000)
        let production = try TestDatabase(connectionString: cluster.connectionString())
        try Self.fill(production, 20_000)
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
        while try production.count("SELECT count(*) FROM production.t WHERE v = 's'") < 2000 {
          try await Task.sleep(for: .milliseconds(5))
        }
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

  @Test func `a run that is asked to stop is closed as ABORTED, and the next one ends the work`() async throws {
    try await withTable(3000) { database in
      let cdc = try database.connect()
      try cdc.run("BEGIN; SELECT FROM production.t WHERE id = 2001 FOR UPDATE")
      let stop = StopSignal()
      let merge = database.start(stop: stop) {
        $0.batchRows = 100
        $0.workers = 2
      }
      try await database.waitForBlockedWorker()
      stop.request(signal: 15)
      let report = try await database.finish(merge)
      try cdc.run("COMMIT")
      #expect(report.status == .aborted)
      let merged = "SELECT id FROM staging.t WHERE _dms_processing_status = 'PROCESSED'"
      #expect(try database.difference(merged, "SELECT id FROM production.t WHERE v = 's'") == [])
      let second = try await database.merge()
      #expect(second.status == .success)
      #expect(report.totals.read + second.totals.read == 3000)
      try expectEverythingMerged(database)
    }
  }

  @Test func `two merges of one table at once are one too many`() async throws {
    try await withTable(10) { database in
      let cdc = try database.connect()
      try cdc.run("BEGIN; SELECT FROM production.t WHERE id = 5 FOR UPDATE")
      let first = database.start()
      try await database.waitForBlockedWorker()
      let failure = await #expect(throws: MergeFailure.self) { try await database.merge() }
      guard case .busy(table: "t") = failure else {
        Issue.record("\(String(describing: failure))")
        return
      }
      try cdc.run("COMMIT")
      #expect(try await database.finish(first).status == .success)
      try expectEverythingMerged(database)
    }
  }
}
