import MergeEngine
import TestSupport
import Testing

/// A replay that was not finished goes on where it stopped, and begins anew where that would be wrong.
@Suite struct SnapshotResumeTests {
  private static let pair = "id integer PRIMARY KEY, amount numeric(6,2) CHECK (amount < 1000), updated_at timestamp"

  @Test func `what an unfinished replay has left is not done again, by another batch size either`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try await prepareUnfinished(folder, database)
      let second = try await database.replay(folder) { $0.batchRows = 7 }
      #expect(second.totals.read == 40)
      #expect(second.totals.inserted == 40)
      #expect(try database.count("SELECT count(*) FROM admin.snapshot_progress") == 0)
    }
  }

  @Test func `an unfinished replay of one window says nothing of another`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try await prepareUnfinished(folder, database)
      let other = try await database.replay(folder) { $0.from = "2024-01-01" }
      #expect(other.totals.read == 100)
      #expect(try database.count("SELECT sum(row_count) FROM admin.snapshot_progress") == 60)
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
  private func prepareUnfinished(_ folder: borrowing SnapshotFolder, _ database: TestDatabase) async throws {
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
    let first = try await database.replay(folder) { ($0.batchRows, $0.workers, $0.maxErrors) = (20, 1, 19) }
    try #require(first.status == .failed)
    try #require(first.totals.inserted == 40)
    try #require(try database.count("SELECT sum(row_count) FROM admin.snapshot_progress") == 60)
    try database.run("DROP TRIGGER stop ON production.t")
  }
}
