import Libpq
import Logging

/// Closes a run: statuses, times and notes in the admin tables, and cleaned staging if that was asked for.
struct RunClosing {
  let session: Session
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

  /// - Parameter control: used if it has survived the run; otherwise a new connection is made.
  /// - Throws: ``MergeFailure/unreachable(_:)`` when the run can't be closed. The next run will close it as ABORTED.
  func close(
    _ states: [WorkQueue.TableState],
    fatalError: (any Error)?,
    isInterrupted: Bool,
    _ control: Connection
  ) throws -> ClosedRun {
    let connection = try survivingConnection(control)
    let counts = try record.committedCounts(connection)
    let tables = zip(plan.tables, states).map { table, state in
      RunReport.TableReport(
        table: table.name,
        counts: counts[table.name] ?? VerdictCounts(),
        elapsedMilliseconds: state.progressNow.elapsedMilliseconds ?? 0
      )
    }
    for table in tables {
      try record.closeTable(table.table, elapsedMilliseconds: table.elapsedMilliseconds, connection)
    }
    let failures = failures(states, fatalError)
    let refusedCount = tables.reduce(0) { $0 + $1.counts.errors }
    let status: RunStatus =
      isInterrupted ? .aborted : !failures.isEmpty ? .failed : refusedCount > 0 ? .partial : .success
    let warnings =
      status == .success && options.cleanup
      ? try StagingCleanup(plan: plan, marksRows: options.mark == .all).truncate(tables, connection) : []
    try record.close(status, notes: notes(status, failures, refusedCount), connection)
    if let fatalError = fatalError as? MergeFailure { throw fatalError }
    return ClosedRun(status: status, tables: tables, failures: failures, warnings: warnings)
  }

  private func survivingConnection(_ control: Connection) throws -> Connection {
    if !control.isBroken, (try? control.execute("SELECT 1", "checking the connection")) != nil { return control }
    return try Reaching.database { () throws(PostgresError) in try session.connectControl() }
  }

  private func failures(_ states: [WorkQueue.TableState], _ fatalError: (any Error)?) -> [String] {
    var failures = zip(plan.tables, states).compactMap { table, state in
      state.failure.map { "\(table.name): \(Self.text($0))" }
        ?? (state.isSkipped ? "\(table.name): not begun, since a table that it refers to has failed" : nil)
    }
    if let fatalError { failures.append(Self.text(fatalError)) }
    return failures
  }

  private func notes(_ status: RunStatus, _ failures: [String], _ refusedCount: Int) -> String {
    switch status {
    case .success: "All staging rows merged."
    case .partial: "\(refusedCount) rows were refused: see merge_errors."
    case .aborted: "Interrupted. The batches before are committed; run it again."
    case .failed, .running: failures.joined(separator: "\n")
    }
  }

  private static func text(_ error: any Error) -> String {
    if case MergeFailure.unreachable(let inner) = error { return "\(inner)" }
    return "\(error)"
  }
}
