import Foundation
import MergeEngine
import PrivateCluster
import TestSupport
import Testing

/// Staging's own server crashes and gives out transaction ids a second time: none that production remembers.
@Suite struct StagingCrashTests {
  /// Little is on disk there until somebody waits for it: the log is written page by page. A page holds hundreds of small transactions.
  private static let settings = [
    "wal_writer_delay": "10s", "synchronous_commit": "off", "bgwriter_delay": "10s", "bgwriter_lru_maxpages": "0",
    "autovacuum": "off", "shared_buffers": "128MB",
  ]

  private static let table = "(id int, v text, updated_at int"

  private func fill(_ production: TestDatabase, _ staging: TestDatabase, marks: Bool, rowCount: Int = 2000) throws {
    let status = marks ? ", _dms_processing_status text" : ""
    try production.run("CREATE SCHEMA production; CREATE TABLE production.t \(Self.table), PRIMARY KEY (id))")
    try staging.run(
      """
      CREATE SCHEMA staging; CREATE TABLE staging.t \(Self.table)\(status));
      INSERT INTO staging.t SELECT n, 's', 1 FROM generate_series(1, \(rowCount)) AS n
      """
    )
    try staging.run("CHECKPOINT")
  }

  /// Loads more, each row by a transaction of its own, and has it merged.
  private func expectNewRowsAreMerged(_ production: TestDatabase, _ staging: TestDatabase) async throws {
    for id in 10_001...10_300 { try staging.run("INSERT INTO staging.t VALUES (\(id), 'new', 1)") }
    let arguments = ["--staging-database", staging.connectionString]
    let merge = try await production.call("merge", arguments: arguments)
    #expect(merge.status == 0, "\(merge.transcript)")
    #expect(try production.count("SELECT count(*) FROM production.t WHERE v = 'new'") == 300, "\(merge.transcript)")
    #expect(try production.count("SELECT count(*) FROM production.t") == 2300)
  }

  @Test func `marks of batches that production has`() async throws {
    try await TestServer.withOwn(settings: Self.settings) { cluster async throws in
      try await TestDatabase.with { production in
        let staging = try TestDatabase(connectionString: cluster.connectionString())
        try fill(production, staging, marks: true)
        let merge = try production.launch([
          "merge", "--batch", "2", "--workers", "1", "--max-rows-per-second", "1000", "--staging-database",
          staging.connectionString,
        ])
        try await production.wait(for: "(SELECT count(*) FROM production.t) >= 300")
        merge.send(SIGKILL)
        try await cluster.restart(immediate: true)
        _ = try await merge.outcome()
        try await expectNewRowsAreMerged(production, try TestDatabase(connectionString: cluster.connectionString()))
      }
    }
  }

  @Test(arguments: [false, true]) func `a whole table that a run has merged while others were writing`(marks: Bool)
    async throws
  {
    try await TestServer.withOwn(settings: Self.settings) { cluster async throws in
      try await TestDatabase.with { production in
        let staging = try TestDatabase(connectionString: cluster.connectionString())
        try fill(production, staging, marks: marks)
        let connectionString = staging.connectionString
        let writing = Task {
          try await onItsOwnThread {
            let other = try TestDatabase(connectionString: connectionString)
            // Until the server goes down.
            while (try? other.run("SELECT pg_current_xact_id()")) != nil { Thread.sleep(forTimeInterval: 0.001) }
          }
        }
        let merge = try await production.call(
          "merge",
          arguments: ["--batch", "100", "--staging-database", connectionString]
        )
        #expect(merge.status == 0, "\(merge.transcript)")
        try await cluster.restart(immediate: true)
        try await writing.value
        let after = try TestDatabase(connectionString: cluster.connectionString())
        let known = try production.count("SELECT max(greatest(horizon, marker)) FROM admin.merge_progress")
        #expect(try after.count("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint") >= known)
        try await expectNewRowsAreMerged(production, after)
      }
    }
  }

  /// A commit of marks that staging loses, production having committed.
  @Test func `refused rows stand though their marks are lost`() async throws {
    try await TestDatabase.withPair { production, staging in
      try production.run(
        "CREATE SCHEMA production; CREATE TABLE production.t \(Self.table), PRIMARY KEY (id), CHECK (v <> 'bad'))"
      )
      try staging.run(
        """
        CREATE SCHEMA staging; CREATE TABLE staging.t \(Self.table), _dms_processing_status text);
        INSERT INTO staging.t SELECT n, CASE WHEN n % 10 = 0 THEN 'bad' ELSE 's' END, 1 FROM generate_series(1, 90) AS n;
        CREATE SEQUENCE public.commits;
        CREATE FUNCTION public.die() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF nextval('public.commits') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER die AFTER UPDATE ON staging.t DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW._dms_processing_status = 'ERROR') EXECUTE FUNCTION public.die();
        """
      )
      let arguments = ["--staging-database", staging.connectionString, "--json"]
      for _ in 0..<2 {
        let merge = try await production.call("merge", arguments: arguments)
        #expect(merge.status == 65, "\(merge.transcript)")
        let errors = try await production.call("errors", "list", arguments: arguments)
        #expect(try errors.json()["errors"].elements.count == 9, "\(errors.transcript)")
      }
      #expect(try production.count("SELECT count(*) FROM production.t") == 81)
      #expect(try staging.count("SELECT count(*) FROM staging.t WHERE _dms_processing_status = 'PROCESSED'") == 81)
    }
  }

  /// What has committed in staging says that production has the rows: marks, and that staging is empty.
  @Test(arguments: [false, true]) func `production's own server crashes, and has what staging was told of`(
    cleansUp: Bool
  ) async throws {
    try await TestServer.withOwn(settings: Self.settings) { cluster async throws in
      try await TestDatabase.with { staging in
        let production = try TestDatabase(connectionString: cluster.connectionString())
        let rowCount = cleansUp ? 10 : 2000
        try fill(production, staging, marks: true, rowCount: rowCount)
        #expect(try await production.call("init", "--quiet").status == 0)
        try production.run("CHECKPOINT")
        let arguments = ["--workers", "1", "--staging-database", staging.connectionString]
        if cleansUp {
          let merge = try await production.call("merge", "--cleanup", arguments: arguments)
          #expect(merge.status == 0, "\(merge.transcript)")
        } else {
          let merge = try production.launch(
            ["merge", "--batch", "20", "--max-rows-per-second", "100"] + arguments
          )
          try await staging.wait(for: "EXISTS (SELECT FROM staging.t WHERE _dms_processing_status = 'PROCESSED')")
          merge.send(SIGKILL)
          _ = try await merge.outcome()
        }
        try await cluster.restart(immediate: true)
        let after = try TestDatabase(connectionString: cluster.connectionString())
        let merge = try await after.call("merge", arguments: arguments)
        #expect(merge.status == 0, "\(merge.transcript)")
        #expect(try after.count("SELECT count(*) FROM production.t") == rowCount, "\(merge.transcript)")
      }
    }
  }
}
