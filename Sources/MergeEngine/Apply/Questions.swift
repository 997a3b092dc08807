import Libpq

/// Asks the server about a whole batch which of its rows production may refuse, in one statement.
///
/// Whoever is named here is only set apart and tried by itself: a trigger may fill or change what looks bad, and a parent
/// may have come meanwhile. So a question may name too many rows, and what none foresees is found by dividing the batch.
struct Questions {
  private let plan: TablePlan
  private let production: Connection
  private let table: Identifier
  private let ask: SQL?
  private var copier: RowCopier

  private static let numberColumn = Identifier("_merge_engine_row")

  /// Reads production's constraints, and makes the temporary table that they are asked about.
  init(_ plan: TablePlan, _ production: Connection, number: Int) throws(PostgresError) {
    self.plan = plan
    self.production = production
    table = Identifier("merge_engine_asked_\(number)")
    copier = RowCopier(columnCount: plan.columns.count, production)
    let conditions = try Constraints(plan, production).conditions()
    guard !conditions.isEmpty else {
      ask = nil
      return
    }
    let columns = plan.columns.map { column in
      column.travel == .text
        ? "p.\(column.name)::text AS \(column.name)"
        : "p.\(column.name)::\(column.baseType.plainName) AS \(column.name)" as SQL
    }
    try production.execute(
      """
      CREATE TEMPORARY TABLE IF NOT EXISTS \(table) ON COMMIT DELETE ROWS AS
      SELECT \(columns.joined(", ")), 0::bigint AS \(Self.numberColumn) FROM \(plan.production) AS p WITH NO DATA
      """,
      "making a temporary table"
    )
    let values = plan.columns.map { column -> SQL in
      column.travel == .text ? "b.\(column.name)::\(column.baseType.plainName) AS \(column.name)" : "b.\(column.name)"
    }
    ask = """
      SELECT t.\(Self.numberColumn) FROM (SELECT \(values.joined(", ")), b.\(Self.numberColumn) FROM pg_temp.\(table) AS b) AS t
      WHERE \(conditions.map { "(\($0))" as SQL }.joined(" OR "))
      """
  }

  /// Which of these rows look bad; nil when the questions can't be answered, since a row raises an error in them.
  ///
  /// Within a transaction, whose earlier work is not lost by that.
  mutating func suspects(_ rows: [UInt32], of batch: StagedBatch) throws -> Set<UInt32>? {
    guard let ask, !rows.isEmpty else { return [] }
    do {
      return try Savepoint.attempt(on: production) {
        let columns = (plan.columns.map(\.name) + [Self.numberColumn]).joined()
        try copier.copy(
          rows,
          of: batch,
          by: "COPY pg_temp.\(table) (\(columns)) FROM STDIN (FORMAT binary)",
          numbered: true,
          "copying rows of \(plan.production) into a temporary table"
        )
        // The subplans look into production's indexes; the batch itself is read once.
        let answer = try production.query(ask, "asking which rows \(plan.production) would refuse")
        return Set((0..<answer.count).map { UInt32(answer.integer($0, 0) ?? 0) })
      }
    } catch let error as PostgresError where error.origin == .server && error.sqlState?.isWorthRetrying == false {
      return nil
    }
  }
}
