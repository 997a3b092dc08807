import Foundation
import Libpq

/// Counts what a rollback would do now, on a read-only session.
///
/// What the server itself would refuse (a CHECK, a unique value, a trigger) shows only when it is tried.
struct DryRollback {
  let options: RollbackOptions
  let connection: Connection

  func run(_ clock: ReportClock) throws -> RollbackReport {
    let plan = try Rollback.resolve(options, connection)
    // One moment for all tables: a parent is judged by its children.
    try connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", "beginning the dry run")
    let tables = try plan.tables.map { try report($0, plan) }
    try connection.execute("COMMIT", "ending the dry run")
    return RollbackReport(
      runID: options.runID,
      isDryRun: true,
      status: tables.contains { $0.leftAlone > 0 } ? .partial : .success,
      startedAt: clock.startedAt,
      elapsedMilliseconds: (ContinuousClock.now - clock.start).milliseconds,
      tables: tables,
      failures: [],
      warnings: try warnings(plan),
      remainder: plan.remainder
    )
  }

  private func warnings(_ plan: RollbackPlan) throws -> [String] {
    try plan.slowChecks(connection)
      + plan.tables.filter(\.hasTriggers).map {
        "\($0.production) has triggers: they may change what is restored, or bring back what is deleted."
      }
  }

  private func report(_ table: RollbackTable, _ plan: RollbackPlan) throws -> RollbackReport.Table {
    let sql = DryRollbackSQL(sql: RollbackSQL(table: table), plan: plan)
    let operation = "counting what would be rolled back in \(table.production)"
    var report = RollbackReport.Table(table: table.name)
    let counts = try connection.query(sql.counts, operation)
    for row in 0..<counts.count {
      let count = counts.integer(row, 1) ?? 0
      switch counts.text(row, 0) ?? "" {
      case "restored": report.restored = count
      case "deleted": report.deleted = count
      case let reason:
        report.reasons[reason] = count
        report.leftAlone += count
      }
    }
    guard report.leftAlone > 0, options.sampleLimit > 0 else { return report }
    let rows = try connection.query(sql.leftRows(limit: options.sampleLimit), operation)
    report.left = (0..<rows.count).map { .init(key: rows.text($0, 0) ?? "", reason: rows.text($0, 1) ?? "") }
    return report
  }
}
