import Foundation
import MergeEngine
import TestSupport
import Testing

/// Tables of a million rows, and of many megabytes.
@Suite struct SnapshotLargeTests {
  @Test func `a million rows are saved, checked and replayed, and production is what plain SQL makes of them`()
    async throws
  {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (id integer PRIMARY KEY, value integer, updated_at date);
        CREATE TABLE staging.t (id integer, value integer, updated_at date);
        INSERT INTO production.t SELECT n, 0, date '2025-01-10' FROM generate_series(1, 500000) AS n;
        INSERT INTO staging.t
        SELECT n, n, CASE WHEN n % 10 < 9 THEN date '2025-01-10' ELSE date '2025-01-20' END
        FROM generate_series(1, 1000000) AS n;
        """
      )
      let manifest = try await database.save(folder)
      #expect(manifest.tables[0].rowCount == 1_000_000)
      // Header and trailer, and in each row the field count and three fields of four bytes with their lengths.
      #expect(manifest.tables[0].byteCount == 21 + 1_000_000 * (2 + 3 * 8))
      try database.letBatchesWait()
      let report = try await database.replay(folder) { $0.maxLockMilliseconds = 600_000 }
      #expect(report.totals.read == 1_000_000)
      #expect(report.totals.inserted == 500_000)
      #expect(report.totals.updated == 50_000)
      #expect(report.totals.unchanged == 450_000)
      #expect(report.totals.batches == 20)
      #expect(
        try database.count(
          """
          SELECT count(*) FROM production.t p JOIN staging.t s USING (id)
          WHERE p.value IS DISTINCT FROM CASE WHEN id > 500000 OR id % 10 = 9 THEN s.value ELSE 0 END
          """
        ) == 0
      )
      #expect(try database.count("SELECT count(*) FROM production.t") == 1_000_000)
    }
  }

  #if os(Linux)
    @Test func `save, info and replay hold a small part of a large table at a time`() async throws {
      try await TestDatabase.with { database async throws in
        let folder = try SnapshotFolder()
        // 30,000 rows of 10 kB.
        try database.run(
          """
          CREATE SCHEMA production; CREATE SCHEMA staging;
          CREATE TABLE production.t (id integer PRIMARY KEY, body text, updated_at date);
          CREATE TABLE staging.t (LIKE production.t);
          ALTER TABLE production.t ALTER body SET STORAGE EXTERNAL;
          ALTER TABLE staging.t ALTER body SET STORAGE EXTERNAL;
          INSERT INTO staging.t SELECT n, repeat('x', 10000), date '2025-01-01' FROM generate_series(1, 30000) AS n
          """
        )
        let file = folder.file("t.pgcopy").path
        for arguments in [
          ["snapshot", "save", folder.path, "--database", database.connectionString],
          ["snapshot", "info", folder.path],
          ["replay", folder.path, "--workers", "1", "--database", database.connectionString],
        ] {
          let outcome = try await CommandLineProgram.run(arguments, through: Self.tellingPeak)
          #expect(outcome.status == 0, "\(outcome.errors)")
          let kibibytes = try #require(outcome.errors.split(separator: "\n").last.flatMap { Int($0) })
          #expect((10_000...200_000).contains(kibibytes), "\(arguments[0]): \(kibibytes) KiB")
        }
        let size = try FileManager.default.attributesOfItem(atPath: file)[.size] as? Int
        #expect(try #require(size) > 300_000_000)
        #expect(try database.number("SELECT count(*) FROM production.t") == 30_000)
      }
    }

    /// Runs the program, and says on stderr how much memory it held resident at most, by the system's own account.
    private static let tellingPeak = """
      exec python3 -c 'import resource, subprocess, sys
      status = subprocess.call(sys.argv[1:])
      print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
      sys.exit(status)' "$0" "$@"
      """
  #endif
}
