import Libpq

/// How many rows a run leaves unmerged that did not come to its end, and so has not asked.
struct PendingRows {
  let plan: MergePlan
  let options: MergeOptions
  let runID: Int

  /// Somebody waits for the program to end: what takes longer, of all tables together, is estimated. Arbitrary.
  private static let patience = Duration.seconds(5)

  /// - Parameter tables: what the run has read.
  func count(_ tables: [RunReport.TableReport], production: Connection, staging: () throws -> Connection) -> Int {
    let deadline = ContinuousClock.now + Self.patience
    return zip(plan.tables, tables).reduce(0) { sum, pair in
      let (table, report) = pair
      let counted =
        try? table.reading.snapshot == nil
        ? unread(of: table, production, staging(), until: deadline) : unreplayed(of: table, production)
      return sum + (counted ?? max((table.estimatedRowCount ?? 0) - report.counts.read, 0))
    }
  }

  private var admin: Identifier { Identifier(options.schemas.admin) }

  /// - Returns: nil when the time is up.
  private func unread(
    of table: TablePlan,
    _ production: Connection,
    _ staging: Connection,
    until deadline: ContinuousClock.Instant
  ) throws -> Int? {
    let left = (deadline - .now).milliseconds
    guard left > 0 else { return nil }
    let operation = "counting what is left of \(table.staging)"
    try staging.execute("SET statement_timeout = \(left)", operation)
    defer { if !staging.isBroken { _ = try? staging.execute("RESET statement_timeout", operation) } }
    return try Completion(admin: admin, production: production, staging: staging)
      .unreadCount(of: table, onlyRun: options.again ? runID : nil, runID: nil)
  }

  private func unreplayed(of table: TablePlan, _ production: Connection) throws -> Int? {
    guard let progress = SnapshotProgress(table, admin: admin) else { return nil }
    let done = try progress.done(production).reduce(0) { $0 + $1.count }
    return progress.snapshot.file.table.rowCount - done
  }
}
