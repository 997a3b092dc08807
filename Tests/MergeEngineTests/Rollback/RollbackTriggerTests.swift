import MergeEngine
import TestSupport
import Testing

/// What triggers do to a rollback: rows that they change behind it are told, rows that they keep from it are left.
@Suite struct RollbackTriggerTests {
  struct Behind: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let trigger: String
    let body: String
    var alteredCount = 4
  }

  /// Triggers that keep an UPDATE from its row, which is still the old one then, or write it themselves.
  private func swallow(_ database: TestDatabase, _ body: String) throws {
    try database.run(
      """
      CREATE FUNCTION production.swallow() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF pg_trigger_depth() = 1 AND new.id % 2 = 0 THEN \(body) RETURN NULL; END IF; RETURN new; END $$;
      CREATE TRIGGER swallow BEFORE UPDATE ON production.t FOR EACH ROW EXECUTE FUNCTION production.swallow();
      """
    )
  }

  private static let columns = "id int, updated_at int, v text"

  @Test(arguments: [
    Behind(
      testDescription: "after each updated row",
      trigger: "AFTER UPDATE ON production.t FOR EACH ROW WHEN (pg_trigger_depth() = 0 AND new.id <= 4)",
      body: "UPDATE production.t SET v = 'trigger' WHERE id = new.id; RETURN NULL;"
    ),
    Behind(
      testDescription: "after an update, for its statement",
      trigger: "AFTER UPDATE ON production.t FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0)",
      body: "UPDATE production.t SET v = 'trigger' WHERE id <= 4; RETURN NULL;"
    ),
    Behind(
      testDescription: "by deleting what was put back",
      trigger: "AFTER UPDATE ON production.t FOR EACH ROW WHEN (new.id <= 4)",
      body: "DELETE FROM production.t WHERE id = new.id; RETURN NULL;"
    ),
    Behind(
      testDescription: "by bringing back what was deleted",
      trigger: "AFTER DELETE ON production.t FOR EACH ROW WHEN (old.id <= 14)",
      body: "INSERT INTO production.t SELECT old.*; RETURN NULL;"
    ),
    Behind(
      testDescription: "not at all",
      trigger: "AFTER UPDATE OR DELETE ON production.t FOR EACH ROW",
      body: "INSERT INTO production.seen VALUES (1); RETURN NULL;",
      alteredCount: 0
    ),
  ])
  func `rows that triggers change behind a rollback are counted and told`(_ behind: Behind) async throws {
    try await TestDatabase.with { database in
      try database.fillPair()
      let merge = try await database.mergeKeepingImages()
      try database.run(
        """
        CREATE TABLE production.seen (n int);
        CREATE FUNCTION production.behind() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \(behind.body) END $$;
        CREATE TRIGGER behind \(behind.trigger) EXECUTE FUNCTION production.behind();
        """
      )
      let report = try await database.rollBack(merge.runID)
      #expect(report.restored == 10 && report.deleted == 10)
      #expect(report.tables[0].alteredByTriggers == behind.alteredCount)
      #expect(report.status == (behind.alteredCount == 0 ? .success : .partial))
      #expect(
        report.warnings.contains { $0.contains("triggers of production.t changed 4 rows") }
          == (behind.alteredCount > 0)
      )
    }
  }

  /// A statement that writes no row runs its triggers all the same.
  @Test(arguments: ["UPDATE", "INSERT", "UPDATE OR INSERT"])
  func `triggers of statements that a rollback does not need refuse none of its rows`(_ event: String) async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: Self.columns + ", PRIMARY KEY (id)", staging: Self.columns)
      try database.run("INSERT INTO staging.t SELECT n, 2, 's' FROM generate_series(1, 300) n")
      let merge = try await database.mergeKeepingImages()
      try database.run(
        """
        CREATE SEQUENCE production.calls;
        CREATE FUNCTION production.no() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM nextval('production.calls'); RAISE EXCEPTION 'not in business hours'; END $$;
        CREATE TRIGGER no BEFORE \(event) ON production.t FOR EACH STATEMENT EXECUTE FUNCTION production.no();
        """
      )
      let report = try await database.rollBack(merge.runID)
      #expect(report.status == .success && report.deleted == 300, "\(report)")
      #expect(try database.holds("(SELECT NOT is_called FROM production.calls)"))
    }
  }

  /// What is left alone is left as it was.
  @Test func `a row that a trigger writes instead of deleting it is left alone`() async throws {
    try await TestDatabase.with { database in
      try database.fillPair()
      let merge = try await database.mergeKeepingImages()
      try database.run(
        """
        CREATE FUNCTION production.instead() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN UPDATE production.t SET v = 'deleted' WHERE id = old.id; RETURN NULL; END $$;
        CREATE TRIGGER instead BEFORE DELETE ON production.t FOR EACH ROW WHEN (old.id <= 14) EXECUTE FUNCTION production.instead();
        """
      )
      let report = try await database.rollBack(merge.runID)
      #expect(report.status == .partial && report.restored == 10 && report.deleted == 6)
      #expect(report.tables[0].leftAlone == 4)
      #expect(
        report.tables[0].left.allSatisfy { $0.reason.contains("writes the row instead of deleting it") },
        "\(report)"
      )
      #expect(try database.count("SELECT count(*) FROM production.t WHERE v = 'deleted'") == 0)
      try database.run("DROP TRIGGER instead ON production.t")
      #expect(try await database.rollBack(merge.runID).status == .success)
      #expect(try database.differenceFromBefore() == [])
    }
  }

  @Test(arguments: [
    ("BEFORE UPDATE", "IF pg_trigger_depth() > 1 THEN RETURN new; END IF; RETURN NULL;", 0, 10),
    (
      "BEFORE UPDATE",
      """
      IF pg_trigger_depth() > 1 THEN RETURN new; END IF;
      UPDATE production.t SET v = new.v, updated_at = new.updated_at WHERE id = new.id; RETURN NULL;
      """, 10, 10
    ),
    ("BEFORE DELETE", "RETURN NULL;", 10, 0),
    (
      "BEFORE DELETE",
      "IF pg_trigger_depth() > 1 THEN RETURN old; END IF; DELETE FROM production.t WHERE id = old.id; RETURN NULL;", 10,
      10
    ),
    (
      "BEFORE DELETE",
      "UPDATE production.t SET v = 'gone' WHERE id = old.id; RETURN NULL;", 10, 0
    ),
  ])
  func `what became of a row that a trigger swallows is known from the row`(
    event: String,
    body: String,
    restored: Int,
    deleted: Int
  ) async throws {
    try await TestDatabase.with { database in
      try database.fillPair()
      let merge = try await database.mergeKeepingImages()
      try database.run(
        """
        CREATE FUNCTION production.swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \(body) END $$;
        CREATE TRIGGER swallow \(event) ON production.t FOR EACH ROW EXECUTE FUNCTION production.swallow();
        """
      )
      let report = try await database.rollBack(merge.runID)
      #expect(report.restored == restored && report.deleted == deleted)
      #expect(report.leftAlone == 20 - restored - deleted)
      #expect(report.status == (restored + deleted == 20 ? .success : .partial))
      #expect(try database.count("SELECT count(*) FROM production.t WHERE v = 'p' AND updated_at = 1") == restored)
      #expect(try database.count("SELECT count(*) FROM production.t WHERE id > 10") == 10 - deleted)
    }
  }

  @Test(arguments: [false, true], [1, 1000])
  func `no image is kept of a row that was not written, so that nothing of it is left to take back`(
    isAtomic: Bool,
    batch: Int
  ) async throws {
    try await TestDatabase.with { database in
      try database.fillPair()
      try swallow(database, "")
      let merge = try await database.mergeKeepingImages {
        $0.atomic = isAtomic
        $0.batchRows = batch
      }
      #expect(merge.totals.updated == 5 && merge.totals.lostRaces == 5)
      #expect(try database.count("SELECT count(*) FROM admin.before_\(merge.runID)_t") == 15)
      let plan = try await database.rollBack(merge.runID) { $0.isDryRun = true }
      let report = try await database.rollBack(merge.runID)
      for report in [plan, report] {
        #expect(report.restored == 5 && report.deleted == 10 && report.leftAlone == 0)
        #expect(report.status == .success)
      }
      #expect(try database.differenceFromBefore() == [])
    }
  }

  @Test func `what a trigger writes into the row that it swallows has an image`() async throws {
    try await TestDatabase.with { database in
      try database.fillPair()
      // Row 4 is swallowed only.
      try swallow(
        database,
        "IF new.id <> 4 THEN UPDATE production.t SET v = new.v, updated_at = new.updated_at WHERE id = new.id; END IF;"
      )
      let merge = try await database.mergeKeepingImages()
      #expect(try database.count("SELECT count(*) FROM admin.before_\(merge.runID)_t WHERE v = 'p'") == 9)
      try database.run("DROP TRIGGER swallow ON production.t")
      let report = try await database.rollBack(merge.runID)
      #expect(report.status == .success && report.restored == 9)
      #expect(try database.differenceFromBefore() == [])
    }
  }

  @Test func `a repair keeps no image of a row that a trigger has swallowed`() async throws {
    try await TestDatabase.with { database in
      try database.fillPair()
      try await database.merge()
      try database.run("UPDATE production.t SET v = 'p', updated_at = 1 WHERE id <= 10")
      let file = DifferencesFile()
      try await database.verify(into: file) { ($0.merge.from, $0.merge.to) = ("1", "9") }
      try swallow(database, "")
      try database.keepCopies()
      let repair = try await database.repair(file) { $0.kinds = [.outdated] }
      #expect(repair.updated == 5 && repair.leftAlone == 5)
      let runID = try #require(repair.runID)
      #expect(try database.count("SELECT count(*) FROM admin.before_\(runID)_t") == 5)
      try database.run("DROP TRIGGER swallow ON production.t")
      let report = try await database.rollBack(runID)
      #expect(report.status == .success && report.restored == 5)
      #expect(try database.differenceFromBefore() == [])
    }
  }

  /// What stands in every ending of a rollback where triggers may have written besides.
  private static let remainder =
    "What triggers of production.t wrote into other rows or other tables is not rolled back."

  @Test(arguments: [
    (
      "BEFORE INSERT", "ROW",
      """
      IF pg_trigger_depth() > 1 THEN RETURN new; END IF;
      INSERT INTO production.t VALUES (new.id + 1000, new.updated_at, new.v); RETURN NULL;
      """
    ),
    ("AFTER INSERT", "ROW", "UPDATE production.t SET v = 'trigger' WHERE id = 1; RETURN NULL;"),
    ("AFTER UPDATE", "STATEMENT", "INSERT INTO production.seen VALUES (1); RETURN NULL;"),
    ("BEFORE INSERT", "STATEMENT", "INSERT INTO production.seen VALUES (1); RETURN NULL;"),
  ])
  func `that what triggers wrote besides is not taken back is said in every ending`(
    event: String,
    each: String,
    body: String
  ) async throws {
    try await TestDatabase.with { database in
      try database.fillPair()
      try database.run(
        """
        DELETE FROM staging.t WHERE id <= 10 AND '\(event)' LIKE '%INSERT';
        CREATE TABLE production.seen (n int);
        CREATE FUNCTION production.act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \(body) END $$;
        CREATE TRIGGER act \(event) ON production.t FOR EACH \(each) EXECUTE FUNCTION production.act();
        """
      )
      let merge = try await database.mergeKeepingImages()
      let run = "\(merge.runID)"
      #expect(try database.differenceFromBefore() != [])
      let plan = try await database.call("rollback", run, "--plan")
      #expect(plan.everything.contains(Self.remainder), "\(plan.transcript)")
      // As its own warnings advise; the trigger has run all the same.
      try database.run("ALTER TABLE production.t DISABLE TRIGGER act")
      let rollback = try await database.call("rollback", run, "--json")
      #expect(rollback.status == 0, "\(rollback.transcript)")
      #expect(try rollback.json()["remainder"].text == Self.remainder)
      let status = try await database.call("status", "--json").json()
      #expect(status["last_run"]["notes"].text?.contains(Self.remainder) == true)
      #expect(try await database.call("report", run, "--output", "-").output.contains(Self.remainder))
      let again = try await database.call("rollback", run)
      #expect(
        again.everything.contains("run \(run) has already been rolled back.")
          && again.everything.contains(Self.remainder)
      )
      #expect(!again.everything.contains("nothing of"))
    }
  }

  @Test(arguments: [false, true])
  func `nothing of a run is left only where no trigger can have written besides`(hasTrigger: Bool) async throws {
    try await TestDatabase.with { database in
      try database.fillPair()
      if hasTrigger {
        try database.run(
          """
          CREATE FUNCTION production.act() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
          CREATE TRIGGER act BEFORE INSERT ON production.t FOR EACH ROW EXECUTE FUNCTION production.act();
          """
        )
      }
      let merge = try await database.mergeKeepingImages()
      let rollback = try await database.call("rollback", "\(merge.runID)")
      #expect(rollback.status == 0, "\(rollback.transcript)")
      let claim =
        hasTrigger ? "nothing that run 1 itself wrote is left. \(Self.remainder)" : "nothing of run 1 is left."
      #expect(rollback.everything.contains("ROLLED BACK: \(claim)"), "\(rollback.transcript)")
      #expect(rollback.everything.contains(Self.remainder) == hasTrigger)
    }
  }

  @Test func `a row that a trigger puts into a child table when it comes back has come back`() async throws {
    try await TestDatabase.with { database in
      try database.fillPair()
      try await database.merge()
      try database.run("DELETE FROM staging.t WHERE id > 15")
      let file = DifferencesFile()
      try await database.verify(into: file) { ($0.merge.from, $0.merge.to) = ("1", "9") }
      let repair = try await database.repair(file) { ($0.kinds, $0.maxExtraPercent) = ([.extra], 100) }
      #expect(repair.deleted == 5)
      try database.run(
        """
        CREATE TABLE production.child (CHECK (id > 10)) INHERITS (production.t);
        CREATE FUNCTION production.lead() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO production.child SELECT new.*; RETURN NULL; END $$;
        CREATE TRIGGER lead BEFORE INSERT ON production.t FOR EACH ROW EXECUTE FUNCTION production.lead();
        """
      )
      let report = try await database.rollBack(try #require(repair.runID))
      #expect(report.restored == 5 && report.leftAlone == 0)
      #expect(try database.count("SELECT count(*) FROM production.child") == 5)
    }
  }
}
