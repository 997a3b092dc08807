import TestSupport
import Testing

/// The guide's tables with 200,000 orders, by the commands as they are typed.
@Suite struct GuideReportTests {
  @Test func `plan says what merge then says, and the report of a run with quarantined rows shows it`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      try database.fillGuideTables(orderCount: 200_000, customerCount: 10_000)
      let plan = try await database.call("plan", "--json")
      #expect(plan.status == 0, "\(plan.errors)")
      let planned = try plan.json()
      try database.run(
        "ALTER TABLE production.orders ADD CONSTRAINT amounts CHECK (order_id % 20000 <> 1) NOT VALID"
      )
      let refused = try await database.call("plan", "--json").json()
      #expect(
        refused["findings"].elements.compactMap { $0["message"].text }.contains {
          $0.hasPrefix("10 rows breaking the check amounts")
        }
      )
      let merge = try await database.call("--json")
      #expect(merge.status == 65, "\(merge.errors)")
      let merged = try merge.json()
      #expect((2...16).contains(try #require(merged["workers"].integer)))
      for table in ["customers", "orders"] {
        for key in ["read", "inserted", "updated", "unchanged", "stale", "duplicate", "errors"] {
          #expect(merged["tables"].table(table)[key] == refused["tables"].table(table)[key], "\(table) \(key)")
        }
      }
      #expect(merged["totals"]["errors"].integer == 10)
      #expect(planned["totals"]["errors"].integer == 0)
      #expect(planned["totals"]["read"].integer == 210_000)
      let page = try await Chromium.open(try await database.call("report", "1", "--output", "-").output)
      #expect(page.title == "Run 1 - PARTIAL - merge-engine")
      #expect(page.text.contains("10\torders\t23514"))
      #expect(page.text.contains("orders\t200,000\t59,990\t"))
      #expect(page.text.contains("The server refused 10 of 210,000 staging rows"))
      #expect(page.areas.allSatisfy { $0[0] > 0 && $0[1] > 0 })
    }
  }
}
