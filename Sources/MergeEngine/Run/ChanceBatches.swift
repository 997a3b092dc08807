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
    let knots = addresses.count > 1 ? try knots(addresses).filter { $0.count <= rowLimit } : []
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

  /// Rows by their places in the list, from 1.
  private func knots(_ addresses: [UInt64]) throws -> [[Int]] {
    var waits = try referring(addresses)
    let holders = ValueHolders(table: table, production: production)
    for rule in try holders.rules() where rule.isDeferrable {
      guard let found = try holders.waits(of: addresses, rule) else { continue }
      waits.holders.merge(found.holders) { $0.union($1) }
    }
    return waits.knots
  }

  /// Which of the rows, by their places in the list from 1, refer to which, by foreign keys of the table to itself; nothing where nobody can say.
  func referring(_ addresses: [UInt64]) throws -> Waits {
    let own = try Reference.read(to: table.productionOid, production).filter { $0.isFrom(table.productionOid) }
    var waits = Waits()
    for reference in own {
      let question = pairs(of: reference, addresses)
      guard let pairs = try Savepoint.answer(on: production, { try production.query(question) }) else { continue }
      for row in 0..<pairs.count {
        waits.holders[pairs.integer(row, 0) ?? 0, default: []].insert(pairs.integer(row, 1) ?? 0)
      }
    }
    return waits
  }

  private func pairs(of reference: Reference, _ addresses: [UInt64]) -> Query {
    Query(
      """
      WITH waiting AS MATERIALIZED (
        SELECT w.merge_engine_place, staged.*
        FROM unnest(\(TupleAddress.list(addresses))) WITH ORDINALITY AS w (merge_engine_address, merge_engine_place)
        CROSS JOIN LATERAL (SELECT \(table.stagedAsProduction) FROM \(table.staging) AS s WHERE s.ctid = w.merge_engine_address) AS staged
      )
      SELECT c.merge_engine_place, p.merge_engine_place
      FROM waiting AS c JOIN waiting AS p ON \(reference.condition(child: "c")) AND c.merge_engine_place <> p.merge_engine_place
      """,
      [],
      "checking which refused rows of \(table.staging) refer to each other"
    )
  }
}
