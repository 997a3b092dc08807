import Libpq

/// How many pending rows have a key that the cast to production's type would change: they are refused.
struct KeyForecast {
  let table: TablePlan
  /// To the database that holds staging.
  let connection: Connection

  func findings() throws -> [Finding] {
    try table.keyColumns.compactMap { column in try column.keyCast.flatMap { try finding(column, $0) } }
  }

  private func finding(_ column: TablePlan.Column, _ keyCast: KeyCast) throws -> Finding? {
    let count: Int
    do {
      count =
        try connection.query(
          """
          SELECT count(*) FROM \(table.staging) AS s
          WHERE s.\(column.stagedName) IS NOT NULL AND NOT (\(keyCast.isKept))\(ClaimSQL.rowCondition(table))
          """,
          "looking for keys of \(table.staging) that a cast would change"
        ).integer(0, 0) ?? 0
    } catch {
      // A value that can't be cast at all ends the count; it is refused like the others.
      guard error.refusesStatement else { throw error }
      return .warning(
        .keyConversion,
        table.name,
        "whether the cast to \(column.baseType.fullName.text) changes keys \(column.name) of \(table.staging) could not be "
          + "counted: \(error.message). Such rows are quarantined."
      )
    }
    guard count > 0 else { return nil }
    return .warning(
      .keyConversion,
      table.name,
      "\(count.rows) of \(table.staging) with a key \(column.name) that the cast to \(column.baseType.fullName.text) would "
        + "change into another row's: quarantined. Load the column in production's type."
    )
  }
}
