import Libpq

/// Truncates staging tables after a merge, if that loses nothing.
struct StagingCleanup {
  let plan: MergePlan
  /// Rows carry marks that say whether they were merged.
  let marksRows: Bool

  /// - Returns: a warning for each table that was left as it is.
  func truncate(_ tables: [RunReport.TableReport], _ connection: Connection) throws(PostgresError) -> [String] {
    var warnings: [String] = []
    for (table, report) in zip(plan.tables, tables) {
      if let reason = try truncate(table, report, connection) {
        warnings.append("\(table.staging) was not truncated: \(reason)")
      }
    }
    return warnings
  }

  private func truncate(
    _ table: TablePlan,
    _ report: RunReport.TableReport,
    _ connection: Connection
  ) throws(PostgresError) -> String? {
    do {
      try connection.execute(
        "BEGIN; LOCK TABLE \(table.staging) IN ACCESS EXCLUSIVE MODE",
        "locking \(table.staging) to truncate it"
      )
      let reason = try unmergedReason(table, report, connection)
      try connection.execute(
        reason == nil ? "TRUNCATE TABLE \(table.staging); COMMIT" : "ROLLBACK",
        "truncating \(table.staging)"
      )
      return reason
    } catch {
      guard error.origin == .server else { throw error }
      try connection.execute("ROLLBACK", "giving up truncating \(table.staging)")
      return error.message
    }
  }

  /// Looks under the lock, when nobody can add a row any more.
  private func unmergedReason(
    _ table: TablePlan,
    _ report: RunReport.TableReport,
    _ connection: Connection
  ) throws(PostgresError) -> String? {
    guard table.marksRows else {
      // Without marks the only proof that every row was read is that there are as many as were read.
      let result = try connection.query("SELECT count(*) FROM \(table.staging)", "counting \(table.staging)")
      let count = result.integer(0, 0) ?? 0
      return count == report.counts.read ? nil : "it holds \(count) rows, of which \(report.counts.read) were read"
    }
    let result = try connection.query(
      """
      SELECT count(*) FROM \(table.staging)
      WHERE \(TablePlanner.statusColumn) IS DISTINCT FROM 'PROCESSED'
      """,
      "counting \(table.staging)"
    )
    let count = result.integer(0, 0) ?? 0
    return count == 0 ? nil : "\(count) of its rows are not merged"
  }
}
