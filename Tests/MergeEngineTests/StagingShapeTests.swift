import MergeEngine
import TestSupport
import Testing

/// Staging tables as they come: empty, one-sided, without a status, growing while they are read.
@Suite struct StagingShapeTests {
  private static let columns = "id int, updated_at int, v text"

  private func withTable(_ body: (TestDatabase) async throws -> Void) async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: Self.columns + ", PRIMARY KEY (id)", staging: Self.columns)
      try await body(database)
    }
  }

  @Test func `empty staging is a success that reads nothing`() async throws {
    try await withTable { database in
      let report = try await database.merge()
      #expect(report.status == .success)
      #expect(report.totals == VerdictCounts())
    }
  }

  @Test func `staging whose rows were all deleted is a success that reads nothing`() async throws {
    try await withTable { database in
      try database.run("INSERT INTO staging.t SELECT n, 1, 'x' FROM generate_series(1, 1000) n; DELETE FROM staging.t")
      let report = try await database.merge { $0.batchRows = 10 }
      #expect(report.status == .success)
      #expect(report.totals.read == 0)
    }
  }

  @Test(arguments: [(0, \VerdictCounts.stale), (1, \VerdictCounts.unchanged), (2, \VerdictCounts.updated)])
  func `rows that are all alike get one verdict`(_ version: Int, _ verdict: KeyPath<VerdictCounts, Int> & Sendable)
    async throws
  {
    try await withTable { database in
      try database.run(
        """
        INSERT INTO production.t SELECT n, 1, 'p' FROM generate_series(1, 2000) n;
        INSERT INTO staging.t SELECT n, \(version), 's' FROM generate_series(1, 2000) n;
        """
      )
      let report = try await database.merge { $0.batchRows = 300 }
      #expect(report.totals.read == 2000)
      #expect(report.totals[keyPath: verdict] == 2000)
      #expect(try database.count("SELECT count(*) FROM production.t WHERE v = 's'") == (version == 2 ? 2000 : 0))
    }
  }

  @Test func `rows that are all new are all inserted`() async throws {
    try await withTable { database in
      try database.run("INSERT INTO staging.t SELECT n, 1, 's' FROM generate_series(1, 2000) n")
      let report = try await database.merge { $0.batchRows = 300 }
      #expect(report.totals.inserted == 2000)
      #expect(report.totals.batches > 3)
      #expect(try database.count("SELECT count(*) FROM production.t") == 2000)
    }
  }

  @Test func `without a status column a second merge reads nothing, as with one, and nobody is warned`() async throws {
    try await withTable { database in
      try database.run(
        """
        ALTER TABLE staging.t DROP COLUMN _dms_processing_status;
        INSERT INTO staging.t SELECT n, 1, 's' FROM generate_series(1, 100) n;
        """
      )
      let first = try await database.merge { $0.batchRows = 10 }
      #expect(first.totals.inserted == 100)
      #expect(first.warnings == [])
      #expect(try await database.merge { $0.batchRows = 10 }.totals.read == 0)
    }
  }

  @Test func `a status is output: rows are read whatever it says, and marked`() async throws {
    try await withTable { database in
      try database.run(
        """
        INSERT INTO staging.t
        SELECT n, 1, 's', (ARRAY[NULL, 'NEW', 'whatever'])[1 + n % 3] FROM generate_series(1, 90) n
        """
      )
      let report = try await database.merge()
      #expect(report.status == .success)
      #expect(report.totals.inserted == 90)
      #expect(try database.count("SELECT count(*) FROM staging.t WHERE _dms_processing_status = 'PROCESSED'") == 90)
    }
  }

  @Test func `what an earlier version has marked is planned as it will be merged, before there is a ledger`()
    async throws
  {
    try await withTable { database in
      try database.run(
        """
        INSERT INTO staging.t
        SELECT n, 1, 's', CASE WHEN n <= 60 THEN 'PROCESSED' WHEN n <= 65 THEN 'ERROR' ELSE 'NEW' END
        FROM generate_series(1, 100) n
        """
      )
      let plan = try await database.plan()
      #expect(plan.totals.read == 35)
      #expect(plan.standingErrors == 5)
      let report = try await database.merge()
      #expect(report.totals.read == 35)
      #expect(report.standingErrors == 5)
    }
  }

  @Test func `without marks refused rows are recorded, and staging is not touched`() async throws {
    try await withTable { database in
      try database.run(
        """
        ALTER TABLE production.t ADD CHECK (v <> 'bad');
        INSERT INTO staging.t VALUES (1, 1, 's'), (2, 1, 'bad');
        """
      )
      let before = try database.rows("SELECT ctid, xmin, * FROM staging.t")
      let report = try await database.merge { $0.mark = .none }
      #expect(report.status == .partial)
      #expect(report.totals.errors == 1)
      #expect(try database.rows("SELECT ctid, xmin, * FROM staging.t") == before)
      #expect(
        try database.rows("SELECT row_data FROM admin.merge_errors") == [
          #"("{""v"": ""bad"", ""id"": 2, ""updated_at"": 1}")"#
        ]
      )
    }
  }

  @Test func `rows that arrive while the merge runs are merged or left NEW, never marked unseen`() async throws {
    try await withTable { database in
      try database.run("INSERT INTO staging.t SELECT n, 1, 's' FROM generate_series(1, 5000) n")
      let feeder = try database.connect()
      let connectionString = feeder.connectionString
      async let arriving: Void = onItsOwnThread {
        let loader = try TestDatabase(connectionString: connectionString)
        for batch in 0..<60 {
          try loader.run(
            "INSERT INTO staging.t SELECT n, 1, 's' FROM generate_series(\(10_000 + batch * 50), \(10_049 + batch * 50)) n"
          )
        }
      }
      try await database.merge {
        $0.batchRows = 100
        $0.workers = 3
      }
      try await arriving
      let marked = "SELECT id FROM staging.t WHERE _dms_processing_status = 'PROCESSED'"
      #expect(try database.difference(marked, "SELECT id FROM production.t") == [])
      try await database.merge()
      #expect(try database.difference("SELECT id FROM staging.t", "SELECT id FROM production.t") == [])
      #expect(try database.count("SELECT count(*) FROM staging.t WHERE _dms_processing_status <> 'PROCESSED'") == 0)
    }
  }

  @Test func `cleanup empties what is merged, and leaves what is not`() async throws {
    try await withTable { database in
      try database.makePair("u", production: Self.columns + ", PRIMARY KEY (id)", staging: Self.columns)
      try database.run(
        """
        INSERT INTO staging.t VALUES (1, 1, 's');
        INSERT INTO staging.u VALUES (1, 1, 's'), (2, 9, 's');
        """
      )
      let report = try await database.merge {
        $0.cleanup = true
        $0.to = "9"
      }
      #expect(report.status == .success)
      #expect(report.warnings.contains { $0.contains("u was not truncated") })
      #expect(try database.count("SELECT count(*) FROM staging.t") == 0)
      #expect(try database.count("SELECT count(*) FROM staging.u") == 2)
    }
  }

  @Test func `a trigger that may keep marks from being set is told`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int PRIMARY KEY, updated_at int"
      try database.makePair(production: columns, staging: "id int, updated_at int")
      try database.run(
        """
        CREATE FUNCTION public.swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER swallow BEFORE UPDATE ON staging.t FOR EACH ROW EXECUTE FUNCTION public.swallow();
        INSERT INTO staging.t VALUES (1, 1), (2, 1);
        """
      )
      let outcome = try await database.call("merge", "--json")
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(
        try outcome.json()["findings"].elements.contains {
          $0["message"].text?.contains("the trigger swallow of staging.t runs at each update") == true
        }
      )
      #expect(try await database.call("merge", "--json").json()["totals"]["read"].integer == 0)
    }
  }

  /// COPY would leave such a column without a value, and ask nobody.
  @Test(arguments: [
    ("text NOT NULL", true), ("text CHECK (VALUE IS NOT NULL)", true), ("text NOT NULL DEFAULT 'x'", false),
    ("text", false),
  ])
  func `a column that staging lacks and whose domain wants a value is told before`(domain: String, isBlocked: Bool)
    async throws
  {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging; CREATE DOMAIN public.wanted AS \(domain); CREATE DOMAIN public.nested AS public.wanted;
        CREATE TABLE production.t (id int PRIMARY KEY, x public.wanted, y public.nested, updated_at int);
        CREATE TABLE staging.t (id int, updated_at int); INSERT INTO staging.t VALUES (1, 1);
        """
      )
      for command in ["plan", "merge"] {
        let outcome = try await database.call(command)
        #expect(outcome.status == (isBlocked ? 73 : 0), "\(outcome.transcript)")
        #expect(outcome.everything.contains("refuses to be without a value") == isBlocked, "\(outcome.transcript)")
      }
    }
  }

  @Test func `a trigger that writes marked rows anew is told`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int PRIMARY KEY, updated_at int"
      try database.makePair(production: columns, staging: "id int, updated_at int")
      try database.run(
        """
        CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS
          'BEGIN IF pg_trigger_depth() = 1 THEN UPDATE staging.t SET id = id WHERE id = NEW.id; END IF; RETURN NULL; END';
        CREATE TRIGGER touch AFTER UPDATE ON staging.t FOR EACH ROW EXECUTE FUNCTION public.touch();
        INSERT INTO staging.t VALUES (1, 1), (2, 1);
        """
      )
      let told = "the trigger touch of staging.t runs at each update"
      #expect(try await database.plan().findings.contains { $0.message.contains(told) })
      #expect(try await database.merge().warnings.contains { $0.contains(told) })
      #expect(try await !database.merge { $0.mark = .none }.warnings.contains { $0.contains(told) })
    }
  }
}
