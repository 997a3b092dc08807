import MergeEngine
import TestSupport
import Testing

/// A replay that was not finished goes on where it stopped, and begins anew where that would be wrong.
@Suite struct SnapshotResumeTests {
  /// The table in which versions before 0.2 kept the progress of replays, as they made it.
  static let formerProgress = """
    CREATE TABLE admin.snapshot_progress (
      snapshot_id text NOT NULL, table_name text, production_oid bigint, version_from text, version_to text, first_row bigint,
      row_count bigint, run_id integer
    )
    """

  private static let pair = "id integer PRIMARY KEY, amount numeric(6,2) CHECK (amount < 1000), updated_at timestamp"

  @Test func `what an unfinished replay has left is not done again, by another batch size either`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try await prepareUnfinished(folder, database)
      let second = try await database.replay(folder) { $0.batchRows = 7 }
      #expect(second.totals.read == 40)
      #expect(second.totals.inserted == 40)
      #expect(try database.count("SELECT count(*) FROM admin.merge_progress WHERE superseded_at IS NULL") == 0)
    }
  }

  @Test func `a finished replay is begun anew, and cleanup deletes what the ledger says of it`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try await prepareUnfinished(folder, database)
      #expect(try await database.replay(folder).totals.read == 40)
      let third = try await database.replay(folder)
      #expect(third.totals.read == 100)
      #expect(third.totals.unchanged == 80)
      try #require(try database.count("SELECT count(*) FROM admin.merge_progress") > 0)
      _ = try await database.call("cleanup", "--keep-task", "--older-than", "100")
      #expect(try database.count("SELECT count(*) FROM admin.merge_progress") == 0)
    }
  }

  @Test func `what an earlier version has replayed is taken over once, and only where it belongs`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try await prepareUnfinished(folder, database)
      try database.run(
        """
        \(Self.formerProgress);
        INSERT INTO admin.snapshot_progress
        SELECT split_part(source, ' ', 2), table_name, production_oid, version_from, version_to, first_row, row_count, run_id
        FROM admin.merge_progress;
        INSERT INTO admin.snapshot_progress
        SELECT snapshot_id, table_name, production_oid, '2024-01-01 00:00:00', NULL, 60, 40, run_id FROM admin.snapshot_progress LIMIT 1;
        INSERT INTO admin.snapshot_progress
        SELECT snapshot_id, table_name, production_oid + 1, NULL, NULL, 60, 40, run_id FROM admin.snapshot_progress LIMIT 1;
        DELETE FROM admin.merge_progress
        """
      )
      let second = try await database.replay(folder)
      #expect(second.totals.read == 40)
      #expect(second.totals.inserted == 40)
      #expect(try database.count("SELECT count(*) FROM admin.snapshot_progress") == 2)
      #expect(try await database.replay(folder).totals.read == 100)
      #expect(try await database.replay(folder) { $0.from = "2024-01-01" }.totals.read == 60)
      // Of a window that was taken back by --restart nothing is left either.
      try database.run(
        """
        INSERT INTO admin.snapshot_progress
        SELECT split_part(source, ' ', 2), table_name, production_oid, version_from, version_to, 0, 100, run_id
        FROM admin.merge_progress WHERE version_from IS NULL LIMIT 1
        """
      )
      #expect(try await database.replay(folder) { $0.startsOver = true }.totals.read == 100)
    }
  }

  @Test func `what a rollback has taken back is replayed again`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try await prepareUnfinished(folder, database, keepsImages: true)
      let run = "\(try database.count("SELECT max(id) FROM admin.merge_summary"))"
      #expect(try await database.call("rollback", run).status == 0)
      #expect(try database.count("SELECT count(*) FROM production.t") == 0)
      #expect(try await database.replay(folder).totals.inserted == 100)
    }
  }

  @Test func `an unfinished replay of one window says nothing of another`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try await prepareUnfinished(folder, database)
      let other = try await database.replay(folder) { $0.from = "2024-01-01" }
      #expect(other.totals.read == 100)
      #expect(try database.count("SELECT sum(row_count) FROM admin.merge_progress WHERE superseded_at IS NULL") == 60)
    }
  }

  @Test func `a production table that was made anew is replayed from the first row`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try await prepareUnfinished(folder, database)
      try database.run("DROP TABLE production.t; CREATE TABLE production.t (\(Self.pair))")
      #expect(try await database.replay(folder).totals.inserted == 100)
    }
  }

  @Test func `with --restart everything is read again`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try await prepareUnfinished(folder, database)
      let second = try await database.replay(folder) { $0.startsOver = true }
      #expect(second.totals.read == 100)
      #expect(second.totals.inserted == 60)
      #expect(second.totals.unchanged == 40)
    }
  }

  @Test func `a replay that is stopped while files are checked has written nothing`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try database.makePair(production: Self.pair, staging: "id integer, amount numeric(6,2), updated_at timestamp")
      try database.run("INSERT INTO staging.t VALUES (1, 1, '2025-01-01')")
      try await database.save(folder)
      let stop = StopSignal()
      stop.request(signal: 2)
      let run = MergeRun(
        target: database.target,
        snapshot: try Snapshot(directory: folder.url),
        options: MergeOptions(),
        logger: .silent,
        stop: stop
      )
      await #expect(throws: CancellationError.self) { try await onItsOwnThread { try run.run() } }
      #expect(try database.count("SELECT count(*) FROM pg_namespace WHERE nspname = 'admin'") == 0)
    }
  }

  /// Leaves 60 of 100 rows done, the last 20 of them refused, which ended the replay.
  private func prepareUnfinished(
    _ folder: borrowing SnapshotFolder,
    _ database: TestDatabase,
    keepsImages: Bool = false
  ) async throws {
    try database.makePair(production: Self.pair, staging: "id integer, amount numeric(6,2), updated_at timestamp")
    try database.run(
      """
      INSERT INTO staging.t SELECT n, n, '2025-01-01' FROM generate_series(1, 100) AS n;
      CREATE FUNCTION production.stop() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF NEW.id > 40 THEN RAISE EXCEPTION 'not yet'; END IF;
        RETURN NEW;
      END $$;
      CREATE TRIGGER stop BEFORE INSERT ON production.t FOR EACH ROW EXECUTE FUNCTION production.stop();
      """
    )
    try await database.save(folder)
    let first = try await database.replay(folder) {
      ($0.batchRows, $0.workers, $0.maxErrors) = (20, 1, 19)
      $0.beforeImages = keepsImages
    }
    try #require(first.status == .failed)
    try #require(first.totals.inserted == 40)
    try #require(try database.count("SELECT sum(row_count) FROM admin.merge_progress") == 60)
    try database.run("DROP TRIGGER stop ON production.t")
  }
}
