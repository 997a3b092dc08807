import Libpq

/// Truncates staging tables, if that loses nothing.
struct StagingCleanup {
  let plan: MergePlan
  let rule: Rule

  /// When a table may be emptied.
  enum Rule {
    /// Every row was merged by the run that has just ended; without marks, as many as it read.
    ///
    /// The rows that it read, by table.
    case read([String: Int])
    /// Every row is marked as PROCESSED, but for those that a load brought beyond its window.
    case merged(except: LoadedSpan?)
    /// In any case.
    case always
  }

  /// Empties what may be emptied, table by table.
  func truncate(_ connection: Connection) throws(PostgresError) -> [StagingArea.Emptied] {
    var emptied: [StagingArea.Emptied] = []
    for table in plan.tables { emptied.append(try truncate(table, connection)) }
    return emptied
  }

  private func truncate(_ table: TablePlan, _ connection: Connection) throws(PostgresError) -> StagingArea.Emptied {
    do {
      try connection.execute(
        "BEGIN; LOCK TABLE \(table.staging) IN ACCESS EXCLUSIVE MODE",
        "locking \(table.staging) to truncate it"
      )
      let count = try count("true", of: table, connection)
      let reason = try unmergedReason(table, count, on: connection)
      try connection.execute(
        reason == nil ? "TRUNCATE TABLE \(table.staging); COMMIT" : "ROLLBACK",
        "truncating \(table.staging)"
      )
      return .init(table: table.name, truncated: reason == nil ? count : nil, reason: reason)
    } catch {
      guard error.origin == .server else { throw error }
      try connection.execute("ROLLBACK", "giving up truncating \(table.staging)")
      return .init(table: table.name, truncated: nil, reason: error.message)
    }
  }

  /// Looks under the lock, when nobody can add a row any more.
  private func unmergedReason(_ table: TablePlan, _ rows: Int, on connection: Connection) throws(PostgresError)
    -> String?
  {
    let unmerged: SQL = "\(TablePlanner.statusColumn) IS DISTINCT FROM 'PROCESSED'"
    switch rule {
    case .always:
      return nil
    case .read(let counts) where !table.marksRows:
      // Without marks the only proof that every row was read is that there are as many as were read.
      let read = counts[table.name] ?? 0
      return rows == read ? nil : "it holds \(rows) rows, of which \(read) were read"
    case .merged where !table.hasStatusColumn:
      return rows == 0
        ? nil : "it has no column \(TablePlanner.statusColumn), so nothing shows which of its \(rows) rows are merged"
    case .read, .merged(except: nil):
      return Self.reason(try count(unmerged, of: table, connection))
    case .merged(let span?):
      return Self.reason(try count("\(unmerged) AND NOT \(isBeyondWindow(table, span))", of: table, connection))
    }
  }

  private static func reason(_ count: Int) -> String? { count == 0 ? nil : "\(count) of its rows are not merged" }

  /// Loaded, though the merge was not asked for it: NEW only because nobody wants it. What the server has refused counts.
  private func isBeyondWindow(_ table: TablePlan, _ span: LoadedSpan) -> SQL {
    let version = table.version.name
    let type = table.version.baseType.fullName
    func time(_ text: String) -> SQL { "\(Literal(text))::\(type)" }
    return """
      (coalesce(\(TablePlanner.statusColumn), 'NEW') = 'NEW'
       AND \(version) BETWEEN \(time(span.lowest)) AND \(time(span.highest))
       AND (\(version) < \(time(span.from)) OR \(version) >= \(time(span.to)))) IS TRUE
      """
  }

  private func count(_ condition: SQL, of table: TablePlan, _ connection: Connection) throws(PostgresError) -> Int {
    let result = try connection.query(
      "SELECT count(*) FROM \(table.staging) WHERE \(condition)",
      "counting \(table.staging)"
    )
    return result.integer(0, 0) ?? 0
  }
}
