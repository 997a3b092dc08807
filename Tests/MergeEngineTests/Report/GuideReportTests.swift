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
      // What the server refuses without being asked before shows only in the merge.
      try database.run(
        "ALTER TABLE production.orders ADD CONSTRAINT amounts CHECK (order_id % 20000 <> 1) NOT VALID"
      )
      let refused = try await database.call("plan", "--json").json()
      #expect(
        refused["findings"].elements.compactMap { $0["message"].text }.contains {
          $0.hasPrefix("10 rows that break the check amounts")
        }
      )
      let merge = try await database.call("--json")
      #expect(merge.status == 65, "\(merge.errors)")
      let merged = try merge.json()
      #expect(merged["workers"].integer == 2)
      for table in ["customers", "orders"] {
        for key in ["read", "updated", "unchanged", "stale", "duplicate"] {
          #expect(merged["tables"].table(table)[key] == planned["tables"].table(table)[key], "\(table) \(key)")
        }
      }
      #expect(merged["tables"].table("customers")["inserted"] == planned["tables"].table("customers")["inserted"])
      let (inserted, errors) = (
        merged["tables"].table("orders")["inserted"].integer, merged["totals"]["errors"].integer
      )
      #expect(errors == 10)
      #expect((inserted ?? 0) + 10 == planned["tables"].table("orders")["inserted"].integer)
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
