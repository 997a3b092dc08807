import Libpq
import MergeEngine
import TestSupport
import Testing

/// `verify --extra delete`: what keeps it from deleting what it should not.
@Suite struct ExtraDeletionTests {
  private func deleting(_ options: inout VerifyOptions) {
    options.merge.from = "0"
    options.merge.to = "5"
    options.mark = MergeOptions.Mark.none
    options.extra = .delete
    options.maxExtraPercent = 100
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
      // The first batch waits for a row; TRUNCATE waits for the first batch, and the second batch for TRUNCATE.
      let holder = try database.connect()
      try holder.run("BEGIN; UPDATE production.t SET updated_at = 1 WHERE k = 1")
      let verify = database.verifying { deleting(&$0) }
      try await database.waitForBlockedSessions()
      let connectionString = database.connectionString
      let truncation = Task { try await onItsOwnThread { try TestDatabase.truncate(connectionString) } }
      try await database.waitForBlockedSessions(2)
      try holder.run("COMMIT")
      let report = try await verify.value
      try await truncation.value
      #expect(report.status == .different)
      #expect(report.tables[0].extra.deletedCount == 10_000)
      #expect(report.tables[0].extra.note?.contains("staging.t was truncated or made anew meanwhile") == true)
      #expect(try database.value("SELECT count(*) FROM production.t") == "30000")
    }
  }

  @Test func `more rows than a batch are deleted to the last, and no others`() async throws {
    try await TestDatabase.with { database in
      try fill(database, count: 40_000, missingCount: 25_001)
      let report = try await database.verify { deleting(&$0) }
      #expect(report.status == .success)
      #expect(report.tables[0].extra.deletedCount == 25_001)
      #expect(report.tables[0].extra.note == nil)
      #expect(try database.rows("SELECT min(k), count(*) FROM production.t") == ["(25002,14999)"])
    }
  }

  @Test func `nothing is deleted while somebody writes to staging, or a run loads into it`() async throws {
    try await TestDatabase.with { database in
      try fill(database, count: 100, missingCount: 2)
      let other = try database.connect()
      try other.run("SET application_name = 'loader'; BEGIN; INSERT INTO staging.t VALUES (1, 1)")
      let busy = try await database.verify { deleting(&$0) }
      #expect(busy.status == .different)
      #expect(busy.tables[0].extra.note?.contains("(loader, role postgres) is writing to staging.t") == true)
      try other.run("ROLLBACK")
      try database.run(
        """
        CREATE SCHEMA admin;
        CREATE TABLE admin.merge_summary (id serial, status text);
        INSERT INTO admin.merge_summary (status) VALUES ('LOADING');
        """
      )
      let loading = try await database.verify { deleting(&$0) }
      #expect(loading.tables[0].extra.note?.contains("run 1 is loading into staging") == true)
      #expect(try database.value("SELECT count(*) FROM production.t") == "100")
      try database.run("UPDATE admin.merge_summary SET status = 'ABORTED'")
      #expect(try await database.verify { deleting(&$0) }.tables[0].extra.deletedCount == 2)
    }
  }

  @Test func `a table that a merge holds is busy, before anything is compared`() async throws {
    try await TestDatabase.with { database in
      try fill(database, count: 100, missingCount: 2)
      let merge = try database.connect()
      try merge.run("SELECT pg_advisory_lock(\(0x4D45_5254), 'production.t'::regclass::oid::int)")
      await #expect {
        _ = try await database.verify { deleting(&$0) }
      } throws: { error in
        if case MergeFailure.busy(table: "t") = error { true } else { false }
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
      let report = try await database.verify { deleting(&$0) }
      #expect(report.status == .different)
      #expect(report.tables[0].extra.count == 3)
      #expect(report.tables[0].extra.deletedCount == 2)
      #expect(report.tables[0].extra.note == "not all deleted: 1 row that public.child refers to.")
      #expect(try database.rows("SELECT k FROM production.t WHERE k < 5 ORDER BY 1") == ["(2)", "(4)"])
      #expect(try database.rows("SELECT * FROM public.child ORDER BY 1") == ["(1,2)", "(2,60)"])
    }
  }

  @Test func `a reference that is made while rows are being deleted keeps its row`() async throws {
    try await TestDatabase.with { database in
      try fill(database, count: 100, missingCount: 3)
      try database.run("CREATE TABLE public.child (t int REFERENCES production.t ON DELETE CASCADE)")
      let other = try database.connect()
      try other.run("BEGIN; INSERT INTO public.child VALUES (2)")
      let verify = database.verifying { deleting(&$0) }
      try await database.waitForBlockedSessions()
      try other.run("COMMIT")
      #expect(try await verify.value.tables[0].extra.deletedCount == 2)
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
      let report = try await database.verify { deleting(&$0) }
      #expect(report.tables[0].extra.deletedCount == 4)
      #expect(report.tables[0].extra.note == "not all deleted: 1 row that production.t refers to.")
      #expect(try database.rows("SELECT k FROM production.t ORDER BY 1") == ["(5)", "(6)"])
    }
  }

  @Test func `a role without DELETE is told so before anything is compared`() async throws {
    try await TestDatabase.with { database in
      try fill(database, count: 100, missingCount: 3)
      let role = "keeper_\(try #require(try database.value("SELECT current_database()")))"
      try database.run(
        """
        CREATE ROLE \(role) LOGIN;
        GRANT USAGE ON SCHEMA production, staging TO \(role);
        GRANT SELECT ON production.t, staging.t TO \(role);
        """
      )
      let report = try await database.verify(as: role) { deleting(&$0) }
      #expect(report.status == .blocked)
      #expect(report.findings.map(\.message) == ["--extra delete: the role lacks DELETE on production.t."])
      #expect(try await database.verify(as: role) { $0.mark = MergeOptions.Mark.none }.status == .success)
      try database.run("GRANT DELETE ON production.t TO \(role)")
      #expect(try await database.verify(as: role) { deleting(&$0) }.tables[0].extra.deletedCount == 3)
      try database.run("DROP OWNED BY \(role); DROP ROLE \(role)")
    }
  }

  @Test func `what the server refuses leaves the finished comparison told`() async throws {
    try await TestDatabase.with { database in
      try fill(database, count: 100, missingCount: 3)
      try database.run(
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'kept for good'; END $$;
        CREATE TRIGGER refuse BEFORE DELETE ON production.t FOR EACH ROW EXECUTE FUNCTION refuse();
        UPDATE production.t SET updated_at = 0 WHERE k = 50;
        """
      )
      let report = try await database.verify { deleting(&$0) }
      #expect(report.status == .different)
      #expect(report.tables[0].counts.outdated == 1)
      #expect(report.tables[0].extra.deletedCount == 0)
      #expect(report.tables[0].extra.note?.contains("kept for good") == true)
      #expect(try database.value("SELECT count(*) FROM production.t") == "100")
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
      await #expect {
        _ = try await database.verify { $0.extra = .delete }
      } throws: { error in
        if case MergeFailure.usage(let message) = error {
          message.hasPrefix("u: --extra delete needs a window")
        } else {
          false
        }
      }
      let report = try await database.verify()
      #expect(report.tables.first { $0.table == "t" }?.extra.windowCount == 100)
      #expect(report.tables.first { $0.table == "u" }?.extra.note?.contains("there is no window") == true)
      #expect(try database.value("SELECT count(*) FROM production.u") == "100")
      #expect(
        try await database.verify {
          $0.merge.tables = ["t"]
          $0.extra = .delete
        }.status == .success
      )
    }
  }
}

extension TestDatabase {
  /// Empties `staging.t` on a connection of its own, as soon as it may.
  fileprivate static func truncate(_ connectionString: String) throws {
    try TestDatabase(connectionString: connectionString).run("TRUNCATE staging.t")
  }
}
