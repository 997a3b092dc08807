import MergeEngine
import TestSupport
import Testing

/// Tables, rows and options with something special about them.
@Suite struct RollbackTableTests {
  @Test(arguments: [false, true])
  func `all columns come back as they were, whatever their type, and those that the merge leaves alone too`(
    hasBadRow: Bool
  ) async throws {
    try await TestDatabase.with { database in
      try database.run("CREATE EXTENSION citext; CREATE DOMAIN word AS text NOT NULL CHECK (value <> 'bad');")
      try database.makePair(
        production: """
          a citext, b int, updated_at timestamptz, created_at date DEFAULT '2020-01-01', w word, j json, p point, x varchar(3)[],
          i interval, m money, fixed char(5), bits bit(3), made int GENERATED ALWAYS AS (b * 2) STORED,
          number int GENERATED ALWAYS AS IDENTITY, only_here jsonb DEFAULT '{"a": 1}', "image_tid" int DEFAULT 1,
          "k0" int DEFAULT 2, "previous_xid" text DEFAULT 'x', "reason" text, "ü ""q"" é" text, PRIMARY KEY (a, b)
          """,
        staging: """
          a text, b int, updated_at timestamptz, created_at date, w text, j json, p point, x varchar(3)[], i interval, m money,
          fixed char(5), bits bit(3), "ü ""q"" é" text
          """
      )
      try database.run(
        """
        INSERT INTO production.t (a, b, updated_at, w, j, p, x, i, m, fixed, bits, reason)
        SELECT 'Key' || n, n, '2025-01-01', repeat('w', n * 300), '{"old":  1}', '(1,2)', '{a,b}', '1 mon', 5, 'f', '101', 'r'
        FROM generate_series(1, 20) n;
        INSERT INTO staging.t
        SELECT upper('Key' || n), n, '2025-01-02', '2024-01-01', 's', '{"new":1}', '(3,4)', '{c}', '30 days', 6, 'g', '010', 'z'
        FROM generate_series(11, 30) n;
        """
      )
      if hasBadRow { try database.run("UPDATE staging.t SET w = 'bad' WHERE b IN (15, 25)") }
      let merge = try await database.mergeKeepingImages()
      #expect(merge.totals.updated == (hasBadRow ? 9 : 10) && merge.totals.inserted == (hasBadRow ? 9 : 10))
      let report = try await database.rollBack(merge.runID)
      #expect(report.status == .success, "\(report)")
      #expect(report.tables[0].alteredByTriggers == 0)
      #expect(try database.differenceFromBefore() == [])
      #expect(try database.marked("NEW") == (hasBadRow ? 18 : 20))
    }
  }

  @Test func `a column that was dropped and added again is another`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "id int PRIMARY KEY, v text, updated_at int",
        staging: "id int, v text, updated_at int"
      )
      try database.run("INSERT INTO production.t VALUES (1, 'old', 1); INSERT INTO staging.t VALUES (1, 'new', 2)")
      let merge = try await database.mergeKeepingImages()
      try database.run(
        "ALTER TABLE production.t DROP COLUMN v, ADD COLUMN later int; ALTER TABLE production.t ADD COLUMN v text DEFAULT 'third'"
      )
      let outcome = try await database.call("rollback", "\(merge.runID)")
      #expect(
        outcome.status == 73 && outcome.everything.contains("given another type since run 1: v."),
        "\(outcome.everything)"
      )
      #expect(try database.rows("SELECT v, updated_at FROM production.t") == ["(third,2)"])
    }
  }

  @Test func `a rollback has rows read again whatever rules they were merged by`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int PRIMARY KEY, v text, changed int, updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run("INSERT INTO staging.t SELECT n, 'new', 2, 1 FROM generate_series(1, 5) AS n")
      func differently(_ options: inout MergeOptions) {
        options.columns.version = "changed"
      }
      let run = try await database.mergeKeepingImages(differently)
      // As from the command line, where nothing of that is known.
      #expect(try await database.call("rollback", "\(run.runID)").status == 0)
      #expect(try await database.merge(differently).totals.inserted == 5)
      #expect(try database.count("SELECT count(*) FROM production.t") == 5)
    }
  }

  @Test func `of a run that read rows again it is said what the next merge brings back`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int PRIMARY KEY, updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run("INSERT INTO staging.t SELECT n, 1 FROM generate_series(1, 5) AS n")
      let first = try await database.mergeKeepingImages()
      try database.run("DELETE FROM production.t WHERE id > 2")
      let again = try await database.mergeKeepingImages { $0.again = true }
      #expect(again.totals.inserted == 3)
      for options in [["--plan"], []] {
        let outcome = try await database.call("rollback", "\(again.runID)", arguments: options)
        #expect(outcome.status == 0 && outcome.everything.contains("(--again)"), "\(outcome.everything)")
      }
      let outcome = try await database.call("rollback", "\(first.runID)", "--plan")
      #expect(!outcome.everything.contains("(--again)"), "\(outcome.everything)")
    }
  }

  @Test(arguments: [1, 5, 1000])
  func `a run with refused rows, duplicates and unique values that move comes back`(batch: Int) async throws {
    try await TestDatabase.with { database in
      let columns = "id int, updated_at int, u int, v text"
      try database.makePair(
        production: columns + ", PRIMARY KEY (id), UNIQUE (u), CHECK (v <> 'bad')",
        staging: columns
      )
      try database.run(
        """
        INSERT INTO production.t SELECT n, 1, n, 'p' FROM generate_series(1, 30) n;
        INSERT INTO staging.t SELECT n, 2, n + 1, CASE WHEN n % 10 = 7 THEN 'bad' ELSE 's' END FROM generate_series(1, 40) n;
        INSERT INTO staging.t SELECT n, 3, n + 1, 'bad' FROM generate_series(20, 35) n;
        """
      )
      let merge = try await database.mergeKeepingImages { $0.batchRows = batch }
      #expect(merge.totals.errors > 0)
      let report = try await database.rollBack(merge.runID) { $0.merge.batchRows = batch }
      #expect(report.status == .success, "\(report)")
      #expect(report.restored == merge.totals.updated && report.deleted == merge.totals.inserted)
      #expect(try database.differenceFromBefore() == [])
    }
  }

  @Test(arguments: [false, true], [false, true])
  func `atomic runs and repaired ties come back`(isAtomic: Bool, comparesTies: Bool) async throws {
    try await TestDatabase.with { database in
      let columns = "id int, updated_at int, v text"
      try database.makePair(production: columns + ", PRIMARY KEY (id)", staging: columns)
      try database.run(
        """
        INSERT INTO production.t SELECT n, 1, 'p' FROM generate_series(1, 30) n;
        INSERT INTO staging.t SELECT n, 1 + n % 2, 's' FROM generate_series(1, 60) n;
        """
      )
      let merge = try await database.mergeKeepingImages {
        $0.atomic = isAtomic
        $0.ties = comparesTies ? .compare : .skip
        $0.batchRows = 7
      }
      #expect(merge.totals.updated == (comparesTies ? 30 : 15))
      #expect(try await database.rollBack(merge.runID).status == .success)
      #expect(try database.differenceFromBefore() == [])
    }
  }

  @Test(arguments: [false, true])
  func `rows of partitioned tables come back into their partitions`(hasBadRow: Bool) async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (id int, region text, updated_at int, v text CHECK (v <> 'bad'), PRIMARY KEY (id, region))
        PARTITION BY LIST (region);
        CREATE TABLE production.t_a PARTITION OF production.t FOR VALUES IN ('a');
        CREATE TABLE production.t_b (v text CONSTRAINT t_v_check CHECK (v <> 'bad'), updated_at int, id int NOT NULL, region text NOT NULL);
        ALTER TABLE production.t ATTACH PARTITION production.t_b FOR VALUES IN ('b');
        CREATE TABLE staging.t (id int, region text, updated_at int, v text, _dms_processing_status varchar(20) DEFAULT 'NEW');
        INSERT INTO production.t SELECT n, chr(97 + n % 2), 1, 'p' FROM generate_series(1, 40) n;
        INSERT INTO staging.t SELECT n, chr(97 + n % 2), 2, 's' FROM generate_series(21, 60) n;
        """
      )
      if hasBadRow { try database.run("UPDATE staging.t SET v = 'bad' WHERE id % 20 = 0") }
      let merge = try await database.mergeKeepingImages()
      try database.run("UPDATE production.t SET v = 'cdc' WHERE id IN (31, 51)")
      let plan = try await database.rollBack(merge.runID) { $0.isDryRun = true }
      let report = try await database.rollBack(merge.runID)
      #expect(report.restored == merge.totals.updated - 1 && report.deleted == merge.totals.inserted - 1)
      #expect(plan.restored == report.restored && plan.deleted == report.deleted)
      #expect(report.tables[0].reasons == ["changed since": 2])
      #expect(try database.differenceFromBefore().count == 3)
    }
  }

  @Test func `what the server refuses now is left alone, and the rest of its batch comes back`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int, updated_at int, v text"
      try database.makePair(production: columns + ", PRIMARY KEY (id)", staging: columns)
      try database.run(
        """
        INSERT INTO production.t SELECT n, 1, 'p' || n FROM generate_series(1, 500) n;
        INSERT INTO staging.t SELECT n, 2, 's' FROM generate_series(1, 600) n;
        """
      )
      let merge = try await database.mergeKeepingImages()
      try database.run("ALTER TABLE production.t ADD CHECK (v NOT IN ('p7', 'p250'))")
      let report = try await database.rollBack(merge.runID)
      #expect(report.restored == 498 && report.deleted == 100 && report.leftAlone == 2)
      #expect(
        report.tables[0].left.allSatisfy {
          $0.reason.contains("check constraint") && $0.reason.contains("(SQLSTATE 23514)")
        }
      )
      #expect(Set(report.tables[0].left.map(\.key)) == [#"{"id": 7}"#, #"{"id": 250}"#])
      try database.run("ALTER TABLE production.t DROP CONSTRAINT t_v_check")
      #expect(try await database.rollBack(merge.runID).status == .success)
      #expect(try database.differenceFromBefore() == [])
    }
  }

  @Test func `rows that a trigger changes as they are put back are counted and told`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int, updated_at int, v text"
      try database.makePair(production: columns + ", PRIMARY KEY (id)", staging: columns)
      try database.run(
        """
        INSERT INTO production.t SELECT n, 1, 'p' FROM generate_series(1, 10) n;
        INSERT INTO staging.t SELECT n, 2, 's' FROM generate_series(1, 10) n;
        CREATE FUNCTION production.stamp() RETURNS trigger LANGUAGE plpgsql AS
          'BEGIN IF new.id <= 4 THEN new.updated_at := 99; END IF; RETURN new; END';
        """
      )
      let merge = try await database.mergeKeepingImages()
      try database.run(
        "CREATE TRIGGER stamp BEFORE UPDATE ON production.t FOR EACH ROW EXECUTE FUNCTION production.stamp()"
      )
      let report = try await database.rollBack(merge.runID)
      #expect(report.status == .partial)
      #expect(report.restored == 10 && report.tables[0].alteredByTriggers == 4)
      #expect(report.warnings.contains { $0.contains("triggers of production.t changed 4 rows") })
    }
  }

  @Test func `what a trigger has made of inserted rows is what is taken back`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int, updated_at int, v text"
      try database.makePair(production: columns + ", PRIMARY KEY (id)", staging: columns)
      try database.run(
        """
        INSERT INTO staging.t SELECT n, 2, 's' FROM generate_series(1, 20) n;
        CREATE FUNCTION production.redirect() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF new.id % 5 = 0 THEN RETURN NULL; END IF;
          IF new.id % 5 = 1 THEN new.id := new.id + 1000; END IF;
          IF new.id % 5 = 2 THEN new.v := 'made'; new.updated_at := 99; END IF;
          RETURN new;
        END $$;
        CREATE TRIGGER redirect BEFORE INSERT ON production.t FOR EACH ROW EXECUTE FUNCTION production.redirect();
        """
      )
      let merge = try await database.mergeKeepingImages()
      // Rows that it gives another key are refused, and those that it leaves out are stale.
      #expect(merge.totals.inserted == 12 && merge.totals.errors == 4 && merge.totals.stale == 4)
      #expect(try database.count("SELECT count(*) FROM production.t WHERE id > 1000") == 0)
      #expect(try database.count("SELECT count(*) FROM production.t WHERE v = 'made' AND updated_at = 99") == 4)
      let report = try await database.rollBack(merge.runID)
      #expect(report.status == .success && report.deleted == 12)
      #expect(try database.count("SELECT count(*) FROM production.t") == 0)
    }
  }

  @Test func `names of any kind and length, two of which are alike but for their ends`() async throws {
    try await TestDatabase.with { database in
      let names = ["ä \"quoted\" '", String(repeating: "ü", count: 30) + "a", String(repeating: "ü", count: 30) + "b"]
      try database.run("CREATE SCHEMA production; CREATE SCHEMA staging")
      for name in names {
        let quoted = "\"\(name.replacing("\"", with: "\"\""))\""
        try database.run(
          """
          CREATE TABLE production.\(quoted) (id int PRIMARY KEY, updated_at int, "v x" text);
          CREATE TABLE staging.\(quoted) (id int, updated_at int, "v x" text, _dms_processing_status varchar(20) DEFAULT 'NEW');
          INSERT INTO production.\(quoted) VALUES (1, 1, 'p');
          INSERT INTO staging.\(quoted) VALUES (1, 2, 's'), (2, 2, 's');
          """
        )
      }
      let merge = try await database.merge { $0.beforeImages = true }
      #expect(try database.count("SELECT count(DISTINCT image_table) FROM admin.before_images") == 3)
      let report = try await database.rollBack(merge.runID)
      #expect(report.status == .success && report.restored == 3 && report.deleted == 3)
    }
  }

  @Test func `without the option nothing is kept`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int, updated_at int, v text"
      try database.makePair(production: columns + ", PRIMARY KEY (id)", staging: columns)
      try database.run("INSERT INTO staging.t VALUES (1, 1, 's')")
      let merge = try await database.merge()
      #expect(try database.count("SELECT count(*) FROM admin.before_images") == 0)
      #expect(try database.value("SELECT to_regclass('admin.before_\(merge.runID)_t')") == nil)
      #expect(try database.value("SELECT parameters->>'before_images' FROM admin.merge_summary") == "false")
    }
  }
}
