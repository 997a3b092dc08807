import Foundation
import MergeEngine
import TestSupport
import Testing

/// The engine against the guide's rule as plain SQL, over random tables.
///
/// `MERGE_ENGINE_TEST_SEED=n` begins at another seed, `MERGE_ENGINE_TEST_CASES=n` makes it more cases.
@Suite struct RandomisedMergeTests {
  static let seeds: [UInt64] = {
    let environment = ProcessInfo.processInfo.environment
    let first = environment["MERGE_ENGINE_TEST_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0..<1_000_000)
    let count = environment["MERGE_ENGINE_TEST_CASES"].flatMap { UInt64($0) } ?? 40
    print("randomised merges from seed \(first)")
    return (0..<count).map { first + $0 }
  }()

  @Test(arguments: seeds)
  func `production becomes what plain SQL makes of it`(_ seed: UInt64) async throws {
    let table = RandomTable(seed: seed)
    try await TestDatabase.with { database in
      try database.run(table.setup)
      try database.run(table.rule)
      let stagingCount = try database.count("SELECT count(*) FROM staging.random")
      let report = try await database.merge {
        $0.batchRows = table.batchRows
        $0.workers = table.workers
        $0.nulls = table.nulls
      }
      #expect(try database.difference("TABLE production.random", "TABLE expected") == [], "\(table)")
      #expect(report.status == .success, "\(table)")
      #expect(report.totals.read == stagingCount, "\(table)")
      #expect(
        try database.count("SELECT count(*) FROM staging.random WHERE _dms_processing_status = 'PROCESSED'")
          == stagingCount,
        "\(table)"
      )
      let second = try await database.merge()
      #expect(second.totals.read == 0, "\(table)")
      #expect(try database.difference("TABLE production.random", "TABLE expected") == [], "\(table)")
    }
  }
}
