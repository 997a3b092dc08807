import Libpq

/// Reads rows that differ as text, both sides, with what recognises them again.
struct DifferenceTexts {
  let plan: TablePlan
  let pair: String
  let writesValues: Bool
  let connections: WorkerConnections

  /// A staging row that differs.
  struct Row {
    let kind: DifferenceKind
    let address: UInt64
    /// Places in ``TablePlan/columns``.
    let columns: [Int]
  }

  /// One side of a difference.
  private struct Side {
    let identity: Difference.RowIdentity
    let values: [String?]
  }

  /// - Precondition: within the transaction, of one snapshot, that found the rows.
  func read(_ rows: [Row]) throws(PostgresError) -> [Difference] {
    guard !rows.isEmpty else { return [] }
    let staged = try stagingRows(rows.map(\.address))
    let known = rows.compactMap { row in
      staged["\(TupleAddress(row.address))"].map { (row: row, staging: $0) }
    }
    let keys = known.map { key($0.staging) }
    let found = try productionRows(keys)
    return known.indices.map {
      difference(known[$0].row, key: keys[$0], staging: known[$0].staging, production: found[$0])
    }
  }

  private func key(_ staging: Side) -> [String: String] {
    Dictionary(
      uniqueKeysWithValues: plan.keyColumns.indices.map { (plan.columns[$0].name.name, staging.values[$0] ?? "") }
    )
  }

  private func difference(_ row: Row, key: [String: String], staging: Side, production: Side?) -> Difference {
    Difference(
      pair: pair,
      table: plan.plainName,
      kind: row.kind,
      key: key,
      stagingVersion: staging.values[plan.versionIndex],
      productionVersion: production?.values[plan.versionIndex],
      columns: row.columns.map { index in
        Difference.Column(
          column: plan.columns[index].name.name,
          values: writesValues
            ? .init(production: production?.values[index], staging: staging.values[index]) : nil
        )
      },
      stagingRow: staging.identity,
      productionRow: production?.identity
    )
  }

  /// How many columns are read: with `--no-values` only key and version, which stand first.
  private var columns: ArraySlice<TablePlan.Column> {
    plan.columns[..<(writesValues ? plan.columns.count : plan.comparedColumnCount)]
  }

  private func stagingRows(_ addresses: [UInt64]) throws(PostgresError) -> [String: Side] {
    let values = columns.map { $0.baseType.exactText(of: $0.readExpression) }
    let result = try connections.staging.query(
      "SELECT s.ctid::text, s.xmin::text, \(values.joined(", ")) FROM \(plan.staging) AS s WHERE \(SQL.rows(at: addresses))",
      "reading rows of \(plan.staging) that differ"
    )
    return (0..<result.count).reduce(into: [:]) { sides, row in
      sides[result.text(row, 0) ?? ""] = side(result, row, from: 0)
    }
  }

  /// - Returns: production's row for each key; nil where there is none.
  private func productionRows(_ keys: [[String: String]]) throws(PostgresError) -> [Side?] {
    let values = columns.map { $0.baseType.exactText(of: "p.\($0.name)") }
    let result = try connections.production.query(
      """
      SELECT k.ordinal::bigint, p.ctid::text, p.xmin::text, \(values.joined(", "))
      FROM \(KeyTexts.source(plan)) JOIN \(plan.production) AS p ON \(KeyTexts.match(plan))
      """,
      KeyTexts.parameters(plan, keys),
      "reading rows of \(plan.production) that differ"
    )
    var sides = [Side?](repeating: nil, count: keys.count)
    for row in 0..<result.count {
      guard let ordinal = result.integer(row, 0) else { continue }
      sides[ordinal - 1] = side(result, row, from: 1)
    }
    return sides
  }

  private func side(_ result: ResultSet, _ row: Int, from column: Int) -> Side {
    Side(
      identity: .init(ctid: result.text(row, column) ?? "", xmin: result.text(row, column + 1) ?? ""),
      values: columns.indices.map { result.text(row, column + 2 + $0) }
    )
  }
}
