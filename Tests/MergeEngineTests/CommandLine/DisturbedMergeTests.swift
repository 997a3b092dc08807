import TestSupport
import Testing

/// Servers with settings of their own, lost connections, and tables that fail.
@Suite struct DisturbedMergeTests {
  @Test func `no setting of the database or of the environment changes the result`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      try database.run(
        """
        ALTER TABLE production.orders ADD COLUMN ratio float8; ALTER TABLE staging.orders ADD COLUMN ratio text;
        ALTER TABLE production.orders ADD COLUMN span interval; ALTER TABLE staging.orders ADD COLUMN span text;
        UPDATE staging.orders SET ratio = '0.1234567890123456', span = '-1 day +02:03:00';
        CREATE TABLE public.seen (place text, name text, setting text);
        CREATE FUNCTION public.look() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          INSERT INTO public.seen SELECT tg_table_name, name, setting FROM pg_settings
          WHERE name ~ '^(enable_|synchronous_commit$|transaction_timeout$|(idle|lock).*_timeout$)';
          RETURN NULL;
        END $$;
        CREATE TRIGGER look AFTER INSERT ON production.orders EXECUTE FUNCTION public.look();
        CREATE TRIGGER look AFTER INSERT ON admin.merge_logs EXECUTE FUNCTION public.look();
        """
      )
      let isSeventeen = try database.holds("current_setting('server_version_num')::int >= 170000")
      for setting in [
        "DateStyle = 'German'", "TimeZone = 'Asia/Kolkata'", "IntervalStyle = 'sql_standard'", "search_path = ''",
        "extra_float_digits = -15", "standard_conforming_strings = off", "statement_timeout = '200ms'",
        "default_transaction_isolation = 'serializable'", "enable_indexscan = off", "bytea_output = 'escape'",
        "row_security = on", "client_min_messages = 'debug1'", "enable_nestloop = off", "enable_indexonlyscan = off",
        "enable_tidscan = off", "synchronous_commit = off", "lock_timeout = '1ms'", "idle_session_timeout = '100ms'",
        "idle_in_transaction_session_timeout = '100ms'", "tcp_keepalives_idle = 7000",
      ] + (isSeventeen ? ["transaction_timeout = '200ms'"] : []) {
        try database.run("ALTER DATABASE \(database.name) SET \(setting)")
      }
      let outcome = try await database.call(
        "--batch",
        "100",
        "--time-zone",
        "UTC",
        "--json",
        environment: ["PGOPTIONS": "-c vacuum_cost_delay=1", "PGDATESTYLE": "SQL, DMY", "PGTZ": "Asia/Tokyo"]
      )
      #expect(outcome.status == 0)
      // A slow machine makes it say how far it is.
      #expect(outcome.errors.split(separator: "\n").allSatisfy { $0.contains(" info: ") }, "\(outcome.errors)")
      #expect(try outcome.json()["totals"]["updated"].integer == 1000)
      // Costs time if anything, but much of it: the engine's statements need these, a paused session must not be ended.
      #expect(
        try database.sortedRows(
          """
          SELECT DISTINCT name, setting FROM public.seen
          WHERE place = 'orders' AND setting = 'off' AND name ~ '^enable_(?!partition).*(scan|join|loop)$|^synch'
          """
        )
          == [
            "(enable_bitmapscan,off)", "(enable_hashjoin,off)", "(enable_mergejoin,off)", "(enable_seqscan,off)",
            "(synchronous_commit,off)",
          ]
      )
      #expect(
        try database.sortedRows(
          """
          SELECT DISTINCT name, setting FROM public.seen
          WHERE (name, setting) IN (('lock_timeout', '1'), ('transaction_timeout', '200'))
             OR name LIKE 'idle%\\_timeout' AND setting = '100'
          """
        ) == [],
        "limits of the database would end the engine's own statements"
      )
      #expect(
        try database.sortedRows(
          "SELECT DISTINCT setting FROM public.seen WHERE place = 'merge_logs' AND name = 'synchronous_commit'"
        ) == ["(local)"],
        "a run must not be gone while its client goes on"
      )
      #expect(
        try database.holds(
          """
          SELECT bool_and(ratio = 0.1234567890123456 AND span = interval '-1 day 2 hours 3 minutes'
                          AND updated_at = timestamp '2025-01-20' + order_id * interval '1 second')
          FROM production.orders WHERE order_date = '2025-01-01' AND updated_at IS NOT NULL
                                   AND updated_at >= '2025-01-20'
          """
        )
      )
    }
  }

  @Test func `lost connections are made again, and nothing is lost or counted twice`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      try database.fillGuideTables(orderCount: 4000, customerCount: 500)
      try database.expectGuideResult()
      try database.run(
        """
        CREATE FUNCTION production.slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.1); RETURN NULL; END';
        CREATE TRIGGER slow AFTER INSERT OR UPDATE ON production.orders EXECUTE FUNCTION production.slow();
        """
      )
      let merge = try database.launch(["--batch", "150", "--json"])
      try await database.wait(for: TestDatabase.somebodySleeps)
      for _ in 0..<3 {
        // On a busy machine the run may be over before the third time.
        try await database.wait(
          for: "\(TestDatabase.somebodySleeps) OR EXISTS (SELECT FROM admin.merge_summary WHERE status = 'SUCCESS')"
        )
        try database.run(
          """
          SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND application_name LIKE 'merge-engine%'
          """
        )
      }
      let outcome = try await merge.outcome()
      #expect(outcome.status == 0)
      #expect(outcome.errors.contains("connection lost, reconnecting"))
      #expect(try outcome.json()["totals"]["read"].integer == 4500)
      #expect(try outcome.json()["totals"]["inserted"].integer == 1350)
      #expect(try database.differencesFromExpected() == 0)
      #expect(try database.runStatuses() == "SUCCESS")
    }
  }

  @Test func `a table that fails does not stop the others, but those that refer to it`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      try database.run(
        """
        CREATE TABLE production.lines (id int PRIMARY KEY, order_id int REFERENCES production.orders, updated_at date);
        CREATE TABLE staging.lines AS TABLE production.lines;
        INSERT INTO staging.lines VALUES (1, 10, '2025-01-01');
        CREATE FUNCTION production.fail() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN PERFORM pg_read_file(''no such file today''); RETURN NULL; END';
        CREATE TRIGGER fail BEFORE INSERT ON production.orders EXECUTE FUNCTION production.fail();
        """
      )
      let outcome = try await database.call("--json")
      #expect(outcome.status == 74)
      #expect(outcome.errors.contains("SQLSTATE 58P01"))
      #expect(outcome.errors.contains("lines: not started, since a table it refers to failed"))
      let json = try outcome.json()
      #expect(json["status"].text == "FAILED")
      #expect(json["tables"].table("customers")["read"].integer == 500)
      #expect(json["tables"].table("orders")["read"].integer == 0)
      #expect(json["failures"].elements.count == 2)
      #expect(try database.staged("PROCESSED", in: "staging.customers") == 500)
      #expect(try database.staged("NEW") == 2000)
      #expect(try database.runStatuses() == "FAILED")
      #expect(try database.holds("SELECT notes LIKE '%no such file today%' FROM admin.merge_summary"))
      // Mended and run again, it goes on from there.
      try database.run("DROP TRIGGER fail ON production.orders")
      let second = try await database.call("--json")
      #expect(second.status == 0)
      #expect(try second.json()["tables"].table("customers")["read"].integer == 0)
      #expect(try second.json()["tables"].table("orders")["read"].integer == 2000)
      #expect(try database.number("SELECT count(*) FROM production.lines") == 1)
    }
  }

  @Test(arguments: [["--table", "orders", "--table", "orders"], []])
  func `a table that is named twice is merged once`(arguments: [String]) async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      let files = arguments.isEmpty ? ["merge-engine.yaml": "include: [orders, orders]\n"] : [:]
      let outcome = try await database.call("--json", arguments: arguments, files: files)
      #expect(outcome.status == 0)
      #expect(try outcome.json()["tables"].elements.count == 1)
      #expect(try outcome.json()["totals"]["read"].integer == 2000)
      #expect(try database.number("SELECT count(*) FROM admin.merge_logs") == 1)
    }
  }
}
