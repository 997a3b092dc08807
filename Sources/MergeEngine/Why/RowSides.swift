import Libpq

/// What staging and production hold of one key, and what the rule makes of it.
struct RowSides {
  let plan: TablePlan
  let key: AskedKey
  let production: Connection
  let staging: Connection

  /// A staging row, not judged yet.
  struct Staged {
    let ctid: String
    let xmin: String
    let standing: WhyReport.StagingRow.Standing
    /// False where a row of the key can't be read as production's types.
    let isReadable: Bool
    let values: [String?]
    /// The same in the bytes that the server has sent: what is no UTF-8 would not be the same again.
    fileprivate let parameters: [Parameter]
  }

  /// Staging's rows of the key, the newest first; where one can't be read as production's types, the last first, in staging's own.
  func stagedRows() throws(PostgresError) -> [Staged] {
    do {
      return try stagedRows(plan, isReadable: true)
    } catch {
      // undefined_object, undefined_function
      if staging !== production, ["42704", "42883"].contains(error.sqlState?.code) {
        return try stagedRows(plan, isReadable: true, byText: true)
      }
      guard error.refusesRow else { throw error }
    }
    // It may have been another row's key that can't be read.
    var plan = plan
    plan.reading.unreadableKeys = try UnreadableRows.keys(of: plan, staging).find() ?? []
    do {
      return try stagedRows(plan, isReadable: true)
    } catch {
      guard error.refusesRow else { throw error }
      return try stagedRows(plan, isReadable: false)
    }
  }

  /// - Parameter byText: staging's database does not know the types that travel as text, by production's names for them.
  private func stagedRows(_ plan: TablePlan, isReadable: Bool, byText: Bool = false) throws(PostgresError) -> [Staged] {
    let match = plan.keyColumns.indices.map { index in
      let column = plan.columns[index]
      if byText, column.travel == .text { return "\(column.readExpression) = $\(index + 1)::text" as SQL }
      let value = plan.keyInProduction(column)
      // Another database need not have production's collation.
      let compared = staging === production ? column.baseType.collated(value) : value
      return "\(compared) \(column.equality) $\(index + 1)::text::\(column.baseType.uncutName)" as SQL
    }
    let isUnread: SQL =
      isReadable ? plan.reading.state.coverage.isUnread(in: .everything, version: plan.stagedVersion) : "true"
    let isInWindow: SQL =
      plan.reading.window.isUnbounded || !isReadable ? "true" : plan.reading.window.condition(on: plan.stagedVersion)
    let values = plan.columns.map { (isReadable ? "(\($0.readExpression))::text" : "s.\($0.stagedName)::text") as SQL }
    let order: SQL = isReadable ? "\(plan.version.readExpression) DESC NULLS LAST, " : ""
    let rows = try staging.query(
      """
      SELECT s.ctid::text, s.xmin::text, (\(isInWindow)) IS TRUE, (\(isUnread)) IS TRUE,
             s.ctid = ANY (\(TupleAddress.list(plan.reading.state.refused))), s.ctid = ANY (\(TupleAddress.list(plan.reading.state.dismissed))),
             \(values.joined(", "))
      FROM \(plan.staging) AS s WHERE \(match.joined(" AND "))
      ORDER BY \(order)s.ctid DESC
      """,
      key.values.map { .text($0) },
      "looking for the key in \(plan.staging)"
    )
    return (0..<rows.count).map { row in
      Staged(
        ctid: rows.text(row, 0) ?? "",
        xmin: rows.text(row, 1) ?? "",
        standing: rows.bool(row, 4) == true
          ? .refused
          : rows.bool(row, 5) == true
            ? .dismissed
            : rows.bool(row, 2) != true ? .outsideWindow : rows.bool(row, 3) == true ? .pending : .merged,
        isReadable: isReadable,
        values: plan.columns.indices.map { rows.text(row, 6 + $0) },
        parameters: plan.columns.indices.map { Parameter(binary: rows.bytes(row, 6 + $0), type: TypeOID.text) }
      )
    }
  }

  /// Production's row of the key.
  func productionRow() throws(PostgresError) -> WhyReport.ProductionRow? {
    let values = plan.columns.map { "p.\($0.name)::text" as SQL }
    let row = try production.query(
      "SELECT p.ctid::text, p.xmin::text, \(values.joined(", ")) FROM \(plan.production) AS p WHERE \(match)",
      key.values.map { .text($0) },
      "looking for the key in \(plan.production)"
    )
    guard row.count == 1 else { return nil }
    return WhyReport.ProductionRow(
      ctid: row.text(0, 0) ?? "",
      xmin: row.text(0, 1) ?? "",
      values: named(plan.columns.indices.map { row.text(0, 2 + $0) })
    )
  }

  private var match: SQL {
    plan.keyColumns.indices.map { index in
      let column = plan.columns[index]
      return "p.\(column.name) \(column.equality) $\(index + 1)::text::\(column.baseType.uncutName)" as SQL
    }.joined(" AND ")
  }

  private func named(_ values: [String?]) -> [String: String?] {
    Dictionary(uniqueKeysWithValues: zip(plan.columns.map(\.name.name), values))
  }

  /// What the rule says of a staging row.
  func judged(_ row: Staged, _ other: WhyReport.ProductionRow?) throws(PostgresError) -> WhyReport.StagingRow {
    let (verdict, differing): (WhyReport.StagingRow.Verdict, [String]) =
      try !row.isReadable ? (.error, []) : other == nil ? (.insert, []) : compare(row)
    return WhyReport.StagingRow(
      ctid: row.ctid,
      xmin: row.xmin,
      standing: row.standing,
      verdict: verdict,
      differing: differing,
      values: named(row.values)
    )
  }

  private func compare(_ row: Staged) throws(PostgresError) -> (WhyReport.StagingRow.Verdict, [String]) {
    do throws(PostgresError) {
      return try compare(row, by: plan.writing.ties?.columns ?? [])
    } catch {
      // Production can't even read the values, as text that its encoding lacks: then it has others.
      guard error.refusesRow else { throw error }
      let (verdict, _) = try compare(row, by: [])
      return (verdict == .unchanged ? .tie : verdict, [])
    }
  }

  /// Has production's server compare, by the equality of the columns' own types.
  private func compare(_ row: Staged, by columns: [RowComparison.Column]) throws(PostgresError)
    -> (WhyReport.StagingRow.Verdict, [String])
  {
    let offset = plan.keyColumnCount
    func staged(_ number: Int, _ column: TablePlan.Column) -> SQL { "$\(number)::text::\(column.baseType.uncutName)" }
    let version = staged(offset + 1, plan.version)
    let differs = columns.enumerated().map { index, column in
      ApplySQL.isDistinct(
        "p.\(plan.columns[column.index].name)",
        staged(offset + 2 + index, plan.columns[column.index]),
        column.equality
      )
    }
    let old: SQL = "p.\(plan.version.name)"
    let result = try production.query(
      """
      SELECT \(version) > \(old), \(version) = \(old), \(version) IS NULL, \(old) IS NULL\(differs.map { ", \($0)" as SQL }.joined(""))
      FROM \(plan.production) AS p WHERE \(match)
      """,
      key.values.map { Parameter.text($0) } + [row.parameters[plan.versionIndex]]
        + columns.map { row.parameters[$0.index] },
      "comparing the row with \(plan.production)"
    )
    guard result.count == 1 else { return (.insert, []) }
    let differing = columns.indices.filter { result.bool(0, 4 + $0) == true }.map {
      plan.columns[columns[$0].index].name.name
    }
    let tie: WhyReport.StagingRow.Verdict = differing.isEmpty ? .unchanged : .tie
    let verdict: WhyReport.StagingRow.Verdict =
      switch (result.bool(0, 2) == true, result.bool(0, 3) == true) {
      case (true, true): tie
      case (true, false): .stale
      case (false, true): plan.nullRule == .strict ? .unchanged : .update
      case (false, false): result.bool(0, 0) == true ? .update : result.bool(0, 1) == true ? tie : .stale
      }
    return (verdict, differing)
  }
}
