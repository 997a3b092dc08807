import Foundation
import MergeEngine
import TestSupport
import Testing

/// `control` steers what is a run beside `merge`: repair, rollback and replay.
@Suite struct ControlOtherRunsTests {
  private static let columns = "k int PRIMARY KEY, a text, updated_at int"

  /// So many staging rows; whoever writes to production takes eight milliseconds a row for as long as there is a row in
  /// `public.slow`.
  private func withRows(_ count: Int, _ body: (TestDatabase) async throws -> Void) async throws {
    try await TestDatabase.with(in: .sleeping) { database in
      try database.makePair(production: Self.columns, staging: Self.columns)
      try database.run(
        """
        CREATE TABLE public.slow (why text);
        CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF EXISTS (SELECT FROM public.slow) THEN PERFORM pg_sleep(0.008); END IF;
          RETURN coalesce(NEW, OLD);
        END $$;
        CREATE TRIGGER wait BEFORE UPDATE OR DELETE ON production.t FOR EACH ROW EXECUTE FUNCTION public.wait();
        INSERT INTO staging.t SELECT n, 'staged', 5 FROM generate_series(1, \(count)) n;
        ANALYZE staging.t
        """
      )
      try await body(database)
    }
  }

  private static let noLocks = """
    NOT EXISTS (SELECT FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
                WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                  AND c.relnamespace IN ('production'::regnamespace, 'staging'::regnamespace))
    """

  /// What differs, merged and then changed, in a file.
  private func fileOfDifferences(_ database: TestDatabase) async throws -> DifferencesFile {
    try await database.merge()
    try database.run("UPDATE production.t SET a = 'other'; INSERT INTO public.slow VALUES ('test')")
    let file = DifferencesFile()
    try await database.verify(into: file)
    return file
  }

  @Test func `a repair is paused, goes on at another rate and with more workers, and is exact`() async throws {
    try await withRows(4000) { database in
      let file = try await fileOfDifferences(database)
      let repair = try database.launch(["repair", file.path, "--batch", "50", "--workers", "1", "--json"])
      let batches = "FROM admin.merge_batches WHERE run_id = 2"
      try await database.wait(for: "EXISTS (SELECT \(batches))")
      let pause = try await database.call("control", "2", "--pause", "--json")
      #expect(try pause.json()["done"] == .bool(true), "\(pause.transcript)")
      let mended = "SELECT count(*) FROM production.t WHERE a = 'staged'"
      let before = try database.count(mended)
      #expect(before > 0 && before < 4000)
      #expect(try database.holds(Self.noLocks))
      #expect(try await database.call("status", "--json").json()["last_run"]["paused_because"].text != nil)
      try await Task.sleep(for: .seconds(2))
      #expect(try database.count(mended) == before)

      #expect(try await database.call("control", "2", "--max-rows-per-second", "10", "--resume").status == 0)
      let lastBatch = try database.count("SELECT max(id) \(batches)")
      try await database.wait(for: "(SELECT count(*) \(batches) AND id > \(lastBatch)) >= 2")
      #expect(try database.count("SELECT max(records_read) \(batches) AND id > \(lastBatch)") <= 10)
      #expect(try await database.call("control", "2", "--workers", "3", "--max-rows-per-second", "0").status == 0)
      try await database.wait(for: "(SELECT count(DISTINCT worker) \(batches)) = 3")
      try database.run("TRUNCATE public.slow")
      let outcome = try await repair.outcome()
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try outcome.json()["totals"]["updated"].integer == 4000)
      #expect(try database.count(mended) == 4000)
      let warnings = try database.value("SELECT warnings::text FROM admin.merge_summary WHERE id = 2")
      #expect(warnings?.contains("the run was paused from") == true)
      #expect(try await database.rollBack(2).restored == 4000)
    }
  }

  /// Four batches of four seconds each: every statement counts where no rollback undoes it.
  @Test func `a repair learns from one batch that took too long, and does not try all of them for nothing`()
    async throws
  {
    try await withRows(2000) { database in
      let file = try await fileOfDifferences(database)
      try database.run(
        """
        CREATE SEQUENCE public.tries;
        CREATE FUNCTION public.try() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('public.tries'); RETURN NULL; END $$;
        CREATE TRIGGER try BEFORE UPDATE ON production.t FOR EACH STATEMENT EXECUTE FUNCTION public.try();
        """
      )
      let outcome = try await database.call("repair", file.path, "--batch", "500", "--workers", "1", "--json")
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try outcome.json()["totals"]["updated"].integer == 2000)
      let tries = try database.count("SELECT last_value FROM public.tries")
      let batches = try database.count("SELECT count(*) FROM admin.merge_batches WHERE run_id = 2")
      #expect(tries - batches < 24, "\(tries) tries, \(batches) batches")
    }
  }

  @Test func `a repair is stopped as by Ctrl-C, and is closed`() async throws {
    try await withRows(4000) { database in
      let file = try await fileOfDifferences(database)
      let repair = try database.launch(["repair", file.path, "--batch", "50"])
      try await database.wait(for: "EXISTS (SELECT FROM admin.merge_batches WHERE run_id = 2)")
      #expect(try await database.call("control", "2", "--stop").status == 0)
      #expect(try await repair.outcome().status == 130)
      #expect(try database.value("SELECT status FROM admin.merge_summary WHERE id = 2") == "ABORTED")
      let over = try await database.call("control", "2", "--pause")
      #expect(over.status == 73 && over.errors.contains("run 2 is ABORTED, and only a run in progress"))
    }
  }

  @Test func `a repair whose control connection is lost while it is paused keeps its pause and its locks`() async throws
  {
    // Many enough that one worker needs minutes, however long another command takes to begin.
    try await withRows(20_000) { database in
      let file = try await fileOfDifferences(database)
      let repair = try database.launch(["repair", file.path, "--batch", "20", "--workers", "1", "--json"])
      try await database.wait(for: "EXISTS (SELECT FROM admin.merge_batches WHERE run_id = 2)")
      #expect(try await database.call("control", "2", "--pause").status == 0)
      let control = """
        FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'merge-engine control'
        """
      // The command that has asked is gone, but its session may still be there.
      try await database.wait(for: "(SELECT count(*) \(control)) = 1")
      let lost = try database.count("SELECT pid \(control)")
      try database.run("SELECT pg_terminate_backend(\(lost))")
      try await database.wait(
        for: """
          EXISTS (SELECT \(control) AND pid <> \(lost) AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory'))
          """
      )
      #expect(try await database.call("merge").status == 75)
      try database.run("TRUNCATE public.slow")
      #expect(try await database.call("control", "2", "--resume").status == 0)
      let outcome = try await repair.outcome()
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try outcome.json()["totals"]["updated"].integer == 20_000)
    }
  }

  @Test func `a rollback is paused and goes on, and what it can't do is refused`() async throws {
    try await withRows(20_000) { database in
      try await database.merge { $0.beforeImages = true }
      // What the merge was asked too late is not asked of its rollback.
      try database.run(
        """
        INSERT INTO admin.merge_controls (run_id, action, requested_at) VALUES (1, 'stop', now());
        INSERT INTO public.slow VALUES ('test')
        """
      )
      let rollback = try database.launch(["rollback", "1", "--batch", "100", "--json"])
      try await database.wait(for: "(SELECT count(*) FROM production.t) < 20000")
      let workers = try await database.call("control", "1", "--workers", "3")
      #expect(workers.status == 73 && workers.errors.contains("run 1 is being rolled back"))
      let pause = try await database.call("control", "1", "--pause", "--json")
      #expect(try pause.json()["done"] == .bool(true), "\(pause.transcript)")
      let before = try database.count("SELECT count(*) FROM production.t")
      #expect(before > 0)
      #expect(try database.holds(Self.noLocks))
      #expect(
        try await database.call("status", "--json").json()["last_run"]["paused_because"].text
          == "merge-engine control --pause"
      )
      try await Task.sleep(for: .seconds(2))
      #expect(try database.count("SELECT count(*) FROM production.t") == before)
      try database.run("TRUNCATE public.slow")
      #expect(try await database.call("control", "1", "--resume").status == 0)
      let outcome = try await rollback.outcome()
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try outcome.json()["totals"]["deleted"].integer == 20_000)
      #expect(try database.count("SELECT count(*) FROM production.t") == 0)
      #expect(try database.value("SELECT paused_because FROM admin.merge_summary") == nil)
    }
  }

  @Test func `a rollback is stopped, and the next one goes on`() async throws {
    try await withRows(20_000) { database in
      try await database.merge { $0.beforeImages = true }
      try database.run("INSERT INTO public.slow VALUES ('test')")
      let rollback = try database.launch(["rollback", "1", "--batch", "50"])
      try await database.wait(for: "(SELECT count(*) FROM production.t) < 20000")
      #expect(try await database.call("control", "1", "--stop").status == 0)
      #expect(try await rollback.outcome().status == 130)
      #expect(try database.runStatuses() == "ROLLED BACK IN PART")
      try database.run("TRUNCATE public.slow")
      _ = try await database.rollBack(1)
      #expect(try database.count("SELECT count(*) FROM production.t") == 0)
    }
  }

  @Test func `a replay is paused and resumed as a merge is`() async throws {
    try await withRows(10_000) { database async throws in
      let folder = try SnapshotFolder()
      try await database.save(folder)
      #expect(try await database.call("init").status == 0)
      let replay = try database.launch([
        "replay", folder.path, "--batch", "200", "--max-rows-per-second", "100", "--workers", "2", "--json",
      ])
      try await database.wait(for: "EXISTS (SELECT FROM admin.merge_batches)")
      #expect(try await database.call("control", "1", "--pause").status == 0)
      let before = try database.count("SELECT count(*) FROM production.t")
      #expect(before > 0 && before < 10_000)
      #expect(try database.holds(Self.noLocks))
      #expect(try await database.call("control", "1", "--resume", "--max-rows-per-second", "0").status == 0)
      let outcome = try await replay.outcome()
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try outcome.json()["totals"]["inserted"].integer == 10_000)
      #expect(try database.count("SELECT count(*) FROM production.t") == 10_000)
    }
  }
}
