import MergeEngine
import TestSupport
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

  static let refusals =
    [
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
    + ["40001", "40P01", "55P03", "57014", "57P01", "53200", "08006"].map { code in
      Refusal(
        testDescription: "exception of a trigger that borrows \(code), which passes by itself",
        sqlState: code,
        setup: trigger("RAISE EXCEPTION 'no' USING ERRCODE = '\(code)'"),
        row: "20, 2, 'bad', 20"
      )
    }

  static func trigger(_ statement: String) -> String {
    """
    CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN IF new.v = 'bad' THEN \(statement); END IF; RETURN new; END $$;
    """
  }

  @Test(arguments: ["SELECT 1;", "EXECUTE 'SELEC 1';", "INSERT INTO production.other VALUES (1, 2);"])
  func `a trigger that can run for no row fails its table, and puts none aside`(body: String) async throws {
    try await TestDatabase.with { database in
      let columns = "id int PRIMARY KEY, updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run(
        """
        CREATE TABLE production.other (a int);
        CREATE FUNCTION production.broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \(body) RETURN new; END $$;
        CREATE TRIGGER broken BEFORE INSERT ON production.t FOR EACH ROW EXECUTE FUNCTION production.broken();
        INSERT INTO staging.t SELECT n, 1 FROM generate_series(1, 20) AS n
        """
      )
      let merge = try await database.call("merge", "--json")
      #expect(merge.status == 74, "\(merge.transcript)")
      // Whoever is on call needs to know where to look.
      #expect(
        merge.errors.replacing(/\s+/, with: " ").contains("PL/pgSQL function production.broken() line 1"),
        "\(merge.errors)"
      )
      #expect(try database.count("SELECT count(*) FROM admin.merge_errors") == 0)
    }
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
      // A row whose value another one might have given away is tried again at the end: its first refusal is past then.
      #expect(
        try database.rows(
          """
          SELECT sqlstate, row_key, left(row_data->>'v', 4), length(message) > 1, table_name
          FROM admin.merge_errors WHERE retried_at IS NULL
          """
        )
          == ["(\(refusal.sqlState),\"{\"\"id\"\": 20}\",\(value(refusal)),t,t)"]
      )
      #expect(try database.rows("SELECT DISTINCT row_key ->> 'id' FROM admin.merge_errors") == ["(20)"])
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
}
