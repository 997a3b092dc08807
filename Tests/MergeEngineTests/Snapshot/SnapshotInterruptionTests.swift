import Foundation
import TestSupport
import Testing

/// Replays that are killed, interrupted or kept out, and the replay after.
@Suite struct SnapshotInterruptionTests {
  private static let orderCount = 6000

  @Test(arguments: [11, 12, 13, 14])
  func `killed at some moment and run again, nothing is lost and nothing is counted twice`(seed: UInt64) async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      try await prepare(database, folder, seed: seed)
      let replay = try database.launch(["replay", folder.path, "--batch", "150", "--workers", "\(seed % 3 + 1)"])
      try await database.wait(for: TestDatabase.somebodySleeps)
      replay.send(SIGKILL)
      #expect(try await replay.outcome().status == 128 + SIGKILL)
      try database.run("DELETE FROM production.gate")
      try await database.waitForTheEndOfAllSessions()
      let done = try database.number("SELECT coalesce(sum(row_count), 0) FROM admin.merge_progress") ?? 0
      #expect(done == (try database.number("SELECT sum(records_read) FROM admin.merge_logs")))
      let second = try await database.call("replay", folder.path, "--json", "--batch", "170")
      #expect(second.status == 0)
      #expect(try second.json()["totals"]["read"].integer == Self.orderCount + 500 - done)
      if done > 0 { #expect(second.errors.contains("an earlier replay was not finished")) }
      try checkWhole(database)
      #expect(try database.runStatuses() == "ABORTED SUCCESS")
    }
  }

  @Test func `a signal ends a replay as ABORTED with its own status, and the next one completes it`() async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      try await prepare(database, folder, seed: 15)
      let replay = try database.launch(["replay", folder.path, "--batch", "150", "--json"])
      try await database.wait(for: TestDatabase.somebodySleeps)
      replay.send(SIGTERM)
      #expect(try await replay.outcome().status == 143)
      try database.run("DELETE FROM production.gate")
      #expect(try await database.call("replay", folder.path, "--quiet").status == 0)
      try checkWhole(database)
      #expect(try database.runStatuses() == "ABORTED SUCCESS")
    }
  }

  @Test func `a lost connection in the middle costs nothing but time`() async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      try await prepare(database, folder, seed: 16)
      let replay = try database.launch(["replay", folder.path, "--batch", "150", "--json"])
      try await database.wait(for: TestDatabase.somebodySleeps)
      try database.run(
        """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'merge-engine run % worker %';
        DELETE FROM production.gate
        """
      )
      let outcome = try await replay.outcome()
      #expect(outcome.status == 0)
      try checkWhole(database)
      #expect(try database.runStatuses() == "SUCCESS")
    }
  }

  @Test func `a replay and a merge keep each other out, table by table`() async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      try await prepare(database, folder, seed: 17)
      let replay = try database.launch(["replay", folder.path, "--batch", "150"])
      try await database.wait(for: TestDatabase.somebodySleeps)
      #expect(try await database.call("merge").status == 75)
      #expect(try await database.call("replay", folder.path).status == 75)
      try database.run("DELETE FROM production.gate")
      #expect(try await replay.outcome().status == 0)
      try checkWhole(database)
    }
  }

  @Test func `saving that is killed leaves nothing that looks like a snapshot`() async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      let save = try await startSaving(database, folder)
      save.send(SIGKILL)
      _ = try await save.outcome()
      #expect(FileManager.default.fileExists(atPath: folder.file("customers.pgcopy").path))
      #expect(try await database.call("replay", folder.path).status == 73)
      #expect(try await CommandLineProgram.run(["snapshot", "info", folder.path]).errors.contains("unfinished"))
    }
  }

  @Test func `saving that is interrupted removes what it has written`() async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      let save = try await startSaving(database, folder)
      save.send(SIGINT)
      save.send(SIGCONT)
      #expect(try await save.outcome().status == 130)
      #expect(!FileManager.default.fileExists(atPath: folder.path))
    }
  }

  @Test func `saving that waits for a lock is interrupted at once, and has made no folder`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      let folder = try SnapshotFolder()
      let blocker = try database.connect()
      try blocker.run("BEGIN; LOCK TABLE staging.orders")
      let save = try database.launch(["snapshot", "save", folder.path])
      try await database.wait(for: TestDatabase.somebodyWaitsForALock)
      save.send(SIGTERM)
      // Not before the lock is given up by itself: it is held until the program has ended.
      #expect(try await save.outcome().status == 143)
      try blocker.run("ROLLBACK")
      #expect(!FileManager.default.fileExists(atPath: folder.path))
    }
  }

  /// Starts a save, and stops it in the middle: customers is saved first, and orders takes long enough. A save that is
  /// through before it is caught is made again.
  private func startSaving(
    _ database: TestDatabase,
    _ folder: borrowing SnapshotFolder
  ) async throws -> CommandLineProgram {
    try await database.makeGuideTables()
    try database.fillGuideTables(orderCount: 200_000, customerCount: 50)
    while true {
      let save = try database.launch(["snapshot", "save", folder.path])
      while !FileManager.default.fileExists(atPath: folder.file("orders.pgcopy").path) {
        try await Task.sleep(for: .milliseconds(1))
      }
      save.send(SIGSTOP)
      // What is all but done may end before it hears of anything.
      let attributes = try? FileManager.default.attributesOfItem(atPath: folder.file("orders.pgcopy").path)
      let hasJustBegun = (attributes?[.size] as? Int).map { $0 < 1_000_000 } ?? false
      if hasJustBegun, !FileManager.default.fileExists(atPath: folder.file("manifest.json").path) { return save }
      save.send(SIGCONT)
      _ = try await save.outcome()
      try FileManager.default.removeItem(atPath: folder.path)
    }
  }

  /// The guide's tables, saved, and a production that stops at the statement the seed says, until the gate is opened.
  private func prepare(_ database: TestDatabase, _ folder: borrowing SnapshotFolder, seed: UInt64) async throws {
    try await database.makeGuideTables()
    try database.fillGuideTables(orderCount: Self.orderCount, customerCount: 500)
    try database.expectGuideResult()
    #expect(try await database.call("snapshot", "save", folder.path, "--quiet").status == 0)
    var random = SeededGenerator(seed: seed)
    // 40 batches of 150 orders, each with an insert and an update.
    let moment = Int.random(in: 1...70, using: &random)
    try database.run(
      """
      CREATE TABLE production.gate (); INSERT INTO production.gate DEFAULT VALUES;
      CREATE SEQUENCE production.statements;
      CREATE FUNCTION production.stop() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF nextval('production.statements') >= \(moment) THEN
          WHILE EXISTS (SELECT FROM production.gate) LOOP PERFORM pg_sleep(0.01); END LOOP;
        END IF;
        RETURN NULL;
      END $$;
      CREATE TRIGGER stop AFTER INSERT OR UPDATE ON production.orders EXECUTE FUNCTION production.stop();
      """
    )
  }

  /// Production is what an undisturbed merge makes, the counts of all runs are those of one, and no progress is left.
  private func checkWhole(_ database: TestDatabase) throws {
    #expect(try database.differencesFromExpected() == 0)
    #expect(try database.number("SELECT count(*) FROM admin.merge_progress WHERE superseded_at IS NULL") == 0)
    #expect(try database.staged("NEW") == Self.orderCount)
    #expect(
      try database.sortedRows(
        """
        SELECT table_name, sum(records_read), sum(records_inserted), sum(records_updated), sum(records_unchanged),
               sum(records_stale), sum(records_duplicate), sum(records_error)
        FROM admin.merge_logs GROUP BY table_name
        """
      ) == ["(customers,500,150,200,50,100,0,0)", "(orders,6000,1800,2400,600,1200,0,0)"]
    )
  }
}
