import Libpq

/// The batches in which refused rows get their second chance: those that can only be written at once stand in one.
///
/// These are rows that exchange values of a constraint which is checked when all are written, and rows of a table that refer to each
/// other in a circle.
struct ChanceBatches {
  let table: TablePlan
  let production: Connection
  /// Rows of a batch, at most.
  let rowLimit: Int

  /// - Parameters:
  ///   - addresses: of rows in staging, in any order.
  ///   - isApart: rows that need each other share their batch with nobody else, who may have it refused.
  /// - Returns: the batches, and whether any rows need each other.
  /// - Precondition: staging is in the same database.
  func batches(of addresses: [UInt64], isApart: Bool) throws -> (batches: [[UInt64]], hasKnots: Bool) {
    let addresses = addresses.sorted()
    let knots =
      try addresses.count > 1
      ? RowNeeds(of: addresses, table, production).knots.filter { !$0.isStuck && $0.rows.count <= rowLimit }
        .map { $0.rows.count + $0.outdone.count <= rowLimit ? $0.rows + $0.outdone : $0.rows }
      : []
    let tied = Set(knots.joined())
    let others = (1...max(addresses.count, 1)).prefix(addresses.count).filter { !tied.contains($0) }
    let lots = isApart ? knots : packed(knots)
    let batches = (lots + Self.cut(others, rowLimit)).map { lot in lot.map { addresses[$0 - 1] } }
    return (batches, !knots.isEmpty)
  }

  /// Rows in their order, by so many.
  static func cut<Row>(_ rows: [Row], _ rowLimit: Int) -> [[Row]] {
    stride(from: 0, to: rows.count, by: rowLimit).map { Array(rows[$0...].prefix(rowLimit)) }
  }

  private func packed(_ knots: [[Int]]) -> [[Int]] {
    knots.reduce(into: []) { lots, knot in
      if let last = lots.last, last.count + knot.count <= rowLimit {
        lots[lots.count - 1] += knot
      } else {
        lots.append(knot)
      }
    }
  }
}
