import Libpq
import TestSupport
import Testing

@testable import MergeEngine

/// Rows that were refused before a run read their table from its first row again.
@Suite struct ForgottenRefusalTests {
  @Test func `a run that starts over with a table has no refused rows of it until it refuses them again`() async throws
  {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "k int PRIMARY KEY CHECK (k <> 5), updated_at int",
        staging: "k int, updated_at int"
      )
      try database.run("INSERT INTO staging.t SELECT n, 1 FROM generate_series(1, 10) n")
      let merge = try await database.merge { $0.mark = .none }
      #expect(merge.totals.errors == 1)
      func reasons() throws -> [Int] {
        try RefusalGroup.read(merge.runID, keepsForgotten: true, Identifier("admin"), database.connection).groups.map(
          \.count
        )
      }
      #expect(try reasons() == [1])
      var options = MergeOptions()
      options.continuedRunID = merge.runID
      let record = try RunRecord(database.connection, Schemas(), tables: ["t"], options: options, warnings: [])
      try record.startOver("t", database.connection)
      #expect(try reasons() == [])
      #expect(try database.count("SELECT count(*) FROM admin.merge_errors WHERE retried_at IS NOT NULL") == 1)
    }
  }
}
