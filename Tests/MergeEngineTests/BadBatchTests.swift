import MergeEngine
import TestSupport
import Testing

/// Batches with more wrong than one row: broken triggers, unreadable rows, every third row bad, all or nothing.
@Suite struct BadBatchTests {
  @Test func `a trigger that is broken for every row fails its table, and the others go on`() async throws {
    try await TestDatabase.with { database in
      try database.run(QuarantineTests.trigger("INSERT INTO nowhere VALUES (1)"))
      for table in ["t", "u"] {
        let columns = "id int, updated_at int, v text"
        try database.makePair(table, production: columns + ", PRIMARY KEY (id)", staging: columns)
        try database.run("INSERT INTO staging.\(table) SELECT n, 2, 'bad' FROM generate_series(1, 40) n")
      }
      try database.run(
        "CREATE TRIGGER g BEFORE INSERT OR UPDATE ON production.t FOR EACH ROW EXECUTE FUNCTION guard()"
      )
      let report = try await database.merge()
      #expect(report.status == .failed)
      #expect(report.failures.count == 1)
      #expect(report.failures.first?.contains("nowhere") == true)
      #expect(report.failures.first?.contains("42P01") == true)
      #expect(try database.count("SELECT count(*) FROM production.t") == 0)
      #expect(try database.count("SELECT count(*) FROM staging.t WHERE _dms_processing_status = 'NEW'") == 40)
      #expect(try database.count("SELECT count(*) FROM production.u") == 40)
    }
  }

  @Test func `a row that can't be read as production's type is put aside, too`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "id int PRIMARY KEY, updated_at date, v int",
        staging: "id text, updated_at text, v text"
      )
      try database.run(
        """
        INSERT INTO staging.t SELECT n::text, '2025-01-01', n::text FROM generate_series(1, 500) n;
        INSERT INTO staging.t VALUES ('five', '2025-01-01', '1'), ('501', 'soon', '1'), ('502', '2025-01-01', 'many');
        """
      )
      let report = try await database.merge { $0.batchRows = 100 }
      #expect(report.status == .partial)
      #expect(report.totals.inserted == 500)
      #expect(
        try database.rows("SELECT sqlstate, row_key->>'id' FROM admin.merge_errors ORDER BY 2")
          == ["(22007,501)", "(22P02,502)", "(22P02,five)"]
      )
    }
  }

  /// Rows of one key are tried together, and more of them than are tried at a time were set apart without end.
  @Test(arguments: [64, 65, 200], [false, true])
  func `a key of which many rows are refused is done with like any other`(badCount: Int, hasGood: Bool) async throws {
    try await TestDatabase.with { database in
      let columns = "id int, v int, updated_at int"
      try database.makePair(
        production: "id int PRIMARY KEY, v int CHECK (v > 0), updated_at int",
        staging: columns
      )
      try database.run(
        """
        INSERT INTO staging.t SELECT 7, 0, n FROM generate_series(2, \(badCount + 1)) AS n;
        INSERT INTO staging.t SELECT n, 1, 1 FROM generate_series(100, 300) AS n;
        """
      )
      if hasGood { try database.run("INSERT INTO staging.t VALUES (7, 1, 1)") }
      let (plan, merge) = try await database.planAndMerge { $0.workers = 1 }
      #expect(merge.status == .partial)
      #expect(merge.totals.errors == badCount && plan.totals.errors == badCount, "\(merge.totals)")
      #expect(merge.totals.inserted == 201 + (hasGood ? 1 : 0), "\(merge.totals)")
      #expect(try await database.merge().totals.read == 0)
    }
  }

  /// Not divided by time, as on a busy machine it might be: then older rows than that one are tried, too.
  @Test func `the newest row of a key that production takes is found among many, as planned`() async throws {
    try await TestDatabase.with { database in
      try database.letBatchesWait()
      try database.makePair(
        production: "id int PRIMARY KEY, v int CHECK (v < 100), updated_at int",
        staging: "id int, v int, updated_at int"
      )
      try database.run(
        "INSERT INTO staging.t SELECT 7, CASE n WHEN 150 THEN 1 ELSE 100 END, n FROM generate_series(1, 200) AS n"
      )
      let plan = try await database.plan()
      // Rows older than that one are stale to the portions behind, which the plan calls duplicates.
      let merge = try await database.merge {
        $0.workers = 1
        $0.maxLockMilliseconds = 600_000
      }
      #expect(merge.totals.inserted == 1 && plan.totals.inserted == 1)
      #expect(merge.totals.errors == 50 && plan.totals.errors == 50, "\(merge.totals)")
    }
  }

  /// At most the statement that is refused, the one without the row that was set apart, and the one with that row alone.
  @Test func `a row that is refused among many is asked for, not found by splitting`() async throws {
    try await TestDatabase.with { database in
      try database.letBatchesWait()
      try database.makePair(
        production: "id int PRIMARY KEY, updated_at int, v varchar(4)",
        staging: "id int, updated_at int, v text"
      )
      try database.run(
        """
        CREATE SEQUENCE public.statements;
        CREATE FUNCTION tally() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM nextval('public.statements'); RETURN NULL; END $$;
        CREATE TRIGGER tally BEFORE INSERT ON production.t FOR EACH STATEMENT EXECUTE FUNCTION tally();
        INSERT INTO staging.t SELECT n, 1, CASE WHEN n = 7001 THEN 'too long' ELSE 'good' END FROM generate_series(1, 10000) n;
        """
      )
      let report = try await database.merge {
        $0.batchRows = 1_000_000
        $0.workers = 1
        $0.maxLockMilliseconds = 600_000
      }
      #expect(report.totals.inserted == 9999)
      #expect(report.totals.batches == 2)
      #expect(try database.rows("SELECT row_key->>'id' FROM admin.merge_errors") == ["(7001)"])
      #expect(try database.count("SELECT last_value FROM public.statements") <= 3)
    }
  }

  @Test(arguments: ["CHECK", "cast"])
  func `a batch in which every third row is bad takes no transaction for each of them`(_ kind: String) async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "id int PRIMARY KEY, updated_at int, v int \(kind == "CHECK" ? "CHECK (v <> 0)" : "")",
        staging: "id int, updated_at int, v text"
      )
      try database.run(
        """
        INSERT INTO production.t SELECT n, 1, 1 FROM generate_series(1, 1500) n;
        INSERT INTO staging.t SELECT n, 2, CASE WHEN n % 3 > 0 THEN '1' ELSE '\(kind == "CHECK" ? "0" : "zero")' END
        FROM generate_series(1, 3000) n;
        """
      )
      let report = try await database.merge()
      #expect(report.totals.errors == 1000)
      #expect(report.totals.updated == 1000)
      #expect(report.totals.inserted == 1000)
      #expect(try database.count("SELECT count(*) FROM production.t WHERE updated_at = 2") == 2000)
      #expect(report.totals.batches < 500)
    }
  }

  @Test func `in one transaction a bad row undoes everything, and the run says why`() async throws {
    try await TestDatabase.with { database in
      for table in ["a", "b"] {
        try database.makePair(
          table,
          production: "id int PRIMARY KEY, updated_at int CHECK (updated_at < 9)",
          staging: "id int, updated_at int"
        )
        try database.run("INSERT INTO staging.\(table) SELECT n, 1 FROM generate_series(1, 100) n")
        try database.run("INSERT INTO production.\(table) VALUES (1, 0)")
      }
      try database.run("INSERT INTO staging.b VALUES (101, 9)")
      let report = try await database.merge {
        $0.atomic = true
        $0.batchRows = 20
      }
      #expect(report.status == .failed)
      #expect(report.totals == VerdictCounts())
      #expect(
        try database.rows("SELECT 'a', * FROM production.a UNION ALL SELECT 'b', * FROM production.b") == [
          "(a,1,0)", "(b,1,0)",
        ]
      )
      for table in ["a", "b"] {
        #expect(try database.count("SELECT count(*) FROM staging.\(table) WHERE _dms_processing_status <> 'NEW'") == 0)
      }
      #expect(
        try database.rows("SELECT status, notes LIKE '%violates check constraint%23514%' FROM admin.merge_summary") == [
          "(FAILED,t)"
        ]
      )
      #expect(try database.count("SELECT count(*) FROM admin.merge_errors") == 0)
      try database.run("DELETE FROM staging.b WHERE updated_at = 9")
      let second = try await database.merge { $0.atomic = true }
      #expect(second.status == .success)
      #expect(second.totals.read == 200)
    }
  }
}
