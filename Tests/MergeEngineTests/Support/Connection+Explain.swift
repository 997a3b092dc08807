import Libpq
import TestSupport

extension Connection {
  /// How many rows the nodes of a statement's plan have looked at, all in all: what tells a plan that goes over a table once from
  /// one that does so for every row, whatever the machine.
  ///
  /// - Parameter isCounted: which nodes; nil for all.
  func rowsLookedAt(
    _ sql: SQL,
    _ parameters: [Parameter] = [],
    where isCounted: ((_ node: JSONValue) -> Bool)? = nil
  ) throws -> Int {
    let rows = try query("EXPLAIN (ANALYZE, TIMING off, FORMAT json) \(sql)", parameters, "explaining for a test")
    func number(_ node: JSONValue, _ key: String) -> Double {
      guard case .number(let number) = node[key] else { return 0 }
      return number
    }
    func count(_ node: JSONValue) -> Double {
      let seen = ["Actual Rows", "Rows Removed by Filter", "Rows Removed by Join Filter"].reduce(0) {
        $0 + number(node, $1)
      }
      let below = node["Plans"].elements.reduce(0) { $0 + count($1) }
      return (isCounted?(node) ?? true ? seen * number(node, "Actual Loops") : 0) + below
    }
    return Int(try JSONValue(text: rows.text(0, 0) ?? "").elements.reduce(0) { $0 + count($1["Plan"]) })
  }
}
