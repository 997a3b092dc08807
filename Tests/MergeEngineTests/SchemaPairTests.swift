import MergeEngine
import TestSupport
import Testing

/// Two pairs of schemas that have one admin schema between them: nothing of one is taken for the other's.
@Suite struct SchemaPairTests {
  /// `a_staging` into `a`, `b_staging` into `b`, and the table `t` in both.
  private static func withPairs(_ body: (TestDatabase) async throws -> Void) async throws {
    try await TestDatabase.with { database in
      for pair in ["a", "b"] {
        try database.run(
          """
          CREATE SCHEMA \(pair); CREATE SCHEMA \(pair)_staging;
          CREATE TABLE \(pair).t (id int PRIMARY KEY, v int CHECK (v > 0), updated_at timestamp);
          CREATE TABLE \(pair)_staging.t (id int, v int, updated_at timestamp);
          """
        )
      }
      try await body(database)
    }
  }

  private static func schemas(_ pair: String) -> Schemas {
    var schemas = Schemas()
    schemas.staging = "\(pair)_staging"
    schemas.production = pair
    return schemas
  }

  private static func words(_ pair: String) -> [String] {
    ["--staging-schema", "\(pair)_staging", "--production-schema", pair]
  }

  @Test func `verify takes the window of its own pair's last run, and calls nothing extra by another`() async throws {
    try await Self.withPairs { database in
      try database.run(
        """
        INSERT INTO a.t VALUES (1, 1, '2025-01-10'), (2, 1, '2025-02-10');
        INSERT INTO a_staging.t VALUES (1, 1, '2025-01-10');
        INSERT INTO b_staging.t VALUES (1, 1, '2025-02-10');
        """
      )
      try await database.merge {
        $0.schemas = Self.schemas("a")
        $0.from = "2025-01-01"
        $0.to = "2025-02-01"
      }
      try await database.merge {
        $0.schemas = Self.schemas("b")
        $0.from = "2025-01-01"
        $0.to = "2025-03-01"
      }
      let report = try await database.verify { $0.merge.schemas = Self.schemas("a") }
      #expect(report.tables.map(\.extra.count) == [0])
      #expect(try database.count("SELECT count(*) FROM a.t") == 2)
      // The record of the verification is with the run of these schemas.
      #expect(try database.rows("SELECT run_id FROM admin.merge_verifications") == ["(1)"])
    }
  }

  @Test func `refused rows are listed, retried and dismissed for their own pair only`() async throws {
    try await Self.withPairs { database in
      for (pair, bad) in [("a", 5), ("b", 7)] {
        try database.run("INSERT INTO \(pair)_staging.t VALUES (1, 1, '2025-01-01'), (\(bad), -1, '2025-01-01')")
        #expect(try await database.merge { $0.schemas = Self.schemas(pair) }.totals.errors == 1)
      }
      func listed(_ pair: String) async throws -> [String?] {
        try await database.call(arguments: ["errors", "list", "--json"] + Self.words(pair)).json()["errors"].elements
          .map { $0["row_key"].text }
      }
      #expect(try await listed("a") == [#"{"id": 5}"#])
      #expect(try await listed("b") == [#"{"id": 7}"#])
      let retried = try await database.call(arguments: ["errors", "retry", "--json"] + Self.words("b")).json()
      #expect(retried["released"]["t"].integer == 1)
      #expect(try await listed("a") == [#"{"id": 5}"#])
      #expect(try await database.merge { $0.schemas = Self.schemas("a") }.standingErrors == 1)
      let dismissed = try await database.call(
        arguments: ["errors", "dismiss", "--reason", "known"] + Self.words("b")
      )
      #expect(dismissed.status == 0, "\(dismissed.transcript)")
      #expect(try await listed("a") == [#"{"id": 5}"#])
    }
  }

  /// What is merged into one production table is not merged into another.
  @Test func `one staging table for two production tables has progress and refusals of its own for each`() async throws
  {
    try await Self.withPairs { database in
      try database.run("INSERT INTO a_staging.t VALUES (1, 1, '2025-01-01'), (2, -1, '2025-01-01')")
      #expect(try await database.call(arguments: ["merge"] + Self.words("a")).status == 65)
      let words = ["--staging-schema", "a_staging", "--production-schema", "b"]
      func count(_ name: String) async throws -> Int? {
        try await database.call(arguments: ["status", "--json"] + words).json()["tables"].table("t")[name].integer
      }
      #expect(try await count("pending") == 2)
      #expect(try await count("errors") == 0)
      let merge = try await database.call(arguments: ["merge", "--json"] + words)
      #expect(try merge.json()["totals"]["standing_errors"].integer == 0)
      #expect(
        try database.rows("SELECT production_schema, records_read, records_inserted FROM admin.merge_logs ORDER BY id")
          == ["(a,2,1)", "(b,2,1)"]
      )
      #expect(try await count("processed") == 1)
      #expect(try await count("errors") == 1)
    }
  }

  @Test func `status and metrics tell of the runs of their own pair`() async throws {
    try await Self.withPairs { database in
      for pair in ["a", "b"] {
        try database.run("INSERT INTO \(pair)_staging.t VALUES (1, 1, '2025-01-01'), (2, -1, '2025-01-01')")
        try await database.merge { $0.schemas = Self.schemas(pair) }
      }
      try database.run("UPDATE admin.merge_logs SET records_read = 77 WHERE run_id = 2")
      let status = try await database.call(arguments: ["status", "--json"] + Self.words("a")).json()
      #expect(status["last_run"]["run_id"].integer == 1)
      #expect(status["runs"].elements.count == 1)
      let text = try StatusMetrics(
        target: database.target,
        schemas: Self.schemas("a"),
        tables: nil,
        logger: .silent
      ).text()
      let labels = "database=\"\(database.name)\",schemas=\"a_staging=a\""
      #expect(text.contains("merge_engine_last_run_id{\(labels)} 1\n"))
      #expect(
        text.contains("merge_engine_quarantined_rows{\(labels),table=\"t\",sqlstate=\"23514\"} 1\n")
      )
    }
  }

  @Test func `a run is rolled back under its own schemas only`() async throws {
    try await Self.withPairs { database in
      try database.run("INSERT INTO a_staging.t VALUES (1, 1, '2025-01-01')")
      let report = try await database.merge {
        $0.schemas = Self.schemas("a")
        $0.beforeImages = true
      }
      let wrong = try await database.call(arguments: ["rollback", "\(report.runID)"] + Self.words("b"))
      #expect(wrong.status == 73)
      #expect(wrong.errors.contains("--staging-schema a_staging --production-schema a"), "\(wrong.transcript)")
      #expect(try database.count("SELECT count(*) FROM a.t") == 1)
      let right = try await database.call(arguments: ["rollback", "\(report.runID)"] + Self.words("a"))
      #expect(right.status == 0, "\(right.transcript)")
      #expect(try database.count("SELECT count(*) FROM a.t") == 0)
    }
  }

  /// Rows that were taken back there, or stand refused; not those that were never read for it.
  @Test(arguments: ["rollback", "refusal", "unread"], [false, true])
  func `staging that another production schema needs still is not emptied`(_ reason: String, marks: Bool) async throws {
    try await Self.withPairs { database in
      if marks {
        try database.run("ALTER TABLE a_staging.t ADD COLUMN _dms_processing_status varchar(20) DEFAULT 'NEW'")
      }
      let words = { (pair: String) in ["--staging-schema", "a_staging", "--production-schema", pair] }
      try database.run("INSERT INTO a_staging.t VALUES (1, 1, '2025-01-01')")
      if reason == "refusal" { try database.run("ALTER TABLE a.t ADD CHECK (v > 1)") }
      let first = try await database.call(arguments: ["merge", "--before-images"] + words("a"))
      #expect(first.status == (reason == "refusal" ? 65 : 0))
      if reason == "rollback" {
        #expect(try await database.call(arguments: ["rollback", "1"] + words("a")).status == 0)
      }
      if reason == "unread" { try database.run("INSERT INTO a_staging.t VALUES (2, 1, '2025-01-01')") }
      #expect(try await database.call(arguments: ["merge"] + words("b")).status == 0)
      let cleanup = try await database.call(arguments: ["cleanup", "--keep-task"] + words("b"))
      #expect(cleanup.status == (reason == "unread" ? 0 : 65), "\(cleanup.transcript)")
      #expect(
        (cleanup.output + cleanup.errors).contains("1 row of it waits to be merged into a.t once more")
          == (reason != "unread")
      )
      #expect(try database.count("SELECT count(*) FROM a_staging.t") == (reason == "unread" ? 0 : 1))
      let forced = try await database.call(arguments: ["cleanup", "--keep-task", "--force"] + words("b"))
      #expect(forced.status == 0, "\(forced.transcript)")
      #expect(try database.count("SELECT count(*) FROM a_staging.t") == 0)
    }
  }

  @Test func `a second production table that is dropped has no rows of the first one read again`() async throws {
    try await Self.withPairs { database in
      try database.run("INSERT INTO a_staging.t VALUES (1, 1, '2025-01-01')")
      for pair in ["a", "b"] {
        let merge = try await database.call(arguments: [
          "merge", "--staging-schema", "a_staging", "--production-schema", pair,
        ])
        #expect(merge.status == 0, "\(merge.transcript)")
      }
      try database.run("DROP TABLE b.t")
      let plan = try await database.call(arguments: ["plan", "--json"] + Self.words("a"))
      #expect(
        try plan.json()["totals"]["read"].integer == 0 && !plan.output.contains("a second time"),
        "\(plan.transcript)"
      )
    }
  }

  @Test func `records are pruned for their own pair only`() async throws {
    try await Self.withPairs { database in
      for pair in ["a", "b"] {
        try database.run("INSERT INTO \(pair)_staging.t VALUES (1, 1, '2025-01-01')")
        try await database.merge { $0.schemas = Self.schemas(pair) }
      }
      try database.run("UPDATE admin.merge_summary SET merge_start = merge_start - interval '9 days'")
      let outcome = try await database.call(
        arguments: ["cleanup", "--keep-task", "--older-than", "1"] + Self.words("a")
      )
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try database.rows("SELECT id FROM admin.merge_summary") == ["(2)"])
    }
  }

  /// Records of before the schemas had columns are matched by what their run says, and else are of the contract's pair.
  @Test func `an admin schema of before is extended, and its rows find their pair`() async throws {
    try await Self.withPairs { database in
      try database.run("INSERT INTO a_staging.t VALUES (1, 1, '2025-01-01'), (5, -1, '2025-01-01')")
      try await database.merge { $0.schemas = Self.schemas("a") }
      try database.run(
        """
        ALTER TABLE admin.merge_errors DROP COLUMN staging_schema, DROP COLUMN production_schema;
        ALTER TABLE admin.merge_logs DROP COLUMN staging_schema, DROP COLUMN production_schema;
        INSERT INTO admin.merge_logs (table_name, records_updated) VALUES ('orders', 3);
        INSERT INTO admin.merge_errors (run_id, table_name, row_key, snapshot_id) VALUES (NULL, 'x', '{"id": 1}', NULL);
        """
      )
      let report = try await database.merge { $0.schemas = Self.schemas("a") }
      #expect(report.standingErrors == 1)
      let pair = "SELECT table_name, staging_schema, production_schema FROM"
      #expect(
        try database.rows("\(pair) admin.merge_errors ORDER BY id")
          == ["(t,a_staging,a)", "(x,staging,production)"]
      )
      #expect(
        try database.rows("\(pair) admin.merge_logs ORDER BY id")
          == ["(t,a_staging,a)", "(orders,staging,production)", "(t,a_staging,a)"]
      )
    }
  }

  /// Two admin schemas number their runs alike.
  @Test func `a run that is going on is not closed by who looks in another admin schema, nor keeps dead ones alive`()
    async throws
  {
    try await Self.withPairs { database in
      for pair in ["a", "b"] { try database.run("INSERT INTO \(pair)_staging.t VALUES (1, 2, '2025-01-01')") }
      try database.run("INSERT INTO a.t VALUES (1, 1, '2024-01-01')")
      try await database.merge {
        $0.schemas = Self.schemas("b")
        $0.schemas.admin = "other"
      }
      // As if the process of other's run 1 had died.
      try database.run("UPDATE other.merge_summary SET status = 'RUNNING'")
      let holder = try database.connect()
      try holder.run("BEGIN; SELECT FROM a.t FOR UPDATE")
      let merge = try database.launch(Self.words("a"))
      try await database.wait(for: TestDatabase.somebodyWaitsForALock)
      let status = try await database.call(
        arguments: ["status", "--admin-schema", "other", "--json"] + Self.words("b")
      )
      #expect(try status.json()["last_run"]["status"].text == "ABORTED")
      #expect(
        try await database.call(arguments: ["status", "--json"] + Self.words("a")).json()["last_run"]["status"].text
          == "RUNNING"
      )
      try holder.run("ROLLBACK")
      #expect(try await merge.outcome().status == 0)
    }
  }
}
