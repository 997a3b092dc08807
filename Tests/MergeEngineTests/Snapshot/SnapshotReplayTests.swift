import MergeEngine
import TestSupport
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

  @Test func `columns that staging generates are saved and merged`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (id int PRIMARY KEY, x int, updated_at timestamp);
        CREATE TABLE staging.t (id int, b int, x int GENERATED ALWAYS AS (b * 2) STORED, y int,
                                updated_at timestamp GENERATED ALWAYS AS (make_timestamp(y, 1, 1, 0, 0, 0)) STORED);
        INSERT INTO production.t VALUES (1, 99, '2024-01-01'); INSERT INTO staging.t (id, b, y) VALUES (1, 5, 2025), (2, 6, 2025);
        """
      )
      let file = ["merge-engine.yaml": "tables: {t: {ignore_columns: [b, y]}}\n"]
      #expect(try await database.call("snapshot", "save", folder.path, files: file).status == 0)
      let replay = try await database.call("replay", folder.path, files: file)
      #expect(replay.status == 0, "\(replay.transcript)")
      #expect(try database.rows("SELECT id, x FROM production.t ORDER BY id") == ["(1,10)", "(2,12)"])
    }
  }

  @Test func `what a replay that broke off has refused stands when its records are deleted`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try database.makePair(production: Self.pair, staging: "id integer, amount numeric(6,2), updated_at timestamp")
      try database.run("INSERT INTO staging.t VALUES (1, 1, '2025-01-01'), (2, 2000, '2025-01-01')")
      try await database.save(folder)
      #expect(try await database.call("replay", folder.path).status == 65)
      let prune = ["cleanup", "--keep-task", "--keep-staging", "--older-than", "1"]
      for (status, count) in [("ABORTED", 1), ("PARTIAL", 0)] {
        try database.run(
          """
          UPDATE admin.merge_summary SET status = '\(status)', merge_start = merge_start - interval '9 days';
          """
        )
        #expect(try await database.call(arguments: prune).status == 0)
        #expect(try database.count("SELECT count(*) FROM admin.merge_errors") == count)
        try database.run(
          "INSERT INTO admin.merge_summary (id, merge_start, status) VALUES (1, now(), 'ABORTED') ON CONFLICT DO NOTHING"
        )
      }
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
      #expect(try database.count("SELECT count(*) FROM admin.merge_progress WHERE superseded_at IS NULL") == 0)
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
}
