import Foundation
import MergeEngine
import Testing

/// A table of a million rows.
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
      let report = try await database.replay(folder)
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
}
