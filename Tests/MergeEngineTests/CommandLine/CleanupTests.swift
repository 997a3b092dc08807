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

  /// The ledger took them over by their marks, and an entry that is superseded says so.
  @Test(arguments: [
    [["cleanup", "--keep-task"], ["cleanup", "--keep-task"], ["merge", "--cleanup"]],
    [["cleanup", "--keep-task", "--keep-staging", "--older-than", "0"], ["cleanup", "--keep-task"]],
  ])
  func `marked rows that production lacks keep staging, however often it is cleaned up`(_ commands: [[String]])
    async throws
  {
    for dropsMarks in [false, true] {
      try await TestDatabase.with { database in
        try database.makePair("u", production: "id int PRIMARY KEY, updated_at int", staging: "id int, updated_at int")
        try database.run(
          "INSERT INTO staging.u VALUES (1, 2, 'PROCESSED'), (2, 3, 'PROCESSED'); INSERT INTO production.u VALUES (9, 1), (2, 2);"
        )
        #expect(try await database.call("merge").status == 0)
        if dropsMarks { try database.run("ALTER TABLE staging.u DROP COLUMN _dms_processing_status") }
        for command in commands {
          let outcome = try await database.call(arguments: command)
          let keeps = command.contains("--keep-staging") || command[0] == "merge"
          #expect(outcome.status == (keeps ? 0 : 65), "\(outcome.transcript)")
        }
        #expect(try database.count("SELECT count(*) FROM staging.u") == 2)
        try database.run("INSERT INTO production.u VALUES (1, 2); UPDATE production.u SET updated_at = 3 WHERE id = 2")
        #expect(try await database.call("cleanup", "--keep-task").status == 0)
        #expect(try database.count("SELECT count(*) FROM staging.u") == 0)
      }
    }
  }

  @Test(arguments: [[], ["--mark", "none"]])
  func `marked rows of another database, which nobody can compare, keep staging until they are merged`(
    marking: [String]
  )
    async throws
  {
    try await TestDatabase.withPair { production, staging in
      try production.run(
        "CREATE SCHEMA production; CREATE TABLE production.t (id int PRIMARY KEY, updated_at int); INSERT INTO production.t VALUES (1, 1)"
      )
      try staging.run(
        """
        CREATE SCHEMA staging; CREATE TABLE staging.t (id int, updated_at int, _dms_processing_status text);
        INSERT INTO staging.t VALUES (1, 1, 'PROCESSED'), (6, 1, 'PROCESSED');
        """
      )
      let source = ["--staging-database", staging.connectionString]
      for command in ["plan", "merge"] {
        let outcome = try await production.call(command, "--json", arguments: source)
        #expect(
          outcome.output.contains("2 rows of staging.t are marked PROCESSED, and no run on record"),
          "\(outcome.transcript)"
        )
      }
      for _ in 0..<2 {
        let cleanup = try await production.call("cleanup", "--keep-task", arguments: source)
        #expect(cleanup.status == 65, "\(cleanup.transcript)")
      }
      #expect(try await production.call("merge", "--again", arguments: source + marking).status == 0)
      #expect(try production.count("SELECT count(*) FROM production.t") == 2)
      let emptied = try await production.call("cleanup", "--keep-task", arguments: source)
      #expect(emptied.status == 0, "\(emptied.transcript)")
    }
  }

  /// Neither is in the way of the rows beside it.
  @Test func `marked rows with keys that can't be read, and dismissed ones, are counted as what they are`() async throws
  {
    try await TestDatabase.with { database in
      try database.makePair("u", production: "id int PRIMARY KEY, updated_at int", staging: "id text, updated_at int")
      try database.run(
        """
        INSERT INTO staging.u VALUES ('1', 2, 'PROCESSED'), ('abc', 3, 'PROCESSED'), ('4', 2, 'NEW'), ('5', 2, 'ERROR');
        INSERT INTO production.u VALUES (1, 2);
        """
      )
      let merge = try await database.call("merge")
      #expect(
        merge.status == 65 && merge.errors.contains("2 rows of staging.u are marked PROCESSED"),
        "\(merge.transcript)"
      )
      #expect(try database.count("SELECT count(*) FROM production.u") == 2)
      let refused = try await database.call("cleanup", "--keep-task")
      #expect(
        refused.status == 65 && (refused.output + refused.errors).contains("2 rows of it are marked PROCESSED"),
        "\(refused.transcript)"
      )
      try database.run("DELETE FROM staging.u WHERE id = 'abc'")
      let standing = try await database.call("cleanup", "--keep-task")
      #expect((standing.output + standing.errors).contains("1 row of it stands refused"), "\(standing.transcript)")
      #expect(try await database.call("errors", "dismiss", "--reason", "known").status == 0)
      let cleanup = try await database.call("cleanup", "--keep-task")
      #expect(cleanup.status == 0, "\(cleanup.transcript)")
    }
  }
}
