import Foundation
import Libpq

/// Closes a rollback: what is left alone, the run's status and notes, and the image tables that are used up.
struct RollbackClosing {
  let options: RollbackOptions
  let plan: RollbackPlan
  /// For each table how its staging rows were found; nil where they were not looked for.
  let staging: [TablePlan?]
  let record: RollbackRecord
  let connection: Connection

  func close(
    _ passes: RollbackPasses,
    warnings: [String],
    stop: StopSignal,
    clock: ReportClock
  ) throws -> RollbackReport {
    var warnings = warnings
    let failures = plan.tables.indices.compactMap { index in
      passes.failures[index].map {
        "\(plan.tables[index].name): \($0). What had been rolled back by then is committed; run the rollback again."
      }
    }
    let tables = try plan.tables.indices.map { try describe($0, passes, stop: stop, warnings: &warnings) }
    let leftAlone = tables.reduce(0) { $0 + $1.leftAlone }
    let status: RunStatus =
      passes.wasInterrupted
      ? .aborted
      : !failures.isEmpty
        ? .failed : leftAlone > 0 || tables.contains { $0.alteredByTriggers > 0 } ? .partial : .success
    let report = RollbackReport(
      runID: options.runID,
      isDryRun: false,
      status: status,
      startedAt: clock.startedAt,
      elapsedMilliseconds: (ContinuousClock.now - clock.start).milliseconds,
      tables: tables,
      failures: failures,
      warnings: warnings + [plan.rest].compactMap(\.self),
      remainder: plan.remainder,
      isOfPart: !plan.unasked.isEmpty
    )
    try closeRun(report)
    return report
  }

  /// What is known of a rollback that could not be closed: counts, and neither what was left alone nor why.
  static func unrecorded(
    _ passes: RollbackPasses,
    _ plan: RollbackPlan,
    _ options: RollbackOptions,
    _ error: any Error,
    _ clock: ReportClock
  ) -> RollbackReport {
    RollbackReport(
      runID: options.runID,
      isDryRun: false,
      status: .failed,
      startedAt: clock.startedAt,
      elapsedMilliseconds: (ContinuousClock.now - clock.start).milliseconds,
      tables: zip(plan.tables, passes.counts).map { table, counts in
        var report = RollbackReport.Table(table: table.name)
        report.restored = counts.restored
        report.deleted = counts.deleted
        report.released = counts.released.count
        report.alteredByTriggers = counts.altered
        return report
      },
      failures: ["\(error). What had been rolled back by then is committed; run the rollback again."],
      warnings: [],
      remainder: plan.remainder,
      isOfPart: !plan.unasked.isEmpty
    )
  }

  private func describe(
    _ index: Int,
    _ passes: RollbackPasses,
    stop: StopSignal,
    warnings: inout [String]
  ) throws -> RollbackReport.Table {
    let table = plan.tables[index]
    let counts = passes.counts[index]
    var report = RollbackReport.Table(table: table.name)
    report.restored = counts.restored
    report.deleted = counts.deleted
    report.released = counts.released.count
    report.alteredByTriggers = counts.altered
    if let staging = staging[index], counts.released.isEmpty, !counts.isEmpty {
      warnings.append(StagingRelease.warningOfNone(table, staging))
    }
    if !counts.isEmpty {
      warnings += try StillMerged(record: record, connection: connection).warnings(table, besides: staging[index])
    }
    if counts.altered > 0 {
      warnings.append(
        "triggers of \(table.production) changed \(counts.altered.rows) behind the rollback, after the old values were put back or "
          + "the row was deleted, so these are not what they were. Disable such triggers for a rollback: ALTER TABLE … DISABLE "
          + "TRIGGER …"
      )
    }
    // Looking at what is left takes long where that is much; who has asked to stop knows that there is more.
    guard stop.signal == nil else { return report }
    let sql = RollbackSQL(table: table)
    do {
      try stop.covering(connection) {
        try LeftAlone(sql: sql, connection: connection, refusals: passes.refusals[index])
          .describe(into: &report, limit: options.sampleLimit)
      }
    } catch {
      guard stop.signal != nil else { throw error }
    }
    return report
  }

  private func closeRun(_ report: RollbackReport) throws {
    let list = BeforeImageCatalog(schemas: options.merge.schemas)
    let left = report.status == .aborted ? "" : ", \(report.leftAlone) left alone"
    let counts = ["\(report.restored.rows) restored, \(report.deleted) deleted\(left).", report.remainder]
      .compactMap(\.self).joined(separator: " ")
    try connection.execute("BEGIN", "closing the rollback")
    if report.status != .aborted && report.failures.isEmpty {
      // Their rows are used up. What is left alone stays, to look at and to try again.
      for (table, entry) in zip(report.tables, plan.tables.map(\.entry)) where table.leftAlone == 0 {
        try list.drop(entry, connection)
      }
    }
    let isComplete = try list.entries(ofRun: options.runID, connection).allSatisfy { $0.droppedAt != nil }
    let ending = report.status == .aborted ? "interrupted after " : !report.failures.isEmpty ? "failed after " : ""
    try record.close(isComplete ? .complete : .partial, note: "Rolled back: \(ending)\(counts)", connection)
    try connection.execute("COMMIT", "closing the rollback")
  }
}
