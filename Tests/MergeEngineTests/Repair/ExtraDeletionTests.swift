import Libpq
import MergeEngine
import TestSupport
import Testing

/// `repair --kind extra`: what keeps it from deleting what it should not.
@Suite struct ExtraDeletionTests {
  private func look(_ options: inout VerifyOptions) {
    options.merge.from = "0"
    options.merge.to = "5"
    options.mark = MergeOptions.Mark.none
  }

  private func deleting(_ options: inout RepairOptions) {
    options.kinds = [.extra]
    options.maxExtraPercent = 100
  }

  /// Verifies into a file, and deletes what is extra.
  private func delete(_ database: TestDatabase) async throws -> RepairReport {
    let file = DifferencesFile()
    try await database.verify(into: file, look)
    return try await database.repair(file, deleting)
  }

  /// `count` rows in production, of which staging has those behind `missingCount`.
  private func fill(_ database: TestDatabase, count: Int, missingCount: Int) throws {
    let columns = "k int PRIMARY KEY, updated_at int"
    try database.makePair(production: columns, staging: columns)
    try database.run(
      """
      INSERT INTO production.t SELECT n, 1 FROM generate_series(1, \(count)) n;
      INSERT INTO staging.t SELECT * FROM production.t WHERE k > \(missingCount);
      """
    )
  }

  @Test func `staging that is truncated between two batches ends the deletion`() async throws {
    try await TestDatabase.with { database in
      try fill(database, count: 40_000, missingCount: 15_000)
      try database.letBatchesWait()
      let file = DifferencesFile()
      try await database.verify(into: file, look)
      // The first batch waits for a row; TRUNCATE waits for the first batch, and the second batch for TRUNCATE.
      let holder = try database.connect()
      try holder.run("BEGIN; UPDATE production.t SET updated_at = 1 WHERE k = 1")
      let repair = try database.repairing(file) {
        deleting(&$0)
        $0.merge.workers = 1
        $0.merge.batchRows = 10_000
        $0.merge.lockTimeoutMilliseconds = 0
        $0.merge.maxLockMilliseconds = 600_000
      }
      try await database.waitForBlockedSessions()
      let connectionString = database.connectionString
      let truncation = Task { try await onItsOwnThread { try TestDatabase.truncate(connectionString) } }
      try await database.waitForBlockedSessions(2)
      try holder.run("COMMIT")
      let report = try await repair.value
      try await truncation.value
      #expect(report.status == .partial)
      // The row that was held is another one now.
      #expect(report.deleted == 9999)
      #expect(
        report.tables[0].reasons == [
          "changed since": 1,
          "not deleted: staging.t has been truncated, rewritten or recreated since it was verified": 5000,
        ]
      )
      #expect(try database.value("SELECT count(*) FROM production.t") == "30001")
    }
  }

  @Test func `more rows than a batch are deleted to the last, and no others`() async throws {
    try await TestDatabase.with { database in
      try fill(database, count: 40_000, missingCount: 25_001)
      let report = try await delete(database)
      #expect(report.status == .success)
      #expect(report.deleted == 25_001)
      #expect(try database.rows("SELECT min(k), count(*) FROM production.t") == ["(25002,14999)"])
    }
  }

  @Test func `nothing is deleted while somebody writes to staging, or a run loads into it`() async throws {
    try await TestDatabase.with { database in
      try fill(database, count: 100, missingCount: 2)
      let other = try database.connect()
      try other.run("SET application_name = 'loader'; BEGIN; INSERT INTO staging.t VALUES (1, 1)")
      let busy = try await delete(database)
      #expect(busy.status == .partial && busy.deleted == 0)
      #expect(busy.tables[0].left[0].reason.contains("(loader, role postgres) is writing to staging.t") == true)
      try other.run("ROLLBACK")
      try database.run("INSERT INTO admin.merge_summary (status) VALUES ('LOADING')")
      let loading = try await delete(database)
      #expect(loading.tables[0].left[0].reason.contains("run 2 is still loading into staging") == true)
      #expect(try database.value("SELECT count(*) FROM production.t") == "100")
      try database.run("UPDATE admin.merge_summary SET status = 'ABORTED' WHERE id = 2")
      #expect(try await delete(database).deleted == 2)
    }
  }

  @Test func `a table that a merge holds is busy, before anything is deleted`() async throws {
    try await TestDatabase.with { database in
      try fill(database, count: 100, missingCount: 2)
      let merge = try database.connect()
      try merge.run("SELECT pg_advisory_lock(\(0x4D45_5254), 'production.t'::regclass::oid::int)")
      await #expect {
        _ = try await delete(database)
      } throws: { error in
        if case MergeFailure.busy(table: "t", by: _) = error { true } else { false }
      }
      // Who only looks need not wait.
      #expect(try await database.verify { $0.mark = MergeOptions.Mark.none }.status == .success)
      #expect(try database.value("SELECT count(*) FROM production.t") == "100")
    }
  }

  static let actions = [
    "NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT", "NO ACTION DEFERRABLE INITIALLY DEFERRED",
  ]

  @Test(arguments: actions)
  func `a row that another table refers to stays, whatever its foreign key does`(_ action: String) async throws {
    try await TestDatabase.with { database in
      try fill(database, count: 100, missingCount: 3)
      let (onDelete, timing) =
        action.contains("DEFERRABLE")
        ? ("NO ACTION", "DEFERRABLE INITIALLY DEFERRED") : (action, "")
      try database.run(
        """
        CREATE TABLE public.child (id int, t int DEFAULT 50 REFERENCES production.t ON DELETE \(onDelete) \(timing));
        INSERT INTO public.child VALUES (1, 2), (2, 60);
        """
      )
      let report = try await delete(database)
      #expect(report.status == .partial)
      #expect(report.deleted == 2)
      #expect(report.tables[0].reasons == ["referred to by public.child": 1])
      #expect(try database.rows("SELECT k FROM production.t WHERE k < 5 ORDER BY 1") == ["(2)", "(4)"])
      #expect(try database.rows("SELECT * FROM public.child ORDER BY 1") == ["(1,2)", "(2,60)"])
    }
  }

  @Test func `a reference that is made while rows are being deleted keeps its row`() async throws {
    try await TestDatabase.with { database in
      try fill(database, count: 100, missingCount: 3)
      try database.run("CREATE TABLE public.child (t int REFERENCES production.t ON DELETE CASCADE)")
      let file = DifferencesFile()
      try await database.verify(into: file, look)
      let other = try database.connect()
      try other.run("BEGIN; INSERT INTO public.child VALUES (2)")
      let repair = try database.repairing(file, deleting)
      try await database.waitForBlockedSessions()
      try other.run("COMMIT")
      let report = try await repair.value
      #expect(report.deleted == 2 && report.tables[0].reasons == ["referred to by public.child": 1])
      #expect(try database.rows("TABLE public.child") == ["(2)"])
    }
  }

  @Test func `rows that refer to each other go one after the other, and one that refers to itself goes`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "k int PRIMARY KEY, parent int REFERENCES production.t ON DELETE CASCADE, updated_at int",
        staging: "k int, parent int, updated_at int"
      )
      try database.run(
        """
        INSERT INTO production.t VALUES (1, NULL, 1), (2, 1, 1), (3, 2, 1), (4, 4, 1), (5, NULL, 1), (6, 5, 1);
        INSERT INTO staging.t VALUES (6, 5, 1);
        """
      )
      let report = try await delete(database)
      #expect(report.deleted == 4)
      #expect(report.tables[0].reasons == ["referred to by production.t": 1])
      #expect(try database.rows("SELECT k FROM production.t ORDER BY 1") == ["(5)", "(6)"])
    }
  }

  @Test func `a role without DELETE is told so before anything is done`() async throws {
    try await TestDatabase.with { database in
      try fill(database, count: 100, missingCount: 3)
      let role = "keeper_\(try #require(try database.value("SELECT current_database()")))"
      try database.run(
        """
        CREATE ROLE \(role) LOGIN;
        GRANT USAGE ON SCHEMA production, staging TO \(role);
        GRANT SELECT, INSERT, UPDATE ON production.t TO \(role);
        GRANT SELECT ON staging.t TO \(role);
        """
      )
      let file = DifferencesFile()
      try await database.verify(into: file, look)
      for isDryRun in [true, false] {
        await #expect {
          _ = try await database.repairing(file, as: role) {
            self.deleting(&$0)
            $0.isDryRun = isDryRun
          }.value
        } throws: {
          isBlocked(
            $0,
            "--kind extra: the role lacks DELETE on production.t.",
            "GRANT DELETE ON production.t TO \(role)"
          )
        }
      }
      #expect(try database.value("SELECT count(*) FROM production.t") == "100")
      try database.run("DROP OWNED BY \(role); DROP ROLE \(role)")
    }
  }

  @Test func `what the server refuses is left alone, with its reason`() async throws {
    try await TestDatabase.with { database in
      try fill(database, count: 100, missingCount: 3)
      try database.run(
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF OLD.k = 2 THEN RAISE 'kept for good'; END IF; RETURN OLD; END $$;
        CREATE TRIGGER refuse BEFORE DELETE ON production.t FOR EACH ROW EXECUTE FUNCTION refuse();
        """
      )
      let report = try await delete(database)
      #expect(report.status == .partial && report.deleted == 2)
      #expect(report.tables[0].left.map(\.reason) == ["refused by the server: kept for good (SQLSTATE P0001)"])
      #expect(try database.value("SELECT count(*) FROM production.t") == "98")
    }
  }

  @Test func `a row that a trigger writes instead of deleting it is left as it was`() async throws {
    try await TestDatabase.with { database in
      try fill(database, count: 100, missingCount: 3)
      try database.run(
        """
        ALTER TABLE production.t ADD COLUMN is_deleted boolean;
        CREATE FUNCTION production.instead() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN UPDATE production.t SET is_deleted = true WHERE k = old.k; RETURN NULL; END $$;
        CREATE TRIGGER instead BEFORE DELETE ON production.t FOR EACH ROW WHEN (old.k = 2) EXECUTE FUNCTION production.instead();
        """
      )
      let report = try await delete(database)
      #expect(
        report.tables[0].left.map(\.reason).allSatisfy { $0.contains("writes the row in its own way") },
        "\(report.tables)"
      )
      #expect(report.tables[0].left.count == 1)
      #expect(try database.rows("SELECT k, is_deleted FROM production.t WHERE k < 4") == ["(2,)"])
    }
  }

  @Test func `more extra rows than allowed are not begun with, and neither are those of half a window`() async throws {
    try await TestDatabase.with { database in
      try fill(database, count: 1000, missingCount: 11)
      let file = DifferencesFile()
      try await database.verify(into: file, look)
      await #expect {
        _ = try await database.repair(file) { $0.kinds = [.extra] }
      } throws: {
        isBlocked($0, "11 of 1000 rows", "1.1 %", "--max-extra-percent 1.0")
      }
      for (from, to) in [("0", nil), (nil, "5")] as [(String?, String?)] {
        try await database.verify(into: file) {
          $0.merge.from = from
          $0.merge.to = to
          $0.mark = MergeOptions.Mark.none
        }
        await #expect { _ = try await database.repair(file, deleting) } throws: {
          isBlocked($0, "needs a file about a window with both ends")
        }
      }
      #expect(try database.value("SELECT count(*) FROM production.t") == "1000")
    }
  }

  @Test func `children are deleted before the parents they refer to, and come back the other way round`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.a (k int PRIMARY KEY, g int GENERATED ALWAYS AS (k * 2) STORED, updated_at int, extra text);
        CREATE TABLE production.b (k int PRIMARY KEY, a int REFERENCES production.a, updated_at int);
        CREATE TABLE staging.a (k int, updated_at int);
        CREATE TABLE staging.b (k int, a int, updated_at int);
        INSERT INTO production.a (k, updated_at, extra) SELECT n, 1, 'only here' FROM generate_series(1, 300) n;
        INSERT INTO production.b SELECT n, n, 1 FROM generate_series(1, 300) n;
        INSERT INTO staging.a SELECT k, updated_at FROM production.a WHERE k > 1;
        INSERT INTO staging.b SELECT * FROM production.b WHERE k > 1;
        """
      )
      try database.keepCopies()
      let report = try await delete(database)
      #expect(report.status == .success)
      #expect(report.tables.map(\.deleted) == [1, 1])
      #expect(try database.differenceFromBefore().count == 2)
      let runID = try #require(report.runID)
      #expect(
        try database.rows("SELECT records_deleted FROM admin.merge_logs WHERE run_id = \(runID)") == ["(1)", "(1)"]
      )
      let plan = try await database.rollBack(runID) { $0.isDryRun = true }
      let rollback = try await database.rollBack(runID)
      #expect(plan.restored == 2 && rollback.restored == 2 && rollback.leftAlone == 0)
      #expect(try database.differenceFromBefore() == [])
    }
  }

  @Test func `a deleted row whose key is there again stays as it is`() async throws {
    try await TestDatabase.with { database in
      try fill(database, count: 300, missingCount: 2)
      let report = try await delete(database)
      try database.run("INSERT INTO production.t VALUES (1, 9)")
      let rollback = try await database.rollBack(try #require(report.runID))
      #expect(rollback.restored == 1 && rollback.tables[0].reasons == ["inserted since": 1])
      #expect(try database.rows("SELECT * FROM production.t WHERE k < 3 ORDER BY 1") == ["(1,9)", "(2,1)"])
    }
  }

  /// No UPDATE can set such a column, and an INSERT gives it another value unless it is told the old one.
  @Test func `a deleted row comes back with its generated numbers`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "k int PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY UNIQUE, updated_at int",
        staging: "k int PRIMARY KEY, updated_at int"
      )
      try database.run(
        """
        INSERT INTO production.t (k, updated_at) SELECT 10 - k, 1 FROM generate_series(1, 9) k;
        INSERT INTO staging.t SELECT k, 2 FROM production.t WHERE k > 2;
        """
      )
      let before = try database.rows("SELECT k, n FROM production.t ORDER BY k")
      try await database.merge { $0.beforeImages = true }
      let report = try await delete(database)
      #expect(report.deleted == 2)
      let rollback = try await database.rollBack(try #require(report.runID))
      #expect(rollback.status == .success && rollback.restored == 2)
      #expect(try database.rows("SELECT k, n FROM production.t ORDER BY k") == before)
      #expect(try await database.rollBack(1).restored == 7)
      #expect(try database.rows("SELECT k, n FROM production.t WHERE updated_at = 1 ORDER BY k") == before)
    }
  }

  @Test func `a table that the last run did not merge does not get its window`() async throws {
    try await TestDatabase.with { database in
      try fill(database, count: 100, missingCount: 0)
      try database.run(
        """
        CREATE TABLE production.u (k int PRIMARY KEY, updated_at int);
        CREATE TABLE staging.u (k int, updated_at int);
        INSERT INTO production.u SELECT n, 1 FROM generate_series(1, 100) n;
        INSERT INTO staging.u SELECT n, 1 FROM generate_series(2, 100) n;
        """
      )
      try await database.merge {
        $0.tables = ["t"]
        $0.from = "0"
        $0.to = "5"
      }
      let report = try await database.verify()
      #expect(report.tables.first { $0.table == "t" }?.extra.windowCount == 100)
      #expect(report.tables.first { $0.table == "u" }?.extra.note?.contains("there is no window") == true)
      #expect(try database.value("SELECT count(*) FROM production.u") == "100")
    }
  }
}

extension TestDatabase {
  /// Empties `staging.t` on a connection of its own, as soon as it may.
  fileprivate static func truncate(_ connectionString: String) throws {
    try TestDatabase(connectionString: connectionString).run("TRUNCATE staging.t")
  }
}
