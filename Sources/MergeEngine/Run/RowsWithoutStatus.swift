import Libpq

/// Staging rows whose status is NULL: only NEW ones are read, so that these would stay behind without a word.
struct RowsWithoutStatus {
  let plan: MergePlan

  /// Up to this size of staging the rows are simply counted, which takes about a hundredth of what their merge took.
  /// In larger tables they are counted only if the server's statistics don't rule them out. Arbitrary: 1 GiB.
  private static let smallBlockCount = 131_072

  /// - Returns: a warning for every table that has such rows.
  func warnings(_ staging: () throws -> Connection) -> [String] {
    let marked = plan.tables.filter { $0.marksRows && $0.statusIsNullable }
    guard !marked.isEmpty else { return [] }
    do {
      let connection = try staging()
      return marked.compactMap { warning($0, connection) }
    } catch {
      return ["rows without a \(TablePlanner.statusColumn) could not be counted: \(error)."]
    }
  }

  private func warning(_ table: TablePlan, _ connection: Connection) -> String? {
    let status = TablePlanner.statusColumn
    do throws(PostgresError) {
      if table.stagingBlockCount > Self.smallBlockCount, try isRuledOut(table, connection) { return nil }
      let result = try connection.query(
        "SELECT count(*) FROM \(table.staging) WHERE \(status) IS NULL",
        "counting the rows without a status in \(table.staging)"
      )
      guard let count = result.integer(0, 0), count > 0 else { return nil }
      return
        "\(count) rows of \(table.staging) have no \(status) and were not merged: only NEW ones are. Set it to NEW "
        + "where it IS NULL, and merge again."
    } catch {
      // Too long for the statement time limit, say. The merge itself is done.
      return "rows of \(table.staging) without a \(status) could not be counted: \(error.message)."
    }
  }

  private func isRuledOut(_ table: TablePlan, _ connection: Connection) throws(PostgresError) -> Bool {
    let result = try connection.query(
      """
      SELECT null_frac = 0 FROM pg_stats
      WHERE schemaname = $1 AND tablename = $2 AND attname = $3 AND NOT inherited
      """,
      [.text(table.staging.schema.name), .text(table.staging.name.name), .text(TablePlanner.statusColumn.name)],
      "reading the statistics of \(table.staging)"
    )
    return result.count > 0 && result.bool(0, 0) == true
  }
}
