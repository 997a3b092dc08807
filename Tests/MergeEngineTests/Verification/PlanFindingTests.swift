import Foundation
import Libpq
import MergeEngine
import TestSupport
import Testing

/// What `plan` warns of, shows and refuses; and that it writes nothing.
@Suite struct PlanFindingTests {
  private func messages(_ plan: PlanReport) -> [String] { plan.findings.map(\.message) }

  @Test func `a read-only role gets the counts and nothing is written`() async throws {
    try await TestDatabase.with { database in
      let columns = "k int PRIMARY KEY, a text, updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run(
        """
        INSERT INTO staging.t SELECT n, 'a', 1 FROM generate_series(1, 100) n;
        DROP ROLE IF EXISTS looker;
        CREATE ROLE looker LOGIN;
        GRANT USAGE ON SCHEMA production, staging TO looker;
        GRANT SELECT ON production.t, staging.t TO looker;
        """
      )
      // No temporary tables for anybody.
      let name = try #require(try database.value("SELECT current_database()"))
      try database.run("REVOKE TEMPORARY ON DATABASE \(name) FROM PUBLIC")
      let before = try database.rows("SELECT ctid, xmin::text, * FROM staging.t")
      let plan = try await database.plan(as: "looker")
      #expect(plan.status == .success)
      #expect(plan.totals.inserted == 100)
      #expect(try database.rows("SELECT ctid, xmin::text, * FROM staging.t") == before)
      #expect(try database.value("SELECT count(*) FROM production.t") == "0")
      #expect(try database.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'admin'") == "0")
      try database.run("REVOKE SELECT ON production.t FROM looker")
      let blocked = try await database.plan(as: "looker")
      #expect(blocked.findings.contains { $0.grade == .blocker && $0.message.contains("the role looker lacks SELECT") })
      try database.run("DROP OWNED BY looker; DROP ROLE looker")
    }
  }

  @Test func `an index on the version and triggers that stamp it are found`() async throws {
    try await TestDatabase.with { database in
      let columns = "k int PRIMARY KEY, a text, updated_at timestamp"
      try database.makePair(production: columns, staging: columns)
      try database.run(
        """
        CREATE INDEX by_version ON production.t (updated_at);
        CREATE INDEX by_a ON production.t (a);
        CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at := now(); RETURN NEW; END';
        CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM NEW.updated_at; RETURN NEW; END';
        CREATE TRIGGER stamper BEFORE UPDATE ON production.t FOR EACH ROW EXECUTE FUNCTION stamp();
        CREATE TRIGGER looker BEFORE UPDATE ON production.t FOR EACH ROW EXECUTE FUNCTION look();
        CREATE TRIGGER sleeper BEFORE UPDATE ON production.t FOR EACH ROW EXECUTE FUNCTION stamp();
        ALTER TABLE production.t DISABLE TRIGGER sleeper;
        """
      )
      let messages = try await messages(database.plan())
      #expect(messages.contains { $0.contains("the index by_version holds") })
      #expect(!messages.contains { $0.contains("by_a") })
      #expect(messages.contains { $0.contains("the trigger stamper") })
      #expect(!messages.contains { $0.contains("trigger looker") || $0.contains("trigger sleeper") })
    }
  }

  @Test func `staging without room for marks is found, and not when nothing is marked`() async throws {
    try await TestDatabase.with { database in
      let columns = "k int PRIMARY KEY, updated_at int"
      try database.makePair(production: columns, staging: columns)
      #expect(try await !messages(database.plan()).contains { $0.contains("no room for HOT") })
      try database.run("ALTER TABLE staging.t RESET (fillfactor); CREATE INDEX ON staging.t (_dms_processing_status)")
      let found = try await messages(database.plan())
      #expect(found.contains { $0.contains("no room for HOT") })
      #expect(found.contains { $0.contains("an index of staging.t holds _dms_processing_status") })
      #expect(try await !messages(database.plan { $0.mark = .none }).contains { $0.contains("no room for HOT") })
    }
  }

  @Test func `rows that production would refuse are counted by reason`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.parents (id int PRIMARY KEY, updated_at int);
        CREATE TABLE production.t (
          k int PRIMARY KEY, parent int REFERENCES production.parents, name varchar(3) NOT NULL,
          amount numeric(6,2) CONSTRAINT positive CHECK (amount >= 0), updated_at int);
        CREATE TABLE staging.parents (id int, updated_at int, _dms_processing_status text DEFAULT 'NEW');
        CREATE TABLE staging.t (k int, parent int, name text, amount numeric, updated_at int,
                                _dms_processing_status text DEFAULT 'NEW');
        INSERT INTO production.parents VALUES (1, 1);
        INSERT INTO staging.parents VALUES (2, 1);
        INSERT INTO staging.t VALUES
          (1, 1, 'abc', 1.5, 1), (2, 2, 'abc', 1.555, 1), (3, 3, 'abc', 1, 1), (4, NULL, NULL, 1, 1),
          (5, 1, 'abcd', 1, 1), (6, 1, 'a', -1, 1), (7, 9, 'a', 1.10, 1);
        """
      )
      let plan = try await database.plan()
      let messages = messages(plan)
      #expect(messages.contains { $0.hasPrefix("2 rows whose parent neither production.parents nor") })
      #expect(messages.contains { $0.hasPrefix("1 row without name") })
      #expect(messages.contains { $0.hasPrefix("1 row with a name longer than 3 characters") })
      #expect(messages.contains { $0.hasPrefix("1 row breaking the check positive") })
      #expect(
        messages.contains { $0.contains("column amount: 1 row whose numeric is changed by the cast to numeric(6,2)") }
      )
      #expect(plan.totals.errors == 5)
      let merge = try await database.merge()
      #expect(merge.totals.errors == 5)
    }
  }

  struct TypePair: Sendable, CustomTestStringConvertible {
    var testDescription: String { "\(staging) to \(production)" }
    let staging: String
    let production: String
    let value: String
    let message: String
  }

  static let typePairs = [
    TypePair(staging: "numeric(38,10)", production: "numeric", value: "1", message: "NUMBER without precision"),
    TypePair(staging: "numeric", production: "numeric(10,1)", value: "1.25", message: "changed by the cast"),
    TypePair(staging: "numeric", production: "int", value: "1.25", message: "changed by the cast"),
    TypePair(staging: "float8", production: "numeric", value: "1", message: "hold 15 digits"),
    TypePair(staging: "timestamp(0)", production: "timestamp", value: "now()", message: "Fractional seconds"),
    TypePair(staging: "timestamp", production: "timestamp(0)", value: "'2025-01-01 00:00:00.5'", message: "changed by"),
    TypePair(staging: "timestamp", production: "timestamptz", value: "now()", message: "--time-zone"),
    TypePair(staging: "date", production: "timestamp", value: "now()", message: "time of day"),
    TypePair(staging: "varchar(9)", production: "char(9)", value: "'a '", message: "pads with spaces"),
    TypePair(staging: "char(9)", production: "varchar(9)", value: "'a '", message: "pads with spaces"),
    TypePair(staging: "varchar(5)", production: "varchar(9)", value: "'a'", message: "longer than 5 characters"),
  ]

  @Test(arguments: typePairs)
  func `a pair of types that loses something is found`(_ pair: TypePair) async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "k int PRIMARY KEY, v \(pair.production), updated_at int",
        staging: "k int PRIMARY KEY, v \(pair.staging), updated_at int"
      )
      try database.run("INSERT INTO staging.t VALUES (1, \(pair.value), 1)")
      let found = try await messages(database.plan())
      #expect(found.contains { $0.hasPrefix("column v: ") && $0.contains(pair.message) }, "\(found)")
    }
  }

  @Test func `equal types lose nothing`() async throws {
    try await TestDatabase.with { database in
      let columns =
        "k int PRIMARY KEY, a numeric(10,2), b varchar(9), c char(3), d timestamp(3), e jsonb, updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run("INSERT INTO staging.t VALUES (1, 1.5, 'a', 'b', now(), '{}', 1)")
      #expect(try await messages(database.plan()) == [])
    }
  }

  @Test func `somebody who is writing to staging is found`() async throws {
    try await TestDatabase.with { database in
      let columns = "k int PRIMARY KEY, updated_at int"
      try database.makePair(production: columns, staging: columns)
      let other = try database.connect()
      try other.run("SET application_name = 'loader'; BEGIN; INSERT INTO staging.t VALUES (1, 1)")
      #expect(
        try await messages(database.plan()).contains { $0.contains("(loader, role postgres) is writing to staging.t") }
      )
      try other.run("COMMIT")
      #expect(try await messages(database.plan()) == [])
    }
  }

  @Test func `a DMS role is found by a role that may not see what it does, and VACUUM is no writer`() async throws {
    try await TestDatabase.with { database in
      let columns = "k int PRIMARY KEY, updated_at int"
      try database.makePair(production: columns, staging: columns)
      let name = try #require(try database.value("SELECT current_database()"))
      let (looker, loader) = ("looker_\(name)", "dms_\(name)")
      try database.run(
        """
        CREATE ROLE \(looker) LOGIN;
        CREATE ROLE \(loader) LOGIN;
        GRANT USAGE ON SCHEMA production, staging TO \(looker);
        GRANT SELECT ON production.t, staging.t TO \(looker);
        """
      )
      let dms = try TestDatabase(connectionString: database.connectionString.replacing("postgres", with: loader))
      try dms.run("BEGIN")
      #expect(
        try await messages(database.plan(as: looker)).contains {
          $0.contains("role \(loader)) looks like a connected DMS task")
        }
      )
      try dms.run("COMMIT")
      // Idle, for whoever may see that.
      #expect(try await messages(database.plan()) == [])
      // The lock that VACUUM and ANALYZE hold.
      let other = try database.connect()
      try other.run("BEGIN; LOCK TABLE staging.t IN SHARE UPDATE EXCLUSIVE MODE")
      #expect(try await messages(database.plan()) == [])
      try other.run("COMMIT; BEGIN; LOCK TABLE staging.t IN EXCLUSIVE MODE")
      #expect(try await messages(database.plan()).count == 1)
      try other.run("COMMIT")
      try database.run("DROP OWNED BY \(looker), \(loader); DROP ROLE \(looker), \(loader)")
    }
  }

  @Test func `a merge stores and tells what the catalog shows, and is quiet where nothing is wrong`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "k int PRIMARY KEY, a numeric, updated_at timestamp",
        staging: "k int PRIMARY KEY, a numeric(38,10), updated_at timestamp"
      )
      try database.run(
        """
        CREATE INDEX by_version ON production.t (updated_at);
        CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at := now(); RETURN NEW; END';
        CREATE TRIGGER stamper BEFORE UPDATE ON production.t FOR EACH ROW EXECUTE FUNCTION stamp();
        INSERT INTO staging.t SELECT n, 1, '2025-01-01' FROM generate_series(1, 10) n;
        """
      )
      let other = try database.connect()
      try other.run("SET application_name = 'loader'; BEGIN; INSERT INTO staging.t VALUES (11, 1, '2025-01-01')")
      let merge = try await database.merge()
      try other.run("COMMIT")
      let parts = [
        "the index by_version holds", "the trigger stamper", "NUMBER without precision", "(loader, role postgres)",
      ]
      for part in parts { #expect(merge.warnings.count { $0.contains(part) } == 1, "\(part): \(merge.warnings)") }
      #expect(merge.warnings.count == parts.count)
      #expect(
        try database.value(
          "SELECT count(*) FROM admin.merge_summary, jsonb_array_elements(warnings) w WHERE w ->> 'table' = 't'"
        ) == "\(parts.count)"
      )
      try database.run("DROP INDEX production.by_version; DROP TRIGGER stamper ON production.t")
      try database.run("ALTER TABLE staging.t ALTER a TYPE numeric")
      #expect(try await database.merge().warnings == [])
    }
  }

  @Test func `a merge tells that marks are dear where staging is large enough to feel it`() async throws {
    try await TestDatabase.with { database in
      let columns = "k int PRIMARY KEY, a text, updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run("ALTER TABLE staging.t RESET (fillfactor); ALTER TABLE staging.t ALTER a SET STORAGE PLAIN")
      try database.run("INSERT INTO staging.t SELECT n, 'a', 1 FROM generate_series(1, 1000) n")
      #expect(try await database.merge().warnings == [])
      try database.run("INSERT INTO staging.t SELECT n, repeat('a', 4000), 1 FROM generate_series(1001, 3000) n")
      #expect(try await database.merge().warnings.count { $0.contains("no room for HOT marks") } == 1)
    }
  }

  @Test func `a batch too large for memory with a row that can't be read is planned as it is merged`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "k int PRIMARY KEY, a int, b text, updated_at int",
        staging: "k int, a text, b text, updated_at int"
      )
      // Stored as it is: incompressible, and out of line.
      try database.run(
        """
        ALTER TABLE staging.t ALTER b SET STORAGE EXTERNAL;
        INSERT INTO staging.t SELECT n, CASE n WHEN 150 THEN 'x' ELSE '1' END, repeat('b', 262144), 1
        FROM generate_series(1, 300) n;
        """
      )
      let plan = try await database.plan()
      #expect(plan.totals.inserted == 299)
      #expect(plan.totals.errors == 1)
      #expect(plan.tables[0].samples.filter { $0.verdict == .error }.map(\.key) == [["k": "150"]])
      // The row that can't be read is tried in a batch by itself, which a plan does not foresee.
      var merged = try await database.merge().totals
      merged.batches = plan.totals.batches
      #expect(merged == plan.totals)
    }
  }

  @Test func `blockers make the plan BLOCKED and are all told`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.a (k int, updated_at int);
        CREATE TABLE staging.a (k int, updated_at int);
        CREATE TABLE production.b (k int PRIMARY KEY, needed int NOT NULL, updated_at int);
        CREATE TABLE staging.b (k int, updated_at int);
        INSERT INTO staging.a VALUES (1, 1); INSERT INTO staging.b VALUES (1, 1);
        """
      )
      let plan = try await database.plan()
      #expect(plan.status == .blocked)
      #expect(plan.findings.map(\.table) == ["a", "b"])
      #expect(plan.findings.allSatisfy { $0.grade == .blocker })
      #expect(plan.tables.isEmpty)
    }
  }

  @Test func `samples show old and new of the columns that differ, and no more than were asked for`() async throws {
    try await TestDatabase.with { database in
      let columns = "k int PRIMARY KEY, a text, b numeric, updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run(
        """
        INSERT INTO production.t VALUES (1, 'old', 1.0, 1), (2, 'x', 1, 2), (3, 'x', 1, 3), (5, 'x', 1, 1);
        INSERT INTO staging.t VALUES (1, 'new', 1.00, 2), (2, 'y', 1, 2), (3, 'x', NULL, 1), (4, 'n', 1, 1),
                                     (5, 'z', 1, 2), (6, 'n', 1, 1);
        """
      )
      let samples = try await database.plan(samples: 1).tables[0].samples
      func sample(_ kind: PlanReport.SampleKind) -> PlanReport.Sample? { samples.first { $0.verdict == kind } }
      func texts(_ sample: PlanReport.Sample) -> [String] {
        sample.columns.map { "\($0.column): \($0.old ?? "NULL"), \($0.new ?? "NULL")" }
      }
      #expect(sample(.update)?.key == ["k": "1"])
      #expect(
        sample(.update).map { texts($0) } == ["updated_at: 1, 2", "a: old, new"]
      )
      #expect(sample(.tie).map { texts($0) } == ["a: x, y"])
      #expect(sample(.stale).map { texts($0) } == ["updated_at: 3, 1", "b: 1, NULL"])
      #expect(sample(.insert)?.columns.count == 4)
      #expect(samples.count { $0.verdict == .update } == 1)
    }
  }

  @Test func `the JSON is the merge's with what a plan adds`() async throws {
    try await TestDatabase.with { database in
      let columns = "k int PRIMARY KEY, updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run("INSERT INTO staging.t VALUES (1, 1)")
      let (plan, merge) = try await database.planAndMerge()
      let planned = try JSONValue(encoding: plan)
      let merged = try JSONValue(encoding: merge)
      #expect(planned["dry_run"] == .bool(true))
      #expect(merged.keys.subtracting(["warnings"]).isSubset(of: planned.keys))
      let plannedTable = try #require(planned["tables"].elements.first)
      let mergedTable = try #require(merged["tables"].elements.first)
      #expect(mergedTable.keys.isSubset(of: plannedTable.keys))
      #expect(plannedTable.keys.isSuperset(of: ["estimate", "samples"]) && planned.keys.contains("findings"))
      #expect(!merged["totals"].keys.isEmpty && merged["totals"].keys.isSubset(of: planned["totals"].keys))
    }
  }
}
