import MergeEngine
import TestSupport
import Testing

/// By what rules rows were judged and windows read belongs to what the ledger says, whoever asks it later.
@Suite struct RulesTests {
  @Test(arguments: ["version", "zone", "key"])
  func `what was merged by a rule that was a mistake is read again by the right one`(mistake: String) async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production:
          "id int PRIMARY KEY, code int NOT NULL UNIQUE, v text, loaded_at timestamptz, updated_at timestamptz",
        staging: "id int, code int, v text, loaded_at timestamptz, updated_at timestamp"
      )
      try database.run(
        """
        INSERT INTO production.t SELECT n, n, 'old', '2025-01-01', '2025-01-02 12:00+00' FROM generate_series(1, 10) AS n;
        INSERT INTO staging.t
        SELECT n, \(mistake == "key" ? "n + 100" : "n"), 'new', '2025-01-01', '2025-01-02 13:00' FROM generate_series(1, 10) AS n;
        """
      )
      func mistaken(_ options: inout MergeOptions) {
        switch mistake {
        case "version": options.columns.version = "loaded_at"
        case "zone": options.timeZone = "Asia/Tokyo"
        default:
          var rules = ColumnRules.TableRules()
          rules.key = ["code"]
          options.columns.tables["t"] = rules
        }
      }
      try await database.merge(mistaken)
      #expect(try database.count("SELECT count(*) FROM production.t WHERE v = 'new'") == 0)
      #expect(try await database.merge(mistaken).totals.read == 0)
      #expect(try await database.plan().tables[0].counts.updated == 10)
      let kept = try await database.call("cleanup")
      #expect(kept.status == 65 && kept.everything.contains("were merged by others"), "\(kept.everything)")
      let report = try await database.merge()
      #expect(report.totals.updated == 10)
      #expect(
        report.warnings.contains { $0.contains("10 rows of staging.t were merged by other rules than are set now") },
        "\(report.warnings)"
      )
      let next = try await database.merge()
      #expect(next.totals.read == 0 && !next.warnings.contains { $0.contains("other rules") })
      #expect(try await database.call("cleanup").status == 0)
    }
  }

  /// Of text the settings of database and role say what it is: a version of April, or of May.
  @Test(arguments: ["timestamp", "date", "timestamptz"])
  func `what was merged under another DateStyle is read again`(type: String) async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: "id int PRIMARY KEY, updated_at \(type)", staging: "id int, updated_at text")
      try database.run(
        "INSERT INTO production.t VALUES (1, '2025-04-20'); INSERT INTO staging.t VALUES (1, '04/05/2025')"
      )
      let first = try await database.call("merge", "--json")
      #expect(try first.json()["totals"]["stale"].integer == 1, "\(first.transcript)")
      try database.run("ALTER DATABASE \(database.name) SET DateStyle = 'SQL, DMY'")
      let kept = try await database.call("cleanup")
      #expect(kept.status == 65, "\(kept.transcript)")
      #expect(try await database.plan().totals.updated == 1)
      let second = try await database.merge()
      #expect(second.totals.updated == 1)
      #expect(second.warnings.contains { $0.contains("1 row of staging.t was merged by other rules") })
      #expect(try database.value("SELECT updated_at = '2025-05-04' FROM production.t") == "true")
      #expect(try await database.merge().totals.read == 0)
      #expect(try await database.call("cleanup").status == 0)
    }
  }

  @Test(arguments: [
    ("date", "04/05/2025", "DateStyle = 'ISO, DMY'"), ("interval", "-1 02:03", "IntervalStyle = 'sql_standard'"),
    ("timetz", "12:00", "TimeZone = 'Asia/Tokyo'"), ("daterange", "[01/02/2025,03/04/2025)", "DateStyle = 'ISO, DMY'"),
    ("timestamptz", "2025-01-02 03:00 EST", "timezone_abbreviations = 'Australia'"),
  ])
  func `a key of text is another one under other settings`(type: String, key: String, setting: String) async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: "k \(type) PRIMARY KEY, updated_at int", staging: "k text, updated_at int")
      try database.run("INSERT INTO staging.t VALUES ('\(key)', 1)")
      #expect(try await database.merge().totals.inserted == 1)
      #expect(try await database.merge().totals.read == 0)
      try database.run("ALTER DATABASE \(database.name) SET \(setting)")
      #expect(try await database.call("cleanup").status == 65)
      #expect(try await database.merge().totals.inserted == 1)
      #expect(try await database.call("verify").status == 0)
      #expect(try database.count("SELECT count(*) FROM production.t") == 2)
    }
  }

  /// What was merged of rows that had one key says nothing of the two that they have now.
  @Test(arguments: [
    ("int", "DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (id, v)"),
    ("int", "DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (v)"),
    ("numeric", "ALTER id TYPE text USING id::text"),
  ])
  func `by another primary key staging is read again`(type: String, change: String) async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (id \(type), v text NOT NULL, updated_at int, CONSTRAINT t_pkey PRIMARY KEY (id));
        CREATE TABLE staging.t (id text, v text, updated_at int);
        INSERT INTO staging.t VALUES ('1', 'a', 1), ('\(type == "int" ? "1" : "1.0")', 'b', 2), ('2', 'c', 1);
        """
      )
      #expect(try await database.call("merge").status == 0)
      #expect(try database.count("SELECT count(*) FROM production.t") == 2)
      let none = try await database.call("merge", "--json")
      #expect(try none.json()["totals"]["read"].integer == 0, "\(none.transcript)")
      try database.run("ALTER TABLE production.t \(change)")
      let plan = try await database.call("plan", "--json")
      #expect(try plan.json()["totals"]["read"].integer == 3, "\(plan.transcript)")
      try await Self.expectPending(3, of: database, isOfFormerKey: true)
      #expect(try await database.call("merge").status == 0)
      try await Self.expectPending(0, of: database, isOfFormerKey: false)
      #expect(try database.count("SELECT count(*) FROM production.t") == 3)
      #expect(try await database.call("verify").status == 0)
    }
  }

  @Test(arguments: [
    "ALTER TABLE staging.t RENAME a TO x; ALTER TABLE staging.t RENAME b TO a; ALTER TABLE staging.t RENAME x TO b",
    "ALTER TABLE staging.t DROP a; ALTER TABLE staging.t ADD a int DEFAULT 5",
  ])
  func `a name that comes to mean another column is another key`(change: String) async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (a int PRIMARY KEY, b int, updated_at int); CREATE TABLE staging.t (a int, b int, updated_at int);
        INSERT INTO staging.t VALUES (1, 11, 1), (2, 12, 1);
        """
      )
      try await database.merge()
      try await Self.expectPending(0, of: database, isOfFormerKey: false)
      try database.run(change)
      #expect(try await database.plan().totals.read == 2)
      try await Self.expectPending(2, of: database, isOfFormerKey: true)
      #expect(try await database.call("cleanup").status == 65)
      #expect(try await database.merge().totals.inserted > 0)
    }
  }

  /// Type names, and with them the keys of the ledger, are quoted or not as sessions have it.
  @Test(arguments: ["uuid", "bytea", "int", "text", "timestamptz", "inet", "\"char\"", "text COLLATE public.caseless"])
  func `a key is called the same whether the database quotes all identifiers or not`(type: String) async throws {
    try await TestDatabase.with { database in
      guard try !type.contains("caseless") || database.makeCaseless() else { return }
      let key = type == "int" ? "1" : type.contains("text") ? "'a'" : type == "uuid" ? "gen_random_uuid()" : nil
      let value =
        key ?? ["bytea": "'x'", "timestamptz": "now()", "inet": "'10.0.0.1'", "\"char\"": "'c'"][type] ?? "NULL"
      try database.makePair(production: "k \(type) PRIMARY KEY, updated_at int", staging: "k \(type), updated_at int")
      try database.run("INSERT INTO staging.t VALUES (\(value), 1)")
      let database = database
      func setQuotes(_ value: String) throws {
        try database.run(
          "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET quote_all_identifiers = \(value)', current_database()); END $$"
        )
        try database.run("SET quote_all_identifiers = \(value)")
      }
      try setQuotes("on")
      try await database.merge()
      try await Self.expectPending(0, of: database, isOfFormerKey: false)
      #expect(try await database.plan().totals.read == 0)
      try setQuotes("off")
      try await Self.expectPending(0, of: database, isOfFormerKey: false)
      #expect(try await database.plan().totals.read == 0)
    }
  }

  /// Status and the view say the same, and status why.
  private static func expectPending(_ count: Int, of database: TestDatabase, isOfFormerKey: Bool) async throws {
    let status = try await database.call("status", "--json")
    let json = try status.json()
    #expect(json["tables"].table("t")["pending"].integer == count, "\(status.transcript)")
    #expect(json["keys_changed"] == .array(isOfFormerKey ? [.string("t")] : []), "\(status.transcript)")
    #expect(try database.count("SELECT pending_records FROM admin.oracle_pg_migration_status") == count)
    let text = try await database.call("status")
    #expect(text.output.contains("primary key has changed") == isOfFormerKey, "\(text.transcript)")
  }

  /// As `status` names them, so that no row counts as pending whose key is as it was.
  @Test(arguments: [
    "id smallint PRIMARY KEY", "id bigint PRIMARY KEY", "id varchar(9) PRIMARY KEY", "id char(9) PRIMARY KEY",
    "id numeric(9, 2) PRIMARY KEY", "id name PRIMARY KEY", "id text COLLATE \"C\" PRIMARY KEY",
    "id text COLLATE public.caseless PRIMARY KEY",
    "id varchar COLLATE public.\"Case less\" PRIMARY KEY", "id whole PRIMARY KEY", "id mood PRIMARY KEY",
    "id int4range PRIMARY KEY",
    "id int PRIMARY KEY DEFERRABLE", "id int NOT NULL UNIQUE", "id date PRIMARY KEY", "id oid PRIMARY KEY",
    "id int[] PRIMARY KEY",
  ])
  func `status knows the keys of all types`(column: String) async throws {
    try await TestDatabase.with { database in
      for name in ["public.caseless", "public.\"Case less\""] where column.contains(name) {
        guard try database.makeCaseless(name) else { return }
      }
      let type = column.split(separator: " ")[1]
      let value =
        switch type {
        case "date": "2025-01-01"
        case "int4range": "[1,2)"
        case "int[]": "{1}"
        case "mood": "good"
        default: "1"
        }
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging; CREATE DOMAIN whole AS int; CREATE TYPE mood AS ENUM ('good');
        CREATE TABLE production.t (gone int, b int NOT NULL, \(column), updated_at int);
        ALTER TABLE production.t DROP gone;
        CREATE TABLE staging.t AS SELECT id, updated_at, b FROM production.t; INSERT INTO staging.t VALUES ('\(value)', 1, 1);
        """
      )
      #expect(try await database.call("init", "--quiet").status == 0)
      #expect(try await database.merge().totals.inserted == 1)
      try await Self.expectPending(0, of: database, isOfFormerKey: false)
    }
  }

  @Test(arguments: [
    "ALTER TABLE staging.t RENAME updated_at TO x; ALTER TABLE staging.t RENAME later TO updated_at; ALTER TABLE staging.t RENAME x TO later",
    "ALTER TABLE staging.t DROP updated_at; ALTER TABLE staging.t ADD updated_at int DEFAULT 9",
    "ALTER TABLE production.t RENAME updated_at TO x; ALTER TABLE production.t RENAME later TO updated_at; ALTER TABLE production.t RENAME x TO later",
  ])
  func `a name that comes to mean another column is another version`(change: String) async throws {
    try await TestDatabase.with { database in
      let columns = "k int PRIMARY KEY, updated_at int, later int"
      try database.makePair(production: columns, staging: columns.replacing(" PRIMARY KEY", with: ""))
      try database.run("INSERT INTO production.t VALUES (1, 5, 0); INSERT INTO staging.t VALUES (1, 1, 9)")
      #expect(try await database.merge().totals.stale == 1)
      try database.run(change)
      #expect(try await database.plan().totals.read == 1)
      #expect(try await database.call("cleanup").status == 65)
      #expect(try await database.merge().totals.updated == 1)
    }
  }

  @Test func `a ledger that does not say yet by what keys rows were matched counts`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: "k int PRIMARY KEY, updated_at int", staging: "k int, updated_at int")
      try database.run("INSERT INTO staging.t SELECT n, n FROM generate_series(1, 5) AS n")
      try await database.merge()
      try database.run("ALTER TABLE admin.merge_progress DROP COLUMN matched_by")
      #expect(try await database.plan().totals.read == 0)
      let status = try await database.call("status", "--json")
      #expect(try status.json()["tables"].table("t")["pending"].integer == 0, "\(status.transcript)")
      #expect(try await database.merge().totals.read == 0)
      try database.run("INSERT INTO staging.t VALUES (6, 6)")
      #expect(try await database.merge().totals.read == 1)
    }
  }

  /// By its new key the row meets production's, which takes it; by neither rule is it read twice.
  @Test func `a row that was refused under another key is read once more, and stands refused no longer`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int PRIMARY KEY, code text NOT NULL UNIQUE, n int CHECK (n <> 7), updated_at int"
      try database.makePair(production: columns, staging: "id int, code text, n int, updated_at int")
      try database.run(
        """
        INSERT INTO production.t VALUES (1, 'a', 1, 1), (2, 'b', 1, 1);
        INSERT INTO staging.t VALUES (11, 'a', 2, 2), (2, 'b', 2, 2), (3, 'c', 1, 1), (4, 'd', 7, 1);
        """
      )
      #expect(try await database.merge().totals.errors == 2)
      try database.run("ALTER TABLE production.t DROP CONSTRAINT t_n_check")
      func byCode(_ options: inout MergeOptions) {
        var rules = ColumnRules.TableRules()
        rules.key = ["code"]
        options.columns.tables["t"] = rules
      }
      let foreseen = try await database.plan(byCode)
      let report = try await database.merge(byCode)
      #expect(foreseen.totals.read == 4 && foreseen.totals.inserted == 1 && foreseen.totals.updated == 1)
      #expect(report.totals.read == 4 && report.totals.inserted == 1 && report.totals.updated == 1, "\(report.totals)")
      #expect(report.status == .success && report.standingErrors == 0)
      #expect(try await database.merge(byCode).status == .success)
    }
  }

  @Test func `a refusal counts for status, too, where only the merge knows how a window was read`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int, v int, changed int, updated_at int"
      try database.makePair(production: columns + ", PRIMARY KEY (id), CHECK (v > 0)", staging: columns)
      try database.run("INSERT INTO staging.t VALUES (1, -1, 5, 1), (2, 1, 5, 1)")
      let report = try await database.merge { ($0.columns.version, $0.from, $0.to) = ("changed", "3", "7") }
      #expect(report.totals.errors == 1)
      let status = try await database.call("status", "--json")
      #expect(status.status == 65)
      #expect(try status.json()["tables"].table("t")["errors"].integer == 1)
    }
  }

  @Test func `rows of a run that was rolled back are not lost, and not to be merged again by other rules`() async throws
  {
    try await TestDatabase.with { database in
      let columns = "id int PRIMARY KEY, changed int, updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run("INSERT INTO staging.t SELECT n, 5, 1 FROM generate_series(1, 4) AS n")
      func differently(_ options: inout MergeOptions) {
        (options.columns.version, options.from, options.to) = ("changed", "3", "7")
      }
      let run = try await database.mergeKeepingImages(differently)
      let rollback = try await database.call("rollback", "\(run.runID)")
      #expect(rollback.status == 0 && !rollback.everything.contains("no longer holds any"), "\(rollback.everything)")
      let findings = try await database.plan(differently).findings
      #expect(!findings.contains { $0.kind == .productionEmpty || $0.kind == .readAgain }, "\(findings)")
      #expect(try await !database.plan().findings.contains { $0.kind == .readAgain })
      #expect(try await database.merge(differently).totals.inserted == 4)
    }
  }

  @Test(arguments: ["+05", "-3", "5", "+05:30"]) func `an offset alone is no zone`(zone: String) async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: "id int PRIMARY KEY, updated_at int", staging: "id int, updated_at int")
      let flag = try await database.call("merge", "--time-zone=\(zone)")
      #expect(flag.status == 64 && flag.everything.contains("east of Greenwich"), "\(flag.everything)")
      let file = try await database.call("plan", files: ["merge-engine.yaml": "time_zone: '\(zone)'"])
      #expect(file.status == 78 && file.everything.contains("east of Greenwich"), "\(file.everything)")
      #expect(try await database.call("merge", "--time-zone", "<+05>-05").status == 0)
    }
  }

  @Test(arguments: [
    // A date lies before a time of the same day.
    (type: "date", from: "2025-01-01 12:00", to: "2025-01-03 12:00", rows: "(2),(3)"),
    (type: "date", from: "2025-01-01", to: "2025-01-03", rows: "(1),(2)"),
    // No bound is rounded to what a version may be.
    (type: "timestamp(0)", from: "2025-01-01 00:00:00.4", to: "2025-01-03 00:00:00.4", rows: "(2),(3)"),
    (type: "timestamptz(0)", from: "2025-01-01 00:00:00.4", to: "2025-01-03 00:00:00.4", rows: "(2),(3)"),
    (type: "timestamp(0)", from: "2025-01-01 00:00:00.6", to: "2025-01-03 00:00:00.6", rows: "(2),(3)"),
    (type: "timestamptz(0)", from: "2024-12-31 23:59:59.6", to: "2025-01-02 23:59:59.6", rows: "(1),(2)"),
  ])
  func `bounds of a window are as exact as they were typed`(
    _ example: (type: String, from: String, to: String, rows: String)
  ) async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "id int PRIMARY KEY, updated_at \(example.type)",
        staging: "id int, updated_at \(example.type)"
      )
      try database.run("INSERT INTO staging.t SELECT n, date '2024-12-31' + n FROM generate_series(0, 5) AS n")
      func ask(_ options: inout MergeOptions) { (options.from, options.to) = (example.from, example.to) }
      #expect(try await database.plan(ask).tables[0].counts.read == 2)
      #expect(try await database.merge(ask).totals.read == 2)
      #expect(try database.rows("SELECT id FROM production.t ORDER BY id").joined(separator: ",") == example.rows)
      #expect(try await database.merge(ask).totals.read == 0)
      #expect(try await database.merge().totals.read == 4)
    }
  }
}
