import TestSupport
import Testing

/// `--max-rows-per-second`. Only from below: no run is too slow for a test.
@Suite struct RateLimitTests {
  @Test(arguments: [1, 3])
  func `a run takes at least as long as its rows are worth, and a batch is at most a second's worth`(workers: Int)
    async throws
  {
    try await TestDatabase.with(copyOf: .guide, in: .sleeping) { database async throws in
      try database.fillGuideTables(orderCount: 1500, customerCount: 300)
      try database.expectGuideResult()
      // With statistics the rows of a block are known, and the first batch has the right size.
      try database.run("ANALYZE staging.orders; ANALYZE staging.customers")
      let outcome = try await database.call(
        "--max-rows-per-second",
        "600",
        "--workers",
        "\(workers)",
        "--json"
      )
      #expect(outcome.status == 0)
      let json = try outcome.json()
      #expect(json["totals"]["read"].integer == 1800)
      // 1800 rows at 600 a second are three seconds; the last batch need not be waited for.
      #expect(try #require(json["elapsed_ms"].integer) >= 2000)
      #expect(try #require(json["totals"]["rows_per_second"].integer) <= 900)
      // 1500 rows in batches of 600 at most, although --batch is 50,000.
      #expect(try #require(json["tables"].table("orders")["batches"].integer) >= 2)
      #expect(try database.differencesFromExpected() == 0)
    }
  }

  @Test func `the configuration file has the same key, and a flag wins over it`() async throws {
    try await TestDatabase.with(copyOf: .guide, in: .sleeping) { database async throws in
      try database.fillGuideTables(orderCount: 400, customerCount: 20)
      try database.run("ANALYZE staging.orders; ANALYZE staging.customers")
      let files = ["merge-engine.yaml": "max_rows_per_second: 200\n"]
      let outcome = try await database.call("--json", files: files)
      #expect(outcome.status == 0)
      #expect(try #require(try outcome.json()["elapsed_ms"].integer) >= 1000)
      let flag = try await database.call("--max-rows-per-second", "100000", "--json", files: files)
      #expect(flag.status == 0)
      #expect(
        try database.holds(
          """
          SELECT array_agg(parameters ->> 'max_rows_per_second' ORDER BY id) = '{200,100000}' FROM admin.merge_summary
          """
        )
      )
    }
  }

  @Test func `waiting holds no lock and no transaction on production`() async throws {
    try await TestDatabase.with(copyOf: .guide, in: .sleeping) { database async throws in
      try database.fillGuideTables(orderCount: 1500, customerCount: 300)
      try database.run("ANALYZE staging.orders; ANALYZE staging.customers")
      let merge = try database.launch(["--max-rows-per-second", "100", "--workers", "1", "--quiet"])
      try await database.wait(
        for: """
          EXISTS (SELECT FROM staging.orders WHERE _dms_processing_status = 'PROCESSED')
          AND EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                      AND application_name LIKE 'merge-engine run % worker 1' AND state = 'idle')
          AND NOT EXISTS (SELECT FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
                          WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                          AND c.relnamespace = 'production'::regnamespace)
          """
      )
      merge.send(2)
      #expect(try await merge.outcome().status == 130)
      #expect(try database.runStatuses() == "ABORTED")
    }
  }

  @Test func `a rate of none is wrong usage`() async throws {
    try await TestDatabase.with { database async throws in
      let outcome = try await database.call("--max-rows-per-second", "0")
      #expect(outcome.status == 64)
      #expect(outcome.errors.contains("--max-rows-per-second is 0; it must be from 1"))
    }
  }
}
