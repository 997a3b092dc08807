import Libpq
import Logging
import MergeEngine
import TestSupport
import Testing

/// What `init` makes, and what a merge makes of a database that `init` has not seen.
@Suite struct StagingSetupTests {
  private func setUp(
    _ database: TestDatabase,
    _ change: (inout StagingOptions) -> Void = { _ in }
  ) throws -> [StagingSetup.TableReport] {
    var options = StagingOptions()
    change(&options)
    return try StagingSetup(target: database.target, options: options, logger: .silent).run()
  }

  private static let production = """
    CREATE SCHEMA production;
    CREATE DOMAIN positive AS int CHECK (value > 0);
    CREATE TABLE production.t (id positive, part text, updated_at timestamptz, v varchar(5) NOT NULL DEFAULT 'x',
      net int, gross int GENERATED ALWAYS AS (net * 2) STORED, serial_no serial, PRIMARY KEY (part, id));
    CREATE TABLE production.keyless (updated_at timestamp);
    CREATE TABLE production.versionless (id int PRIMARY KEY);
    """

  @Test func `staging is made from production, can be merged at once, and stays as it is when made again`() async throws
  {
    try await TestDatabase.with { database in
      try database.run(Self.production)
      let first = try setUp(database)
      #expect(first.map(\.table) == ["keyless", "t", "versionless"])
      #expect(first.map(\.action) == [.skipped, .created, .skipped])
      // Nothing in staging refuses a row that production would refuse, but a second row of the same key.
      try database.run(
        """
        INSERT INTO staging.t (id, part, updated_at, v, net, serial_no) VALUES
          (1, 'a', '2025-01-01', 'one', 1, 1), (-1, 'a', '2025-01-01', 'two', 1, 2), (2, 'a', '2025-01-01', NULL, 1, 3)
        """
      )
      let before = try database.rows(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'staging.t'::regclass"
      )
      #expect(try setUp(database).map(\.action) == [.skipped, .present, .skipped])
      #expect(
        try database.rows(
          "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'staging.t'::regclass"
        ) == before
      )
      let report = try await database.merge()
      #expect(report.totals.inserted == 1)
      #expect(report.totals.errors == 2)
      #expect(
        try database.rows("TABLE admin.oracle_pg_migration_status") == ["(t,3,0,1,2)"]
      )
    }
  }

  @Test func `a row of staging that init made can't be without a status`() async throws {
    try await TestDatabase.with { database in
      try database.run(Self.production)
      _ = try setUp(database) { $0.hasStatusColumn = true }
      let error = #expect(throws: PostgresError.self) {
        try database.run("INSERT INTO staging.t (id, part, _dms_processing_status) VALUES (1, 'a', NULL)")
      }
      #expect(error?.sqlState == SQLState("23502"))
      try database.run("INSERT INTO staging.t (id, part) VALUES (1, 'a')")
      #expect(try database.value("SELECT _dms_processing_status FROM staging.t") == "NEW")
    }
  }

  @Test func `marks on staging that init made are HOT updates`() async throws {
    try await TestDatabase.with { database in
      try database.run(Self.production)
      _ = try setUp(database) { $0.hasStatusColumn = true }
      try database.run(
        "INSERT INTO staging.t (id, part, updated_at, v, net, serial_no) SELECT n, 'a', '2025-01-01', 'v', 1, n FROM generate_series(1, 5000) n"
      )
      try await database.merge()
      // New with 15; before, sessions report often enough.
      if database.connection.serverVersionNumber >= 150_000 { try database.run("SELECT pg_stat_force_next_flush()") }
      // Sessions report what they did when they end, or a moment later.
      for _ in 0..<100
      where try database.count("SELECT n_tup_upd FROM pg_stat_user_tables WHERE relid = 'staging.t'::regclass") < 5000 {
        try await Task.sleep(for: .milliseconds(50))
      }
      #expect(
        try database.rows(
          "SELECT n_tup_upd, n_tup_hot_upd > 4900 FROM pg_stat_user_tables WHERE relid = 'staging.t'::regclass"
        )
          == ["(5000,t)"]
      )
    }
  }

  @Test func `a role that owns nothing merges with the rights that init prints`() async throws {
    try await TestDatabase.with { database in
      try database.run(Self.production)
      _ = try setUp(database)
      let name = try #require(try database.value("SELECT current_database()"))
      let role = "merger_of_\(name)"
      try database.run("CREATE ROLE \(role) LOGIN; REVOKE TEMPORARY ON DATABASE \(name) FROM public")
      let asRole = try ConnectionTarget(database.connectionString.replacing("user='postgres'", with: "user='\(role)'"))
      let run = MergeRun(target: asRole, options: MergeOptions(), logger: .silent)
      await #expect(throws: MergeFailure.self) { try await onItsOwnThread { try run.run() } }
      for statement in try StagingSetup(target: database.target, options: .init(), logger: .silent).grants(to: role) {
        try database.run(statement)
      }
      try database.run(
        """
        INSERT INTO staging.t (id, part, updated_at, v, net, serial_no) VALUES
          (1, 'a', '2025-01-01', 'one', 1, 1), (-1, 'a', now(), 'x', 1, 2);
        INSERT INTO production.t (id, part, updated_at, v) VALUES (1, 'a', '2024-01-01', 'old');
        """
      )
      let report = try await onItsOwnThread { try run.run() }
      #expect(report.status == .partial)
      #expect(report.totals.updated == 1)
      #expect(report.totals.errors == 1)
      try database.run("DROP OWNED BY \(role); DROP ROLE \(role)")
    }
  }

  @Test func `the guide's admin tables keep their rows and gain columns`() async throws {
    try await TestDatabase.with { database in
      let fixture = try #require(MergeFixture.all.first { $0.name == "newer-wins" })
      try fixture.load(into: database)
      try database.run(
        """
        INSERT INTO admin.merge_summary (merge_start, merge_end, status, notes) VALUES (now(), now(), 'SUCCESS', 'of old');
        INSERT INTO admin.merge_logs (table_name, records_updated, records_inserted) VALUES ('orders', 1, 2);
        """
      )
      let report = try await database.merge()
      #expect(report.runID == 2)
      #expect(try database.rows("SELECT id, notes FROM admin.merge_summary WHERE id = 1") == ["(1,\"of old\")"])
      #expect(
        try database.rows("SELECT table_name, records_updated, records_inserted FROM admin.merge_logs ORDER BY id")
          == ["(orders,1,2)", "(customers,3,4)", "(orders,2,3)"]
      )
      #expect(
        try database.rows("TABLE admin.oracle_pg_migration_status") == ["(customers,12,0,12,0)", "(orders,7,0,7,0)"]
      )
    }
  }

  @Test func `a run whose process died is closed as ABORTED by the next one`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: "id int PRIMARY KEY, updated_at int", staging: "id int, updated_at int")
      try await database.merge()
      try database.run("INSERT INTO admin.merge_summary (merge_start, status) VALUES (now(), 'RUNNING')")
      try await database.merge()
      #expect(
        try database.rows("SELECT id, status, merge_end IS NOT NULL FROM admin.merge_summary ORDER BY id")
          == ["(1,SUCCESS,t)", "(2,ABORTED,t)", "(3,SUCCESS,t)"]
      )
    }
  }

  /// Compiling would take longer than reading, for every table.
  @Test func `the view is read without JIT, and leaves the session as it is`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: "id int PRIMARY KEY, updated_at int", staging: "id int, updated_at int")
      #expect(try await database.call("init").status == 0)
      try database.run("SET jit = on; BEGIN")
      #expect(try database.count("SELECT count(*) FROM admin.oracle_pg_migration_status") == 1)
      #expect(try database.rows("SELECT current_setting('jit')") == ["(off)"])
      try database.run("COMMIT")
      #expect(try database.rows("SELECT current_setting('jit')") == ["(on)"])
    }
  }
}
