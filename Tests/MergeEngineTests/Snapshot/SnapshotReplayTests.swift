import MergeEngine
import Testing

/// Merging from files what a merge would take from staging, where it is not plain.
@Suite struct SnapshotReplayTests {
  private static let pair = "id integer PRIMARY KEY, amount numeric(6,2) CHECK (amount < 1000), updated_at timestamp"

  @Test func `a replay needs no staging table`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try database.makePair(production: Self.pair, staging: "id integer, amount numeric(6,2), updated_at timestamp")
      try database.run("INSERT INTO staging.t SELECT n, n, '2025-01-01' FROM generate_series(1, 300) AS n")
      try await database.save(folder)
      try database.run("DROP SCHEMA staging CASCADE")
      let report = try await database.replay(folder) { $0.batchRows = 50 }
      #expect(report.totals.inserted == 300)
      #expect(report.totals.batches == 6)
      #expect(try database.count("SELECT sum(amount)::integer FROM production.t") == 45150)
    }
  }

  @Test func `rows of staging's own types are cast as a merge casts them, and what can't be is refused`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try database.makePair(
        production: "id bigint PRIMARY KEY, day date, tags text[], updated_at timestamptz",
        staging: "id varchar(10), day text, tags varchar[], updated_at timestamp"
      )
      try database.run(
        """
        INSERT INTO staging.t VALUES
          ('1', '2025-02-03', '{a,b}', '2025-01-01 12:00'), ('x', '2025-02-03', NULL, '2025-01-01'),
          ('3', 'soon', NULL, '2025-01-01'), ('4', NULL, NULL, NULL)
        """
      )
      try await database.save(folder)
      let report = try await database.replay(folder)
      #expect(report.status == .partial)
      #expect(report.totals.inserted == 2)
      #expect(
        try database.rows("TABLE production.t ORDER BY 1") == [
          "(1,2025-02-03,\"{a,b}\",\"2025-01-01 12:00:00+00\")", "(4,,,)",
        ]
      )
      #expect(
        try database.rows("SELECT row_key->>'id', sqlstate, snapshot_row FROM admin.merge_errors ORDER BY 1")
          == ["(3,22007,2)", "(x,22P02,1)"]
      )
    }
  }

  @Test func `refused rows are recorded as a merge records them, and the rest of their batch gets in`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try database.makePair(production: Self.pair, staging: "id integer, amount numeric(6,2), updated_at timestamp")
      try database.run(
        "INSERT INTO staging.t SELECT n, n * 10, '2025-01-01' FROM generate_series(1, 120) AS n"
      )
      try await database.save(folder)
      let replayed = try await database.replay(folder) { $0.batchRows = 30 }
      #expect(replayed.totals.errors == 21)
      #expect(replayed.totals.inserted == 99)
      try database.run("TRUNCATE production.t")
      let merged = try await database.merge { $0.batchRows = 30 }
      #expect(merged.totals.errors == 21)
      let refused = "SELECT row_key, sqlstate, message, detail, row_data FROM admin.merge_errors WHERE run_id ="
      #expect(try database.difference("\(refused) \(replayed.runID)", "\(refused) \(merged.runID)") == [])
      #expect(
        try database.count(
          "SELECT count(*) FROM admin.merge_errors WHERE snapshot_row + 1 = (row_key->>'id')::int AND snapshot_id IS NOT NULL"
        ) == 21
      )
    }
  }

  @Test func `once the cause is mended the next replay merges the refused rows, and they count as retried`()
    async throws
  {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try database.makePair(production: Self.pair, staging: "id integer, amount numeric(6,2), updated_at timestamp")
      try database.run("INSERT INTO staging.t VALUES (1, 5000, '2025-01-01'), (2, 5, '2025-01-01')")
      try await database.save(folder)
      try await database.replay(folder)
      try database.run("ALTER TABLE production.t DROP CONSTRAINT t_amount_check")
      let second = try await database.replay(folder)
      #expect(second.status == .success)
      #expect(second.totals.inserted == 1)
      #expect(try database.count("SELECT count(*) FROM admin.merge_errors WHERE retried_at IS NULL") == 0)
    }
  }

  @Test func `rows whose parent comes later in the same table get in, and count once`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try database.makePair(
        production: "id integer PRIMARY KEY, parent integer REFERENCES production.t, updated_at timestamp",
        staging: "id integer, parent integer, updated_at timestamp"
      )
      try database.run(
        """
        INSERT INTO staging.t
        SELECT n, CASE WHEN n < 60 THEN n + 1 WHEN n = 61 THEN 999 END, '2025-01-01' FROM generate_series(1, 61) AS n
        """
      )
      try await database.save(folder)
      let url = folder.url
      let run = MergeRun(
        target: database.target,
        snapshot: try Snapshot(directory: url),
        options: {
          var options = MergeOptions()
          (options.batchRows, options.workers) = (20, 1)
          return options
        }(),
        logger: .silent
      )
      let report = try await onItsOwnThread { try run.run() }
      #expect(report.totals.read == 61)
      #expect(report.totals.inserted == 60)
      #expect(report.totals.errors == 1)
      #expect(try database.count("SELECT count(*) FROM production.t") == 60)
      #expect(
        try database.rows("SELECT row_key FROM admin.merge_errors WHERE retried_at IS NULL") == [
          "(\"{\"\"id\"\": 61}\")"
        ]
      )
      #expect(try database.count("SELECT count(*) FROM admin.snapshot_progress") == 0)
    }
  }

  @Test func `the newest of several rows of a key wins, in one batch and across batches`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try database.makePair(production: Self.pair, staging: "id integer, amount numeric(6,2), updated_at timestamp")
      try database.run(
        """
        INSERT INTO staging.t
        SELECT n % 10, n, timestamp '2025-01-01' + (n * 7919 % 100) * interval '1 hour' FROM generate_series(1, 100) AS n
        """
      )
      try await database.save(folder)
      let report = try await database.replay(folder) { ($0.batchRows, $0.workers) = (13, 3) }
      #expect(report.totals.read == 100)
      let newest = "SELECT DISTINCT ON (id) id, amount, updated_at FROM staging.t ORDER BY id, updated_at DESC"
      #expect(try database.difference("TABLE production.t", newest) == [])
    }
  }

  @Test func `a window is merged and the rest is left for another replay`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try database.makePair(production: Self.pair, staging: "id integer, amount numeric(6,2), updated_at timestamp")
      try database.run(
        "INSERT INTO staging.t SELECT n, n, timestamp '2025-01-01' + n * interval '1 day' FROM generate_series(1, 30) AS n"
      )
      try await database.save(folder)
      let first = try await database.replay(folder) { $0.to = "2025-01-11" }
      #expect(first.totals.inserted == 9)
      let second = try await database.replay(folder) { $0.from = "2025-01-11" }
      #expect(second.totals.inserted == 21)
    }
  }

  @Test func `refused rows outside a replay's window stay listed, those in it count as retried`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try database.makePair(production: Self.pair, staging: "id integer, amount numeric(6,2), updated_at timestamp")
      try database.run(
        "INSERT INTO staging.t SELECT n, 5000, timestamp '2025-01-01' + n * interval '1 day' FROM generate_series(1, 4) AS n"
      )
      try await database.save(folder)
      #expect(try await database.replay(folder).totals.errors == 4)
      try database.run("ALTER TABLE production.t DROP CONSTRAINT t_amount_check")
      #expect(try await database.replay(folder) { $0.to = "2025-01-03" }.totals.inserted == 1)
      let listed = "SELECT row_key->>'id' FROM admin.merge_errors WHERE retried_at IS NULL ORDER BY 1"
      #expect(try database.rows(listed) == ["(2)", "(3)", "(4)"])
      #expect(
        try await database.replay(folder) { ($0.from, $0.to) = ("2025-01-03", "2025-01-05") }.totals.inserted == 2
      )
      #expect(try database.rows(listed) == ["(4)"])
      #expect(try await database.replay(folder).totals.inserted == 1)
      #expect(try database.rows(listed) == [])
    }
  }

  @Test func `refused rows whose version can't be read stay listed through a replay with a window`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try database.makePair(production: Self.pair, staging: "id integer, amount numeric(6,2), updated_at text")
      try database.run("INSERT INTO staging.t VALUES (1, 1, 'soon'), (2, 5000, '2025-01-02'), (3, 3, '2025-01-03')")
      try await database.save(folder)
      #expect(try await database.replay(folder).totals.errors == 2)
      try await database.replay(folder) { $0.from = "2025-01-03" }
      let listed = "SELECT DISTINCT row_key->>'id' FROM admin.merge_errors WHERE retried_at IS NULL ORDER BY 1"
      #expect(try database.rows(listed) == ["(1)", "(2)"])
    }
  }

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

  @Test func `a single row of more bytes than a batch may hold is merged`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try database.makePair(
        production: "id integer PRIMARY KEY, body text, updated_at timestamp",
        staging: "id integer, body text, updated_at timestamp"
      )
      try database.run(
        """
        ALTER TABLE staging.t ALTER body SET STORAGE EXTERNAL;
        INSERT INTO staging.t
        SELECT n, CASE WHEN n = 2 THEN repeat('long', 12000000) ELSE repeat('x', 6000000) END, '2025-01-01'
        FROM generate_series(1, 8) AS n
        """
      )
      try await database.save(folder)
      let report = try await database.replay(folder)
      #expect(report.totals.inserted == 8)
      #expect(report.totals.batches > 2)
      #expect(
        try database.difference(
          "SELECT id, md5(body) FROM production.t",
          "SELECT id, md5(body) FROM staging.t"
        ) == []
      )
    }
  }

  @Test func `a batch that is too large once it is cast is divided`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      let numbers = 1...20
      try database.makePair(
        production: "id integer PRIMARY KEY, updated_at date, " + numbers.map { "c\($0) text" }.joined(separator: ", "),
        staging: "id integer, updated_at date, " + numbers.map { "c\($0) timestamptz" }.joined(separator: ", ")
      )
      // 258 bytes a row in the file, 688 when every time has become a text.
      try database.run(
        """
        ALTER TABLE staging.t SET (fillfactor = 100);
        INSERT INTO staging.t SELECT n, '2025-01-01', \(numbers.map { _ in "timestamptz '2025-01-01 12:34:56.789012+00'" }
          .joined(separator: ", ")) FROM generate_series(1, 30000) AS n
        """
      )
      try await database.save(folder)
      let report = try await database.replay(folder) { ($0.batchRows, $0.workers) = (100_000, 1) }
      #expect(report.totals.inserted == 30_000)
      #expect(report.totals.batches == 2)
      #expect(
        try database.count("SELECT count(*) FROM production.t WHERE c20 = '2025-01-01 12:34:56.789012+00'") == 30_000
      )
    }
  }

  @Test(arguments: TestDatabase.Encoding.allCases)
  func `texts come through in every encoding`(_ encoding: TestDatabase.Encoding) async throws {
    try await TestDatabase.with(encoding) { database in
      let folder = try SnapshotFolder()
      let columns = "\"schlüssel\" text PRIMARY KEY, updated_at date"
      try database.makePair(production: columns, staging: columns)
      try database.run("INSERT INTO staging.t VALUES ('größe', '2025-01-01'), ('é', '2025-01-01')")
      try await database.save(folder)
      #expect(try await database.replay(folder).totals.inserted == 2)
      #expect(try database.difference("TABLE production.t", "SELECT \"schlüssel\", updated_at FROM staging.t") == [])
    }
  }

  @Test func `bytes of no encoding are not taken for texts of one`() async throws {
    let folder = try SnapshotFolder()
    let columns = "id text PRIMARY KEY, updated_at date"
    try await TestDatabase.with(.sqlASCII) { database in
      try database.makePair(production: columns, staging: columns)
      try database.run("INSERT INTO staging.t VALUES (E'\\xFF', '2025-01-01')")
      try await database.save(folder)
    }
    try await TestDatabase.with { database in
      try database.makePair(production: columns, staging: columns)
      await #expect { try await database.replay(folder) } throws: { error in
        guard case MergeFailure.blocked(let findings) = error else { return false }
        return findings.contains { $0.message.contains("texts of the snapshot are in SQL_ASCII") }
      }
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

  @Test func `columns of types without a binary form are saved as text and merged`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try database.makePair(
        production: "id integer PRIMARY KEY, rights aclitem, updated_at timestamp",
        staging: "id integer, rights aclitem, updated_at timestamp"
      )
      try database.run("INSERT INTO staging.t SELECT 1, (current_user || '=r/' || current_user)::aclitem, '2025-01-01'")
      let manifest = try await database.save(folder)
      #expect(manifest.tables[0].columns.map(\.baseType).prefix(2) == ["integer", "text"])
      #expect(try await database.replay(folder).totals.inserted == 1)
      #expect(try database.difference("TABLE production.t", "SELECT id, rights, updated_at FROM staging.t") == [])
    }
  }

  @Test func `arrays of own types, which hold the database's numbers, are refused where the numbers differ`()
    async throws
  {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try database.run("CREATE SCHEMA production; CREATE TYPE production.mood AS ENUM ('ok', 'sad')")
      let columns = "id integer PRIMARY KEY, moods production.mood[], mood production.mood, updated_at timestamp"
      try database.makePair(production: columns, staging: columns)
      try database.run("INSERT INTO staging.t VALUES (1, '{ok,sad}', 'sad', '2025-01-01')")
      try await database.save(folder)
      #expect(try await database.replay(folder).totals.inserted == 1)
      try database.run(
        """
        DROP SCHEMA staging, production CASCADE; CREATE SCHEMA production;
        CREATE TYPE production.mood AS ENUM ('ok', 'sad'); CREATE TABLE production.t (\(columns))
        """
      )
      await #expect { try await database.replay(folder) } throws: { error in
        guard case MergeFailure.blocked(let findings) = error else { return false }
        return findings.count == 1 && findings[0].message.contains("column moods is of the type mood[]")
      }
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
    let first = try await database.replay(folder) { ($0.batchRows, $0.workers, $0.maxErrors) = (20, 1, 0) }
    try #require(first.status == .failed)
    try #require(first.totals.inserted == 40)
    try #require(try database.count("SELECT sum(row_count) FROM admin.snapshot_progress") == 60)
    try database.run("DROP TRIGGER stop ON production.t")
  }
}
