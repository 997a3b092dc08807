import TestSupport
import Testing

@testable import merge_engine

/// Tables fit the window that they are shown in, and lose nothing for it.
@Suite struct TextTableTests {
  private static func table() -> TextTable {
    var table = TextTable(
      ["table"],
      numbers: [
        "read", "inserted", "newer in production", "unchanged", "stale", "duplicate", "errors", "rows/s", "time",
      ]
    )
    table.add(["customers", "22,000", "2,000", "18,000", "1,000", "1,000", "0", "0", "128,654", "0.1 s"])
    table.add([
      "a_table_with_a_name_that_is_rather_long_for_any_window", "220,000,000", "55,000,000", "88,000,000", "55,000,000",
      "22,000,000", "0", "0", "176,848", "20 min 12 s",
    ])
    table.addTotals(["total", "220,022,000", "1", "2", "3", "4", "5", "6", "7", "8"])
    return table
  }

  @Test(arguments: [20, 40, 60, 80, 100, 120, 200])
  func `fits`(width: Int) {
    let text = Self.table().rendered(Style(width: width))
    for line in text.lines { #expect(line.width <= max(width, 29), "\(line.string)") }
    for cell in ["22,000", "220,000,000", "20 min 12 s", "176,848", "128,654"] { #expect(text.string.contains(cell)) }
    let name = text.string.filter { $0.isLetter || $0 == "_" }
    #expect(name.contains("a_table_with_a_name_that") || width < 60)
  }

  @Test func `with room enough, and in a pipe, a row is a line`() {
    for style in [Style(width: 200), .plain] {
      let lines = Self.table().rendered(style).lines
      #expect(lines.count == 7)
      #expect(lines[0].string.hasPrefix("table ") && lines[0].string.hasSuffix("rows/s         time"))
      #expect(lines[3].string.contains("_long_for_any_window  220,000,000"))
    }
  }

  @Test func `a message wraps in its column`() {
    var table = TextTable([.number("run"), .text("table"), .text("message")])
    table.add(["1", "orders", "new row for relation orders violates check constraint orders_amount_check"])
    let lines = table.rendered(Style(width: 40)).lines.map(\.string)
    #expect(
      lines == [
        "run table  message", "─── ────── ─────────────────────────────",
        "  1 orders new row for relation orders", "           violates check constraint",
        "           orders_amount_check", "",
      ]
    )
  }

  @Test func `a live line loses what matters least`() {
    var line = FittedLine()
    line.add("orders: 1,000 of 2,000 rows", importance: 9)
    line.add("5 inserted", importance: 2)
    line.add("3 errors", importance: 8)
    #expect(line.rendered(to: nil).string == "orders: 1,000 of 2,000 rows, 5 inserted, 3 errors")
    #expect(line.rendered(to: 40).string == "orders: 1,000 of 2,000 rows, 3 errors")
    #expect(line.rendered(to: 27).string == "orders: 1,000 of 2,000 rows")
    #expect(line.rendered(to: 10).string == "orders: 1…")
  }
}
