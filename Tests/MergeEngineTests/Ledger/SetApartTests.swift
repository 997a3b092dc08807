import MergeEngine
import TestSupport
import Testing

/// Rows that look bad are set apart and tried by themselves; the rest of their batch is written in one go.
@Suite struct SetApartTests {
  private static func with(
    production: String,
    rows: String,
    isPatient: Bool = false,
    _ body: (TestDatabase) async throws -> Void
  ) async throws {
    try await TestDatabase.with { database in
      if isPatient { try database.letBatchesWait() }
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (id int PRIMARY KEY, v int, updated_at timestamp\(production));
        CREATE TABLE staging.t (id int, v int, updated_at timestamp);
        INSERT INTO staging.t SELECT n, \(rows), '2025-01-01' FROM generate_series(1, 4000) AS n;
        """
      )
      try await body(database)
    }
  }

  @Test(arguments: [true, false]) func `refused rows among many cost a few small batches, and nobody else`(
    isNew: Bool
  ) async throws {
    try await Self.with(production: ", CHECK (v > 0)", rows: "n % 100", isPatient: true) { database in
      if !isNew { try database.run("INSERT INTO production.t SELECT id, 1, '2024-01-01' FROM staging.t") }
      let report = try await database.merge {
        $0.batchRows = 1000
        $0.maxLockMilliseconds = 60_000
      }
      #expect(report.totals.errors == 40)
      #expect(report.totals.inserted + report.totals.updated == 3960)
      // Each batch of 1000 rows has ten bad ones, which are tried in one small batch.
      #expect(report.totals.batches <= 60, "\(report.totals.batches)")
      #expect(try database.count("SELECT count(*) FROM admin.merge_errors WHERE sqlstate = '23514'") == 40)
      #expect(try await database.merge().totals.read == 0)
    }
  }

  @Test func `orphans are set apart`() async throws {
    try await Self.with(production: "", rows: "n % 100", isPatient: true) { database in
      try database.run(
        """
        CREATE TABLE production.parent (id int PRIMARY KEY);
        INSERT INTO production.parent SELECT generate_series(1, 99);
        ALTER TABLE production.t ADD FOREIGN KEY (v) REFERENCES production.parent;
        """
      )
      let report = try await database.merge {
        $0.batchRows = 1000
        $0.maxLockMilliseconds = 60_000
      }
      #expect(report.totals.errors == 40)
      #expect(report.totals.inserted == 3960)
      #expect(report.totals.batches <= 60, "\(report.totals.batches)")
    }
  }

  @Test func `values that another row of production has are set apart`() async throws {
    let rows = "CASE WHEN n % 100 = 0 THEN 1000000 + n / 100 ELSE n END"
    try await Self.with(production: ", UNIQUE (v)", rows: rows, isPatient: true) { database in
      try database.run(
        "INSERT INTO production.t SELECT 900000 + n, 1000000 + n, '2024-01-01' FROM generate_series(1, 40) AS n"
      )
      let report = try await database.merge {
        $0.batchRows = 1000
        $0.maxLockMilliseconds = 60_000
      }
      #expect(report.totals.errors == 40)
      #expect(report.totals.inserted == 3960)
      #expect(report.totals.batches <= 60, "\(report.totals.batches)")
    }
  }

  @Test func `a row that only looks bad is merged, since the server has the last word`() async throws {
    try await Self.with(production: ", CHECK (v > 0)", rows: "n % 100") { database in
      try database.run(
        """
        CREATE FUNCTION public.mend() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF NEW.v = 0 AND NEW.id % 200 = 0 THEN NEW.v = 1; END IF;
          RETURN NEW;
        END $$;
        CREATE TRIGGER mend BEFORE INSERT ON production.t FOR EACH ROW EXECUTE FUNCTION public.mend();
        """
      )
      let report = try await database.merge { $0.batchRows = 1000 }
      #expect(report.totals.errors == 20)
      #expect(report.totals.inserted == 3980)
    }
  }

  @Test func `what no question foresees is found by dividing`() async throws {
    try await Self.with(production: "", rows: "n") { database in
      try database.run(
        """
        CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF NEW.v IN (7, 1700, 3999) THEN RAISE EXCEPTION 'not this one'; END IF;
          RETURN NEW;
        END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON production.t FOR EACH ROW EXECUTE FUNCTION public.refuse();
        """
      )
      let report = try await database.merge { $0.batchRows = 1000 }
      #expect(report.totals.errors == 3)
      #expect(report.totals.inserted == 3997)
      #expect(
        try database.rows("SELECT (row_data ->> 'id')::int FROM admin.merge_errors ORDER BY 1") == [
          "(7)", "(1700)", "(3999)",
        ]
      )
    }
  }

  @Test func `an older good row of a key gets its chance when the newest is refused`() async throws {
    try await Self.with(production: ", CHECK (v > 0)", rows: "n") { database in
      try database.run("INSERT INTO staging.t VALUES (5, 0, '2025-02-01'), (6, 0, '2025-02-01')")
      let report = try await database.merge { $0.batchRows = 10_000 }
      #expect(report.totals.errors == 2)
      #expect(try database.count("SELECT count(*) FROM production.t") == 4000)
    }
  }

  @Test func `batches get as small as production is slow, so that locks are not held long`() async throws {
    try await Self.with(production: "", rows: "n") { database in
      try database.run(
        """
        CREATE FUNCTION public.linger() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_sleep(0.001); RETURN NEW; END $$;
        CREATE TRIGGER linger BEFORE INSERT ON production.t FOR EACH ROW EXECUTE FUNCTION public.linger();
        DELETE FROM staging.t WHERE id > 400;
        """
      )
      let report = try await database.merge {
        $0.batchRows = 400
        $0.maxLockMilliseconds = 40
      }
      #expect(report.status == .success)
      #expect(report.totals.inserted == 400)
      #expect(try database.count("SELECT max(records_read) FROM admin.merge_batches") < 200)
    }
  }

  @Test func `batches begin small, and grow while their time allows it`() async throws {
    try await Self.with(production: "", rows: "n", isPatient: true) { database in
      // What is there already is not written, and holds no locks.
      try database.run(
        """
        INSERT INTO staging.t SELECT n, n, '2025-01-01' FROM generate_series(4001, 100000) AS n;
        INSERT INTO production.t SELECT * FROM staging.t;
        """
      )
      let report = try await database.merge {
        $0.workers = 1
        $0.maxLockMilliseconds = 1000
      }
      #expect(report.totals.unchanged == 100_000)
      let rows = try database.rows("SELECT records_read FROM admin.merge_batches ORDER BY id")
        .compactMap { Int($0.dropFirst().dropLast()) }
      // What a guess of the rows in a block has brought too much comes right after.
      #expect(rows[0] <= 20_000 && (rows.max() ?? 0) > 20_000, "\(rows)")
    }
  }

  @Test func `what every batch takes whatever its size makes no small batches`() async throws {
    try await Self.with(production: "", rows: "n", isPatient: true) { database in
      try database.run(
        """
        CREATE FUNCTION public.linger() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_sleep(0.6); RETURN NULL; END $$;
        CREATE TRIGGER linger AFTER INSERT ON production.t FOR EACH STATEMENT EXECUTE FUNCTION public.linger();
        """
      )
      let report = try await database.merge {
        $0.workers = 1
        $0.batchRows = 300
        $0.maxLockMilliseconds = 1000
      }
      #expect(report.status == .success && report.totals.inserted == 4000)
      // 14 of 300 rows. Shrunk by the time that each took they would be dozens.
      #expect(report.totals.batches <= 30, "\(report.totals.batches)")
    }
  }

  @Test func `a row that somebody holds keeps only itself waiting`() async throws {
    try await Self.with(production: "", rows: "n") { database in
      try database.run("INSERT INTO production.t SELECT id, 0, '2024-01-01' FROM staging.t")
      let other = try database.connect()
      try other.run("BEGIN; UPDATE production.t SET v = -1 WHERE id = 1234")
      let merge = database.start { $0.batchRows = 1000 }
      try await database.wait(for: "to_regclass('admin.merge_logs') IS NOT NULL")
      try await database.wait(for: "(SELECT sum(records_updated) FROM admin.merge_logs) = 3999")
      try other.run("COMMIT")
      let report = try await database.finish(merge)
      #expect(report.status == .success)
      #expect(report.totals.updated == 4000)
    }
  }

  @Test(arguments: [0, 3]) func `a run ends with the first refused row beyond --max-errors, and says what to do`(
    limit: Int
  ) async throws {
    try await Self.with(production: ", CHECK (v > 0)", rows: "n % 2") { database in
      let outcome = try await database.call("merge", "--json", "--workers", "1", "--max-errors", "\(limit)")
      #expect(outcome.status == 74)
      #expect(try outcome.json()["totals"]["errors"].integer == limit + 1)
      #expect(outcome.errors.contains("errors retry"), "\(outcome.errors)")
      // Its advice works.
      try database.run("ALTER TABLE production.t DROP CONSTRAINT t_v_check")
      #expect(try await database.call("errors", "retry").status == 0)
      #expect(try await database.merge().status == .success)
      #expect(try database.count("SELECT count(*) FROM production.t") == 4000)
    }
  }
}
