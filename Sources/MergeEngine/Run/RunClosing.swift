import Libpq
import Logging

/// Closes a run: statuses, times and notes in the admin tables, and cleaned staging if that was asked for.
struct RunClosing {
  let record: RunRecord
  let plan: MergePlan
  let options: MergeOptions
  let logger: Logger

  /// What the admin tables say at the end.
  struct ClosedRun {
    let status: RunStatus
    let tables: [RunReport.TableReport]
    let failures: [String]
    let warnings: [String]
  }

  /// - Parameters:
  ///   - connection: to production's database; it works.
  ///   - staging: to staging's, if that is another one.
  /// - Throws: ``PostgresError`` when the run can't be closed. The next run will close it as ABORTED.
  func close(
    _ outcome: RunOutcome,
    isInterrupted: Bool,
    _ connection: Connection,
    staging: () throws -> Connection
  ) throws -> ClosedRun {
    let counts = try record.committedCounts(connection)
    let tables = zip(plan.tables, outcome.tables).map { table, outcome in
      RunReport.TableReport(
        table: table.name,
        counts: counts[table.name] ?? VerdictCounts(),
        elapsedMilliseconds: outcome.elapsedMilliseconds
      )
    }
    for table in tables {
      try record.closeTable(table.table, elapsedMilliseconds: table.elapsedMilliseconds, connection)
    }
    let failures = failures(outcome)
    let refusedCount = tables.reduce(0) { $0 + $1.counts.errors }
    let status: RunStatus =
      isInterrupted ? .aborted : !failures.isEmpty ? .failed : refusedCount > 0 ? .partial : .success
    let isDone = status == .success || status == .partial
    var warnings = isDone ? RowsWithoutStatus(plan: plan).warnings(staging) : []
    if options.cleanup { warnings += try cleanUp(status, tables, staging: staging) }
    for warning in warnings { logger.warning("\(warning)") }
    try connection.execute("BEGIN", "closing the run")
    if isDone {
      try ReplayProgress(plan, options.schemas).finish(connection)
    }
    try record.close(
      status,
      notes: notes(status, failures, refusedCount: refusedCount),
      warnings: warnings.map { .warning(nil, $0) },
      connection
    )
    try connection.execute("COMMIT", "closing the run")
    if let fatalError = outcome.fatalError as? MergeFailure { throw fatalError }
    return ClosedRun(status: status, tables: tables, failures: failures, warnings: warnings)
  }

  /// - Returns: which tables were not truncated, and why not.
  private func cleanUp(
    _ status: RunStatus,
    _ tables: [RunReport.TableReport],
    staging: () throws -> Connection
  ) throws -> [String] {
    guard status == .success else {
      return plan.tables.map { "the staging table \($0.name) was not truncated: the run is \(status.rawValue)" }
    }
    let counts = Dictionary(uniqueKeysWithValues: tables.map { ($0.table, $0.counts.read) })
    return try StagingCleanup(plan: plan, rule: .read(counts)).truncate(try staging()).compactMap(\.warning)
  }

  private func failures(_ outcome: RunOutcome) -> [String] {
    var failures = zip(plan.tables, outcome.tables).compactMap { table, outcome in
      outcome.failure.map { "\(table.name): \(Self.text($0))" }
        ?? (outcome.isSkipped ? "\(table.name): not begun, since a table that it refers to has failed" : nil)
    }
    if outcome.isOverRefusalLimit {
      failures.append("more rows were refused than --max-errors \(options.maxErrors ?? 0) allows: see merge_errors")
    }
    if let fatalError = outcome.fatalError { failures.append(Self.text(fatalError)) }
    return failures
  }

  private func notes(_ status: RunStatus, _ failures: [String], refusedCount: Int) -> String {
    switch status {
    case .success: "All staging rows merged."
    case .partial: "\(refusedCount) rows were refused: see merge_errors."
    case .aborted: "Interrupted. The batches before are committed; run it again."
    case .failed, .running, .loading: failures.joined(separator: "\n")
    }
  }

  private static func text(_ error: any Error) -> String {
    if case MergeFailure.unreachable(let inner) = error { return "\(inner)" }
    return "\(error)"
  }
}
