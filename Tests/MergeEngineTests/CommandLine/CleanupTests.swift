import TestSupport
import Testing

/// `--cleanup` truncates what is merged, and nothing else.
@Suite struct CleanupTests {
  @Test(arguments: ["all", "none"])
  func `truncates staging when every row is merged, with marks and without`(mark: String) async throws {
    try await TestDatabase.with(copyOf: .expectedGuide) { database async throws in
      #expect(try await database.call("--cleanup", "--mark", mark).status == 0)
      #expect(try database.number("SELECT count(*) FROM staging.orders") == 0)
      #expect(try database.number("SELECT count(*) FROM staging.customers") == 0)
      #expect(try database.differencesFromExpected() == 0)
    }
  }

  @Test(arguments: ["all", "none"])
  func `rows outside the window keep their table from being truncated, with a warning`(mark: String) async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      let outcome = try await database.call("--cleanup", "--mark", mark, "--to", "2025-01-20")
      #expect(outcome.status == 0)
      #expect(outcome.errors.contains("the staging table orders was not truncated"))
      #expect(try database.number("SELECT count(*) FROM staging.orders") == 2000)
    }
  }

  @Test(arguments: ["all", "none"])
  func `refused rows keep all tables from being truncated, with a warning`(mark: String) async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      try database.run("ALTER TABLE production.orders ADD CHECK (amount <> 17.75)")
      let outcome = try await database.call("--cleanup", "--mark", mark, "--json")
      #expect(outcome.status == 65)
      #expect(outcome.errors.contains("the staging table orders was not truncated"))
      #expect(try outcome.json()["warnings"].elements.contains { $0.text?.contains("table orders") == true })
      #expect(try database.number("SELECT count(*) FROM staging.orders") == 2000)
    }
  }

  @Test func `rows refused by an earlier run keep all tables from being truncated, with a warning`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      try database.run("UPDATE staging.orders SET _dms_processing_status = 'ERROR' WHERE order_id = 17")
      let outcome = try await database.call("--cleanup")
      #expect(outcome.status == 65)
      #expect(outcome.errors.contains("the staging table orders was not truncated"))
      #expect(try database.staged("ERROR") == 1)
      #expect(try database.number("SELECT count(*) FROM staging.customers") == 500)
    }
  }

  @Test func `a row that arrives during the merge is merged before its table is truncated`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      let other = try database.connect()
      try other.run("BEGIN; SELECT FROM production.orders WHERE order_id = 8 FOR UPDATE")
      let merge = try database.launch(["--cleanup"])
      try await database.wait(for: TestDatabase.somebodyWaitsForALock)
      try database.run("INSERT INTO staging.orders (order_id, updated_at) VALUES (99999, now())")
      try other.run("ROLLBACK")
      #expect(try await merge.outcome().status == 0)
      #expect(try database.number("SELECT count(*) FROM production.orders WHERE order_id = 99999") == 1)
      #expect(try database.number("SELECT count(*) FROM staging.orders") == 0)
    }
  }

  @Test func `what is merged stays in staging when production is empty by then`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      #expect(try await database.call().status == 0)
      try database.run("TRUNCATE production.orders CASCADE")
      let outcome = try await database.call("cleanup", "--keep-task")
      #expect(outcome.status == 65)
      #expect(
        outcome.output.contains(
          "orders: not truncated: production.orders is empty: what was merged is in staging alone"
        )
      )
      #expect(try database.number("SELECT count(*) FROM staging.orders") == 2000)
      #expect(try database.number("SELECT count(*) FROM staging.customers") == 0)
      #expect(try await database.call("cleanup", "--keep-task", "--force").status == 0)
      #expect(try database.number("SELECT count(*) FROM staging.orders") == 0)
    }
  }

  /// The row is in the window by one reading and not by the other: what was merged by one is not known by the other.
  @Test(arguments: [
    ("timestamptz", ["--time-zone", "Europe/Berlin"], "time_zone: Europe/Berlin\n"),
    ("timestamp", [], "tables: {t: {version_column: changed_at}}\n"),
  ])
  func `a window counts only for who reads versions alike`(
    type: String,
    options: [String],
    file: String
  ) async throws {
    try await TestDatabase.with { database async throws in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging; SET TimeZone = 'UTC';
        CREATE TABLE production.t (id int PRIMARY KEY, updated_at timestamp, changed_at timestamp);
        CREATE TABLE staging.t (id int, updated_at \(type), changed_at timestamp);
        INSERT INTO staging.t VALUES (1, '2025-01-01 12:00', '2025-01-01 12:00'), (2, '2025-01-01 23:30', '2025-01-05 13:00');
        """
      )
      let configured = ["--config", "other.yaml"]
      let merged = try await database.call(
        arguments: ["merge", "--json", "--from", "2025-01-01", "--to", "2025-01-02"]
          + (options.isEmpty ? configured : options),
        files: ["other.yaml": file]
      )
      #expect(try merged.json()["totals"]["read"].integer == 1, "\(merged.transcript)")
      for arguments in [[], configured] {
        let cleaned = try await database.call(
          arguments: ["cleanup", "--keep-task"] + arguments,
          files: ["other.yaml": file]
        )
        #expect(cleaned.status == 65, "\(cleaned.transcript)")
        #expect(try database.count("SELECT count(*) FROM staging.t") == 2)
      }
      let rest = try await database.call(
        arguments: ["merge", "--json"] + configured,
        files: ["other.yaml": file]
      )
      #expect(try rest.json()["totals"]["inserted"].integer == 1, "\(rest.transcript)")
      #expect(try database.count("SELECT count(*) FROM production.t") == 2)
    }
  }

  @Test func `a failed run truncates nothing`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      try database.run("ALTER TABLE production.orders ADD CHECK (amount <> 17.75)")
      #expect(try await database.call("--cleanup", "--atomic").status == 74)
      #expect(try database.staged("NEW") == 2000)
      #expect(try database.staged("NEW", in: "staging.customers") == 500)
    }
  }
}
