import MergeEngine
import TestSupport
import Testing

/// A refusal ends when its row is read again, and not before.
@Suite struct RefusalEndTests {
  /// Two rows without parents, of which the first lies beyond the window that later runs merge.
  private static func withOrphans(status: Bool = false, _ body: (TestDatabase) async throws -> Void) async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging; CREATE TABLE production.p (k int PRIMARY KEY);
        CREATE TABLE production.t (k int PRIMARY KEY, updated_at date, r int REFERENCES production.p, u int UNIQUE);
        CREATE TABLE staging.t (k int, updated_at date, r int, u int\(status ? ", _dms_processing_status varchar(20) DEFAULT 'NEW'" : ""));
        INSERT INTO staging.t VALUES (1, '2025-01-05', 8), (2, '2025-01-01', 9);
        """
      )
      #expect(try await database.merge().totals.errors == 2)
      try await body(database)
    }
  }

  @Test(arguments: [false, true]) func `a window's second chances are for its rows`(status: Bool) async throws {
    try await Self.withOrphans(status: status) { database in
      try database.run("INSERT INTO production.p VALUES (9)")
      let windowed = try await database.call("merge", "--to", "2025-01-02", "--json")
      #expect(windowed.status == 65, "\(windowed.transcript)")
      #expect(try windowed.json()["totals"]["inserted"].integer == 1, "\(windowed.transcript)")
      let list = try await database.call("errors", "list", "--json")
      #expect(try list.json()["errors"].elements.count == 1, "\(list.transcript)")
      let counts = try await database.call("status", "--json").json()["tables"].table("t")
      #expect(counts["errors"].integer == 1 && counts["processed"].integer == 1 && counts["pending"].integer == 0)
      #expect(try await database.call("cleanup", "--keep-task").status == 65)
      try database.run("INSERT INTO production.p VALUES (8)")
      #expect(try await database.merge().totals.inserted == 1)
      #expect(try database.count("SELECT count(*) FROM production.t") == 2)
    }
  }

  @Test func `a window without such rows leaves them refused, as plan says`() async throws {
    try await Self.withOrphans { database in
      let window = ["--to", "2024-01-01"]
      for command in ["plan", "merge"] {
        let outcome = try await database.call(command, arguments: window)
        #expect(outcome.status == 65, "\(outcome.transcript)")
      }
      let list = try await database.call("errors", "list", "--json")
      #expect(try list.json()["errors"].elements.count == 2)
    }
  }

  @Test(arguments: [false, true]) func `retried rows outside of the window wait for one that holds them`(status: Bool)
    async throws
  {
    try await Self.withOrphans(status: status) { database in
      try database.run("INSERT INTO production.p VALUES (8), (9)")
      #expect(try await database.call("errors", "retry").status == 0)
      #expect(try await database.merge { $0.to = "2025-01-02" }.totals.inserted == 1)
      #expect(try await database.call("status", "--json").json()["tables"].table("t")["pending"].integer == 1)
      #expect(try await database.merge().totals.inserted == 1)
    }
  }

  @Test(arguments: [false, true]) func `what --again reads stands refused no longer`(isDismissed: Bool) async throws {
    try await Self.withOrphans { database in
      try database.run("INSERT INTO staging.t VALUES (3, '2025-01-01')")
      #expect(try await database.merge().totals.inserted == 1)
      if isDismissed { #expect(try await database.call("errors", "dismiss", "--reason", "none").status == 0) }
      try database.run("INSERT INTO production.p VALUES (8), (9)")
      let (_, report) = try await database.planAndMerge {
        $0.again = true
        $0.beforeImages = true
      }
      #expect(report.totals.read == 3 && report.totals.inserted == 2 && report.status == .success, "\(report.totals)")
      #expect(try await database.call("errors", "list", "--json").json()["errors"].elements.isEmpty)
      let counts = try await database.call("status", "--json").json()["tables"].table("t")
      #expect(counts["processed"].integer == 3 && counts["errors"].integer == 0)
      #expect(try await database.call("merge").status == 0)
      let rollback = try await database.call("rollback", "3", "--json")
      #expect(rollback.status == 0, "\(rollback.transcript)")
      #expect(try await database.merge().totals.inserted == 2)
    }
  }

  @Test func `rows that go into another table stand refused no longer`() async throws {
    try await Self.withOrphans { database in
      try database.run(
        "ALTER TABLE production.t RENAME TO was; CREATE TABLE production.t (k int PRIMARY KEY, updated_at date, r int, u int)"
      )
      let (_, report) = try await database.planAndMerge()
      #expect(report.totals.inserted == 2 && report.status == .success, "\(report.totals)")
      #expect(try await database.call("errors", "list", "--json").json()["errors"].elements.isEmpty)
    }
  }

  /// The refused rows' marks are of a transaction that the ledger knows.
  @Test(arguments: [[], ["--to", "2025-02-01"]]) func `plan reads what the next run tries again, marked or not`(
    window: [String]
  )
    async throws
  {
    try await Self.withOrphans(status: true) { database in
      try database.run("INSERT INTO staging.t VALUES (3, '2025-01-01', 7)")
      let failed = try await database.call(arguments: ["merge", "--max-errors", "0"] + window)
      #expect(failed.status == 74, "\(failed.transcript)")
      try database.run("INSERT INTO production.p VALUES (7), (8)")
      let plan = try await database.call(arguments: ["plan", "--json"] + window)
      let merge = try await database.call(arguments: ["merge", "--json"] + window)
      for count in ["read", "inserted", "errors"] {
        #expect(
          try plan.json()["totals"][count].integer == merge.json()["totals"][count].integer,
          "\(plan.transcript)\(merge.transcript)"
        )
      }
      #expect(try merge.json()["totals"]["inserted"].integer == 2)
    }
  }

  /// Row 7 gets its value when row 5 has got its own, and 5's later row never gets one.
  @Test func `a pass that writes a row is followed by another`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "id int PRIMARY KEY, x int UNIQUE, updated_at date",
        staging: "id int, x int, updated_at date"
      )
      try database.run(
        """
        INSERT INTO production.t VALUES (5, 10, '2020-01-01'), (2, 8, '2020-01-01');
        INSERT INTO staging.t VALUES (7, 10, '2021-01-01'), (5, 8, '2021-01-01'), (1, 5, '2021-01-03'), (2, 6, '2021-01-04'), (5, 5, '2021-01-04');
        """
      )
      let report = try await database.merge {
        $0.batchRows = 1
        $0.workers = 1
      }
      #expect(report.totals.inserted == 2 && report.totals.errors == 1, "\(report.totals)")
      #expect(try database.rows("SELECT id, x FROM production.t ORDER BY id") == ["(1,5)", "(2,6)", "(5,8)", "(7,10)"])
    }
  }
}
