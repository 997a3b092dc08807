import MergeEngine
import TestSupport
import Testing

/// What triggers do to a repair: rows that they keep from their places are left, and those that they change are told.
@Suite struct RepairTriggerTests {
  /// Six rows, merged.
  private func fillSix(_ database: TestDatabase) async throws {
    let columns = "k int PRIMARY KEY, a text, updated_at timestamp"
    try database.makePair(production: columns, staging: columns)
    try database.run("INSERT INTO staging.t SELECT n, 'a' || n, '2025-01-02' FROM generate_series(1, 6) n")
    try await database.merge()
  }

  /// What production's triggers make of a repair, by a function of their own, and the rows that are left then.
  static let triggers = [
    (
      "CREATE CONSTRAINT TRIGGER t AFTER INSERT OR UPDATE ON production.t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW",
      "PERFORM production.purge(NEW.k); RETURN NULL;", 2, ["(2,old)", "(6,a6)"]
    ),
    (
      "CREATE TRIGGER t AFTER INSERT OR UPDATE ON production.t FOR EACH ROW",
      "PERFORM production.purge(NEW.k); RETURN NULL;", 2, ["(2,old)", "(6,a6)"]
    ),
    (
      "CREATE TRIGGER t BEFORE UPDATE ON production.t FOR EACH ROW", "RETURN OLD;", 1, ["(2,old)", "(5,a5)", "(6,a6)"]
    ),
    (
      "CREATE TRIGGER t BEFORE INSERT ON production.t FOR EACH ROW",
      "IF NEW.k = 5 THEN NEW.k := 77; END IF; RETURN NEW;", 1, ["(2,a2)", "(6,a6)"]
    ),
    (
      "CREATE TRIGGER t BEFORE INSERT ON production.t FOR EACH ROW",
      "IF NEW.k = 5 THEN NEW.k := 6; END IF; RETURN NEW;", 1, ["(2,a2)", "(6,a6)"]
    ),
  ]

  @Test(arguments: triggers)
  func `a row that a trigger keeps from its place is left, and nothing of it stays`(
    trigger: String,
    body: String,
    leftCount: Int,
    rows: [String]
  ) async throws {
    try await TestDatabase.with { database in
      try await fillSix(database)
      try database.run(
        "DELETE FROM production.t WHERE k IN (5, 6); UPDATE production.t SET a = 'old', updated_at = '2025-01-01' WHERE k = 2"
      )
      let file = DifferencesFile()
      #expect(
        try await database.call("verify", arguments: ["--recheck-after", "0", "--output", file.path]).status == 65
      )
      try database.run(
        """
        CREATE FUNCTION production.purge(n int) RETURNS void LANGUAGE sql AS 'DELETE FROM production.t WHERE k = n AND n IN (2, 5)';
        CREATE FUNCTION production.act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \(body) END $$;
        \(trigger) EXECUTE FUNCTION production.act();
        """
      )
      let repair = try await database.call("repair", file.path, "--json")
      #expect(repair.status == 65, "\(repair.transcript)")
      #expect(try repair.json()["totals"]["left_alone"].integer == leftCount, "\(repair.transcript)")
      #expect(
        try database.rows("SELECT k, a FROM production.t WHERE k NOT IN (1, 3, 4) ORDER BY k") == rows,
        "\(repair.transcript)"
      )
    }
  }

  /// Of arrays there are no arrays in which keys could be sent.
  @Test func `a row that a trigger deletes is left whatever its key`() async throws {
    try await TestDatabase.with { database in
      let columns = "k int[] PRIMARY KEY, updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run("INSERT INTO staging.t SELECT ARRAY[n], 1 FROM generate_series(1, 6) AS n")
      try await database.merge()
      try database.run("DELETE FROM production.t WHERE k IN (ARRAY[5], ARRAY[6])")
      let file = DifferencesFile()
      let verify = try await database.call("verify", arguments: ["--recheck-after", "0", "--output", file.path])
      #expect(verify.status == 65, "\(verify.transcript)")
      try database.run(
        """
        CREATE FUNCTION production.purge(n int[]) RETURNS void LANGUAGE sql AS 'DELETE FROM production.t WHERE k = n AND n = ARRAY[5]';
        CREATE FUNCTION production.act() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM production.purge(NEW.k); RETURN NULL; END';
        CREATE TRIGGER t AFTER INSERT ON production.t FOR EACH ROW EXECUTE FUNCTION production.act();
        """
      )
      let repair = try await database.call("repair", file.path, "--json")
      #expect(repair.status == 65, "\(repair.transcript)")
      let totals = try repair.json()["totals"]
      #expect(totals["left_alone"].integer == 1 && totals["inserted"].integer == 1, "\(repair.transcript)")
    }
  }

  /// A trigger of production that changes rows behind a repair of one update and two inserts.
  struct Change: Sendable {
    let trigger: String
    let body: String
    var alteredCount = 0
  }

  @Test(arguments: [
    Change(
      trigger: "BEFORE UPDATE ON production.t FOR EACH ROW",
      body: "NEW.a := upper(NEW.a); RETURN NEW;",
      alteredCount: 1
    ),
    Change(trigger: "BEFORE INSERT ON production.t FOR EACH ROW", body: "NEW.a := NULL; RETURN NEW;", alteredCount: 2),
    Change(
      trigger: "AFTER INSERT ON production.t FOR EACH ROW",
      body: "UPDATE production.t SET a = 'x' WHERE k = NEW.k AND k = 6; RETURN NULL;",
      alteredCount: 1
    ),
    Change(
      trigger: "AFTER INSERT OR UPDATE ON production.t",
      body: "IF pg_trigger_depth() = 1 THEN UPDATE production.t SET a = 'x'; END IF; RETURN NULL;",
      alteredCount: 3
    ),
    Change(trigger: "BEFORE INSERT OR UPDATE ON production.t FOR EACH ROW", body: "NEW.seen := true; RETURN NEW;"),
    Change(trigger: "AFTER INSERT OR UPDATE ON production.t FOR EACH ROW", body: "RETURN NULL;"),
  ])
  func `rows that triggers change behind a repair are counted and told`(change: Change) async throws {
    try await TestDatabase.with { database in
      try await fillSix(database)
      try database.run(
        """
        DELETE FROM production.t WHERE k IN (5, 6); UPDATE production.t SET a = 'old', updated_at = '2025-01-01' WHERE k = 2;
        ALTER TABLE production.t ADD COLUMN seen boolean;
        CREATE FUNCTION production.act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \(change.body) END $$;
        CREATE TRIGGER t \(change.trigger) EXECUTE FUNCTION production.act();
        """
      )
      let file = DifferencesFile()
      let verify = try await database.call("verify", arguments: ["--recheck-after", "0", "--output", file.path])
      #expect(verify.status == 65, "\(verify.transcript)")
      let isAltered = change.alteredCount > 0
      let repair = try await database.call("repair", file.path, "--json")
      #expect(repair.status == (isAltered ? 65 : 0), "\(repair.transcript)")
      let table = try repair.json()["tables"].table("t")
      #expect(table["altered_by_triggers"].integer == change.alteredCount, "\(repair.transcript)")
      #expect(table["inserted"].integer == 2 && table["updated"].integer == 1, "\(repair.transcript)")
      #expect(repair.errors.contains("triggers of t changed") == isAltered, "\(repair.transcript)")
      let notes = try database.value("SELECT notes FROM admin.merge_summary ORDER BY id DESC LIMIT 1")
      #expect(notes?.contains("triggers of t changed") == isAltered, "\(notes ?? "")")
    }
  }

  @Test(arguments: [
    ("AFTER DELETE ON production.t FOR EACH ROW", "INSERT INTO production.t VALUES (OLD.*); RETURN NULL;"),
    (
      "AFTER DELETE ON production.t REFERENCING OLD TABLE AS o",
      "INSERT INTO production.t SELECT * FROM o WHERE k < 3; RETURN NULL;"
    ),
  ])
  func `a row that a trigger inserts again is left as it was`(trigger: String, body: String) async throws {
    try await TestDatabase.with { database in
      try await fillSix(database)
      try database.run(
        """
        DELETE FROM staging.t WHERE k IN (2, 3);
        CREATE FUNCTION production.act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \(body) END $$;
        CREATE TRIGGER t \(trigger) \(body.contains("OLD") ? "WHEN (OLD.k = 2)" : "") EXECUTE FUNCTION production.act();
        """
      )
      let file = DifferencesFile()
      try await database.verify(into: file) {
        $0.merge.from = "2025-01-01"
        $0.merge.to = "2025-02-01"
        $0.mark = MergeOptions.Mark.none
      }
      let before = try database.value("SELECT xmin FROM production.t WHERE k = 2")
      let report = try await database.repair(file) {
        $0.kinds = [.extra]
        $0.maxExtraPercent = 100
      }
      #expect(report.status == .partial)
      #expect(report.deleted == 1)
      #expect(
        report.tables[0].left.map(\.reason).allSatisfy { $0.contains("inserts the row again when it is deleted") }
      )
      #expect(report.tables[0].left.map(\.key) == [["k": "2"]])
      #expect(try database.value("SELECT xmin FROM production.t WHERE k = 2") == before)
      #expect(try database.value("SELECT count(*) FROM production.t WHERE k = 3") == "0")
    }
  }
}
