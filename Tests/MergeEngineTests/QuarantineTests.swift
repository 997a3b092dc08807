import MergeEngine
import Testing

/// One bad row costs itself and nothing else.
@Suite struct QuarantineTests {
  struct Refusal: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let sqlState: String
    var setup = ""
    var columns = "id int, updated_at int, v text, n int"
    var production = ""
    /// The bad row; the good ones are ids 1 to 40 but 20, v 'good', n the id.
    let row: String
  }

  static let refusals = [
    Refusal(testDescription: "CHECK", sqlState: "23514", production: "CHECK (v <> 'bad')", row: "20, 2, 'bad', 20"),
    Refusal(
      testDescription: "NOT NULL",
      sqlState: "23502",
      production: "CHECK (v <> ''), UNIQUE (id)",
      row: "20, 2, NULL, 20"
    ),
    Refusal(
      testDescription: "secondary unique key",
      sqlState: "23505",
      production: "UNIQUE (n)",
      row: "20, 2, 'good', 7"
    ),
    Refusal(
      testDescription: "deferred unique key",
      sqlState: "23505",
      production: "UNIQUE (n) DEFERRABLE INITIALLY DEFERRED",
      row: "20, 2, 'good', 1000"
    ),
    Refusal(
      testDescription: "foreign key",
      sqlState: "23503",
      setup: "CREATE TABLE parent AS SELECT n FROM generate_series(1, 50) n; ALTER TABLE parent ADD PRIMARY KEY (n);",
      production: "FOREIGN KEY (n) REFERENCES parent",
      row: "20, 2, 'good', 999"
    ),
    Refusal(
      testDescription: "deferred foreign key",
      sqlState: "23503",
      setup: "CREATE TABLE parent AS SELECT n FROM generate_series(1, 50) n; ALTER TABLE parent ADD PRIMARY KEY (n);",
      production: "FOREIGN KEY (n) REFERENCES parent DEFERRABLE INITIALLY DEFERRED",
      row: "20, 2, 'good', 999"
    ),
    Refusal(
      testDescription: "exclusion constraint",
      sqlState: "23P01",
      production: "EXCLUDE USING gist (int4range(n, n + 1) WITH &&)",
      row: "20, 2, 'good', 1000"
    ),
    Refusal(
      testDescription: "domain",
      sqlState: "23514",
      setup: "CREATE DOMAIN word AS text CHECK (value <> 'bad');",
      columns: "id int, updated_at int, v word, n int",
      row: "20, 2, 'bad', 20"
    ),
    Refusal(
      testDescription: "value out of range",
      sqlState: "22003",
      columns: "id int, updated_at int, v text, n smallint",
      row: "20, 2, 'good', 100000"
    ),
    Refusal(
      testDescription: "value too long",
      sqlState: "22001",
      columns: "id int, updated_at int, v varchar(5), n int",
      row: "20, 2, 'too long', 20"
    ),
    Refusal(
      testDescription: "index row too long",
      sqlState: "54000",
      production: "UNIQUE (v, n)",
      row: "20, 2, (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 300) n), 20"
    ),
    Refusal(
      testDescription: "exception of a trigger",
      sqlState: "P0001",
      setup: trigger("RAISE EXCEPTION 'no'"),
      row: "20, 2, 'bad', 20"
    ),
    Refusal(
      testDescription: "exception of a trigger with a code of its own",
      sqlState: "ZX001",
      setup: trigger("RAISE EXCEPTION 'no' USING ERRCODE = 'ZX001'"),
      row: "20, 2, 'bad', 20"
    ),
    Refusal(
      testDescription: "exception of a trigger that borrows insufficient_privilege",
      sqlState: "42501",
      setup: trigger("RAISE EXCEPTION 'no' USING ERRCODE = 'insufficient_privilege'"),
      row: "20, 2, 'bad', 20"
    ),
    Refusal(
      testDescription: "failed statement within a trigger",
      sqlState: "22012",
      setup: trigger("new.n = 1 / (new.n - 20)"),
      row: "20, 2, 'bad', 20"
    ),
    Refusal(
      testDescription: "constraint trigger at the commit",
      sqlState: "P0001",
      setup: trigger("RAISE EXCEPTION 'no'"),
      production: "CHECK (true)",
      row: "20, 2, 'bad', 20"
    ),
  ]

  private static func trigger(_ statement: String) -> String {
    """
    CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN IF new.v = 'bad' THEN \(statement); END IF; RETURN new; END $$;
    """
  }

  @Test(arguments: refusals, [false, true])
  func `exactly the bad row is put aside, with its reason`(_ refusal: Refusal, isNew: Bool) async throws {
    try await TestDatabase.with { database in
      try database.run(refusal.setup)
      let constraints = refusal.production.isEmpty ? "" : ", " + refusal.production
      try database.makePair(
        production: refusal.columns + ", PRIMARY KEY (id)" + constraints,
        staging: "id int, updated_at int, v text, n int"
      )
      if refusal.testDescription == "NOT NULL" { try database.run("ALTER TABLE production.t ALTER v SET NOT NULL") }
      if refusal.setup.contains("guard()") {
        try database.run(
          refusal.testDescription.hasPrefix("constraint")
            ? "CREATE CONSTRAINT TRIGGER g AFTER INSERT OR UPDATE ON production.t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION guard()"
            : "CREATE TRIGGER g BEFORE INSERT OR UPDATE ON production.t FOR EACH ROW EXECUTE FUNCTION guard()"
        )
      }
      try database.run("INSERT INTO staging.t SELECT n, 2, 'good', n FROM generate_series(1, 40) n WHERE n <> 20")
      try database.run("INSERT INTO staging.t VALUES (\(refusal.row))")
      // What the bad row's n of 7 or 1000 collides with is in production before, and not touched by staging.
      if !isNew {
        try database.run(
          "INSERT INTO production.t SELECT n, 1, 'old', n FROM generate_series(1, 40) n WHERE n <> 7 OR true"
        )
      }
      if refusal.row.hasSuffix("1000") { try database.run("INSERT INTO production.t VALUES (100, 1, 'there', 1000)") }
      let report = try await database.merge()
      #expect(report.status == .partial, "\(report.failures)")
      #expect(report.totals.errors == 1)
      #expect(
        try database.rows(
          "SELECT sqlstate, row_key, left(row_data->>'v', 4), length(message) > 1, table_name FROM admin.merge_errors"
        )
          == ["(\(refusal.sqlState),\"{\"\"id\"\": 20}\",\(value(refusal)),t,t)"]
      )
      #expect(
        try database.rows("SELECT id FROM staging.t WHERE _dms_processing_status = 'ERROR'") == ["(20)"]
      )
      #expect(try database.count("SELECT count(*) FROM staging.t WHERE _dms_processing_status = 'PROCESSED'") == 39)
      #expect(try database.count("SELECT count(*) FROM production.t WHERE updated_at = 2 AND v = 'good'") == 39)
      #expect(try database.rows("SELECT v FROM production.t WHERE id = 20") == (isNew ? [] : ["(old)"]))
    }
  }

  private func value(_ refusal: Refusal) -> String {
    if refusal.testDescription == "NOT NULL" { return "" }
    if refusal.testDescription == "value too long" { return "\"too \"" }
    if refusal.testDescription == "index row too long" { return "c4ca" }
    return refusal.row.contains("'bad'") ? "bad" : "good"
  }

  @Test func `a trigger that is broken for every row fails its table, and the others go on`() async throws {
    try await TestDatabase.with { database in
      try database.run(Self.trigger("INSERT INTO nowhere VALUES (1)"))
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

  @Test(arguments: ["CHECK", "cast"])
  func `a batch in which every third row is bad ends in sane time`(_ kind: String) async throws {
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
      let clock = ContinuousClock.now
      let report = try await database.merge()
      let elapsed = ContinuousClock.now - clock
      print("every third of 3000 rows bad, \(kind): \(elapsed)")
      #expect(report.totals.errors == 1000)
      #expect(report.totals.updated == 1000)
      #expect(report.totals.inserted == 1000)
      #expect(try database.count("SELECT count(*) FROM production.t WHERE updated_at = 2") == 2000)
      #expect(elapsed < .seconds(60))
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
