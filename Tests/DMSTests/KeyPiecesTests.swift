import DMS
import Testing

/// Rows that are loaded by their keys: pieces that a mapping document can hold, and filters that take just those rows.
@Suite struct KeyPiecesTests {
  @Test func `pieces have no more keys than allowed, and every key is in one of them`() {
    let keys: KeyPieces.Keys = [
      "orders": (1...7).map { ["order_id": "\($0)"] }, "customers": (1...4).map { ["customer_id": "\($0)"] },
    ]
    let pieces = KeyPieces(keys, keyLimit: 5).pieces
    #expect(pieces.map { $0.values.reduce(0) { $0 + $1.count } } == [5, 5, 1])
    for (table, rows) in keys { #expect(pieces.flatMap { $0[table] ?? [] } == rows) }
    #expect(KeyPieces([:]).pieces.isEmpty)
  }

  @Test func `long keys make pieces of fewer, so that the document stays within what AWS processes`() throws {
    let rows = (0..<KeyPieces.keyLimit).map { ["name": String(repeating: "x", count: 7000) + "\($0)"] }
    let pieces = KeyPieces(["names": rows]).pieces
    #expect(pieces.count > 1)
    for piece in pieces {
      var table = PlannedTable(name: "names")
      table.keyValues = KeyPieces.values(of: ["name"], in: piece["names"] ?? [])
      let plan = MappingPlan(sourceSchema: "shop", tables: [table], window: nil)
      #expect(try plan.mappings().document().utf8.count < KeyPieces.documentByteLimit)
    }
  }

  @Test func `of keys of several columns no piece loads too many rows, and no row is loaded by two`() throws {
    // One order has more lines than a piece has keys.
    let lines = (0..<900).map { ["order_id": "\($0 % 37)", "line_no": "\($0 * 7 % 101)"] }
    let keys = Array(Set(lines)) + (0..<250).map { ["order_id": "1000", "line_no": "\(1000 + $0)"] }
    let pieces = KeyPieces(["lines": keys], keyLimit: 100, combinationLimit: 400).pieces.compactMap { $0["lines"] }
    #expect(Set(pieces.flatMap(\.self)) == Set(keys) && pieces.flatMap(\.self).count == keys.count)
    var loaded: Set<[String: String]> = []
    for piece in pieces {
      #expect(piece.count <= 100)
      let values = KeyPieces.values(of: ["order_id", "line_no"], in: piece).map(\.values)
      let rows = values[0].flatMap { order in values[1].map { ["order_id": order, "line_no": $0] } }
      #expect(rows.count <= 400 && rows.count == KeyPieces.combinationCount(piece))
      #expect(loaded.isDisjoint(with: rows))
      loaded.formUnion(rows)
    }
  }

  @Test func `each column of a key has a filter, and the lint finds no error in it`() throws {
    let rows = [["order_id": "1", "line_no": "1"], ["order_id": "1", "line_no": "2"]]
    var table = PlannedTable(name: "lines")
    table.keyValues = KeyPieces.values(of: ["order_id", "line_no"], in: rows)
    let text = try MappingPlan(sourceSchema: "shop", tables: [table], window: nil).mappings().document()
    #expect(!DocumentLint.lint(text).hasErrors, "\(DocumentLint.lint(text).summary)")
    let filters = try JSONParser.parse(Array(text.utf8))["rules"]?.elements?[0]["filters"]?.elements ?? []
    #expect(filters.map { $0["column-name"]?.string } == ["ORDER_ID", "LINE_NO"])
    #expect(filters.map { $0["filter-conditions"]?.elements?.count } == [1, 2])
  }
}
