import Foundation
import TestSupport
import Testing

@Suite struct MergeResultTests {
  @Test func `the guide's tables end as plain SQL has them, all rows marked, the run on record`() async throws {
    try await TestDatabase.with(copyOf: .expectedGuide) { database async throws in
      let outcome = try await database.call("--batch", "50000", "--json")
      #expect(outcome.status == 0)
      #expect(try database.differencesFromExpected() == 0)
      #expect(try database.staged("PROCESSED") == 2000)
      #expect(try database.staged("PROCESSED", in: "staging.customers") == 500)
      #expect(try database.sortedRows("SELECT status FROM admin.merge_summary") == ["(SUCCESS)"])
      #expect(try database.holds("SELECT bool_and(merge_end > merge_start) FROM admin.merge_summary"))
      #expect(
        try database.sortedRows(
          """
          SELECT table_name, records_read, records_inserted, records_updated, records_unchanged, records_stale,
                 records_duplicate, records_error, run_id = (SELECT id FROM admin.merge_summary)
          FROM admin.merge_logs
          """
        ) == ["(customers,500,150,200,50,100,0,0,t)", "(orders,2000,600,800,200,400,0,0,t)"]
      )
    }
  }

  @Test func `run again at once it reads nothing and touches no row`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      #expect(try await database.call("--quiet").status == 0)
      let orders = try database.versions(of: "production.orders")
      let staging = try database.versions(of: "staging.orders")
      let second = try await database.call("--json")
      #expect(second.status == 0)
      #expect(try second.json()["totals"]["read"].integer == 0)
      #expect(try database.versions(of: "production.orders") == orders)
      #expect(try database.versions(of: "staging.orders") == staging)
      #expect(try database.runStatuses() == "SUCCESS SUCCESS")
      #expect(try database.number("SELECT count(*) FROM admin.merge_logs") == 4)
    }
  }

  @Test func `the JSON has every key of the contract in its type, and counts that add up`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      let outcome = try await database.call("--batch", "300", "--workers", "3", "--json")
      let json = try outcome.json()
      #expect(json["run_id"].integer == 1)
      #expect(json["status"].text == "SUCCESS")
      #expect(json["workers"].integer == 3)
      #expect(json["batch"].integer == 300)
      let elapsed = try #require(json["elapsed_ms"].integer)
      #expect(elapsed > 0)
      let started = try time(json["started_at"])
      let finished = try time(json["finished_at"])
      #expect(started < finished)
      #expect(abs(finished.timeIntervalSince(started) * 1000 - Double(elapsed)) < 1000)

      let verdicts = ["inserted", "updated", "unchanged", "stale", "duplicate", "errors"]
      let counts = Set(["read", "lost_races"] + verdicts)
      #expect(json["tables"].elements.compactMap { $0["table"].text } == ["customers", "orders"])
      for table in json["tables"].elements {
        #expect(table.keys.isSuperset(of: counts.union(["table", "batches", "elapsed_ms"])))
        #expect(table["read"].integer == verdicts.reduce(0) { $0 + (table[$1].integer ?? -1) })
        let batches = try #require(table["batches"].integer)
        #expect(batches > 0)
        #expect(table["elapsed_ms"].integer != nil)
      }
      #expect(json["totals"].keys.isSuperset(of: counts.union(["rows_per_second"])))
      for key in counts {
        #expect(json["totals"][key].integer == json["tables"].elements.reduce(0) { $0 + ($1[key].integer ?? -1) })
      }
      #expect(json["totals"]["read"].integer == 2500)
      let rate = try #require(json["totals"]["rows_per_second"].integer)
      #expect(abs(rate - 2500 * 1000 / elapsed) <= 1)
    }
  }

  @Test(arguments: [1, 7, 100, 1_000_000], [1, 4])
  func `no batch size and no number of workers changes the result`(batch: Int, workers: Int) async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      try database.fillGuideTables(orderCount: 1000, customerCount: 100)
      try database.expectGuideResult()
      let outcome = try await database.call("--batch", "\(batch)", "--workers", "\(workers)", "--json")
      #expect(outcome.status == 0)
      #expect(try outcome.json()["totals"]["read"].integer == 1100)
      #expect(try database.differencesFromExpected() == 0)
    }
  }

  @Test func `refused rows end the run as PARTIAL with 65, stand in merge_errors, and the rest is merged`() async throws
  {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      try database.run("ALTER TABLE production.orders ADD CHECK (amount <> 17.75)")
      let outcome = try await database.call("--json")
      #expect(outcome.status == 65)
      #expect(try outcome.json()["status"].text == "PARTIAL")
      // 17 and 1017 are both newer than production's.
      #expect(try outcome.json()["totals"]["errors"].integer == 2)
      #expect(try database.staged("ERROR") == 2)
      #expect(try database.staged("PROCESSED") == 1998)
      #expect(
        try database.sortedRows("SELECT run_id, table_name, row_key ->> 'order_id', sqlstate FROM admin.merge_errors")
          == ["(1,orders,1017,23514)", "(1,orders,17,23514)"]
      )
    }
  }

  private func time(_ value: JSONValue) throws -> Date {
    let text = try #require(value.text)
    #expect(text.hasSuffix("Z"))
    return try Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
  }
}
