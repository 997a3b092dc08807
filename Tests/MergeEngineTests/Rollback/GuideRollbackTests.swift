import Foundation
import MergeEngine
import TestSupport
import Testing

/// The guide's tables with 200,000 orders: merged, written to by CDC, rolled back, and compared as dumps.
@Suite struct GuideRollbackTests {
  private static let orderCount = 200_000
  private static let customerCount = 10_000

  /// What CDC does between the merge and the rollback. The program's own rows are among those that it changes.
  private static let cdc = """
    UPDATE production.orders SET amount = amount + 1000, updated_at = '2026-01-01' WHERE order_id % 1000 = 7;
    UPDATE production.orders SET amount = 0.01, updated_at = '2026-01-01' WHERE order_id % 2000 = 1;
    DELETE FROM production.orders WHERE order_id % 5000 = 18;
    UPDATE production.customers SET status = 'cdc', updated_at = '2026-01-01' WHERE customer_id % 500 = 8;
    INSERT INTO production.orders SELECT n, 1, 1, '2026-01-01', '2026-01-01' FROM generate_series(900001, 900500) n;
    INSERT INTO production.customers VALUES (900001, 'cdc', 'cdc', 'cdc', '2026-01-01', '2026-01-01');
    """

  @Test func `production comes back byte for byte but for what CDC has written since, which stays`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      try database.fillGuideTables(orderCount: Self.orderCount, customerCount: Self.customerCount)
      let before = try dump(database)
      let merge = try await database.call("--before-images", "--json")
      #expect(merge.status == 0)
      let merged = try dump(database)
      #expect(merged != before)
      try database.run(Self.cdc)
      let changed = try dump(database)

      let rollback = try await database.call("rollback", "1", "--json")
      #expect(rollback.status == 65)
      let after = try dump(database)
      // A key that CDC has touched is as CDC has left it, every other one is as it was before the merge.
      var expected = before
      for (key, row) in changed where merged[key] != row { expected[key] = row }
      for key in merged.keys where changed[key] == nil { expected[key] = nil }
      #expect(after == expected)

      let written = try ["updated", "inserted"].map { try merge.json()["totals"][$0].integer ?? 0 }.reduce(0, +)
      let totals = try rollback.json()["totals"]
      let counts = ["restored", "deleted", "left_alone"].map { totals[$0].integer ?? 0 }
      #expect(counts.reduce(0, +) == written)
      #expect(
        counts[2] == Set(merged.keys).union(before.keys).count { merged[$0] != before[$0] && changed[$0] != merged[$0] }
      )
    }
  }

  @Test func `without CDC the dump is the same`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      try database.fillGuideTables(orderCount: Self.orderCount, customerCount: Self.customerCount)
      let before = try dump(database)
      #expect(try await database.call("--before-images", "--workers", "2").status == 0)
      #expect(try await database.call("rollback", "1").status == 0)
      #expect(try dump(database) == before)
      #expect(try database.staged("NEW") == Self.orderCount * 7 / 10)
    }
  }

  /// The lines that COPY writes of both tables, by table and key.
  private func dump(_ database: TestDatabase) throws -> [String: String] {
    let connection = try database.connect().connection
    var lines: [String: String] = [:]
    for (table, key) in [("customers", "customer_id"), ("orders", "order_id")] {
      var bytes: [UInt8] = []
      _ = try connection.copyOut(
        .uncheckedFromServer("COPY (SELECT * FROM production.\(table) ORDER BY \(key)) TO STDOUT"),
        into: &bytes,
        "dumping a table"
      )
      for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
        lines["\(table) \(line.prefix { $0 != "\t" })"] = String(line)
      }
    }
    return lines
  }
}
