import MergeEngine
import TestSupport
import Testing

/// Staging tables of one name in several databases are several tables.
@Suite struct StagingPlaceTests {
  @Test func `progress in one staging database is none in another, and neither forgets the other's`() async throws {
    try await TestDatabase.withPair { production, first in
      try await TestDatabase.with { second in
        try production.run(
          "CREATE SCHEMA production; CREATE TABLE production.t (id int PRIMARY KEY, updated_at timestamp)"
        )
        for (staging, start) in [(first, 1), (second, 100)] {
          try staging.run(
            """
            CREATE SCHEMA staging; CREATE TABLE staging.t (id int, updated_at timestamp);
            INSERT INTO staging.t SELECT n, '2025-01-01' FROM generate_series(\(start), \(start + 9)) n;
            """
          )
        }
        func read(_ staging: TestDatabase) async throws -> Int? {
          let outcome = try await production.call("--json", "--staging-database", staging.connectionString)
          #expect(outcome.status == 0, "\(outcome.transcript)")
          #expect(!outcome.errors.contains("second time"), "\(outcome.transcript)")
          return try outcome.json()["totals"]["read"].integer
        }
        #expect(try await read(first) == 10)
        #expect(try await read(second) == 10)
        #expect(try await read(first) == 0)
        #expect(try await read(second) == 0)
        // A table that was dropped and made anew is another one, and that its rows were there before is told.
        try first.run("INSERT INTO staging.t VALUES (50, '2025-01-01')")
        #expect(try await read(first) == 1)
      }
    }
  }
}
