import Foundation
import Libpq

/// Counts what a rollback would do now, on a read-only session.
///
/// What the server itself would refuse (a CHECK, a unique value, a trigger) shows only when it is tried.
struct DryRollback {
  let options: RollbackOptions
  let plan: RollbackPlan
  /// For each table how its staging rows are found; nil where they are not looked for.
  let staging: [TablePlan?]
  let connections: WorkerConnections

  private var connection: Connection { connections.production }

  /// - Parameter warnings: what was found about staging.
  func run(_ clock: ReportClock, warnings: [String]) throws -> RollbackReport {
    // One moment for all tables: a parent is judged by its children.
    try connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", "beginning the dry run")
    let referred = try referredRows()
    let tables = try plan.tables.indices.map { try report(plan.tables[$0], referred[$0]) }
    let notReadAgain = try rowsNotReadAgain(tables)
    try connection.execute("COMMIT", "ending the dry run")
    return RollbackReport(
      runID: options.runID,
      isDryRun: true,
      status: tables.contains { $0.leftAlone > 0 } ? .partial : .success,
      startedAt: clock.startedAt,
      elapsedMilliseconds: (ContinuousClock.now - clock.start).milliseconds,
      tables: tables,
      failures: [],
      warnings: try warnings + notReadAgain + slownessAndTriggers() + [plan.rest].compactMap(\.self),
      remainder: plan.remainder
    )
  }

  private var record: RollbackRecord {
    RollbackRecord(runID: options.runID, admin: Identifier(options.merge.schemas.admin))
  }

  /// Tables whose rows the next merge would not bring back, since staging has none of them, or they go on counting as merged.
  private func rowsNotReadAgain(_ reports: [RollbackReport.Table]) throws(PostgresError) -> [String] {
    var warnings: [String] = []
    for (index, report) in reports.enumerated() where report.restored + report.deleted > 0 {
      let table = plan.tables[index]
      if let staged = staging[index] {
        let release = StagingRelease(staged, admin: record.admin, on: connections)
        if try !release.findsAny(of: table.image) { warnings.append(StagingRelease.warningOfNone(table, staged)) }
      }
      warnings += try StillMerged(record: record, connection: connection).warnings(table, besides: staging[index])
    }
    return warnings
  }

  private func slownessAndTriggers() throws -> [String] {
    try plan.slowChecks(connection) + [record.warningOfRereading(connection)].compactMap(\.self)
      + plan.tables.filter(\.hasTriggers).map {
        "\($0.production) has triggers: they may change restored rows, or bring back deleted ones."
      }
  }

  private typealias Referred = [(reference: Reference, images: [UInt64])]

  /// For each table the rows that would stay because others refer to them, or to rows that refer to them.
  private func referredRows() throws(PostgresError) -> [Referred] {
    let held = try Self.references(plan).graph(isForecast: true, on: connection).held
    return plan.tables.indices.map { index in
      let ofTable = Dictionary(grouping: held.filter { $0.row.table == index }, by: { $0.reference })
      return ofTable.sorted { $0.key < $1.key }
        .map { (plan.tables[index].references[$0.key], $0.value.map { $0.row.image }) }
    }
  }

  /// What refers to the rows that would be deleted if nothing did.
  static func references(_ plan: RollbackPlan) -> RowReferences {
    RowReferences(
      plan.tables.indices.map { index in
        let sql = RollbackSQL(table: plan.tables[index])
        return .init(number: index, sql: sql, rows: DryRollbackSQL(sql: sql).inserted)
      },
      exempting: DryRollbackSQL.pointsElsewhere
    )
  }

  private func report(_ table: RollbackTable, _ referred: Referred) throws -> RollbackReport.Table {
    let sql = RollbackSQL(table: table)
    let leftAlone = sql.leftAlone(referred: referred)
    let operation = "counting what would be rolled back in \(table.production)"
    var report = RollbackReport.Table(table: table.name)
    let counts = try connection.query(DryRollbackSQL(sql: sql).counts(leftAlone), operation)
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
    report.deleted -= referred.reduce(0) { $0 + $1.images.count }
    guard report.leftAlone > 0, options.sampleLimit > 0 else { return report }
    let rows = try connection.query(DryRollbackSQL.leftRows(leftAlone, limit: options.sampleLimit), operation)
    report.left = (0..<rows.count).map { .init(key: rows.text($0, 0) ?? "", reason: rows.text($0, 1) ?? "") }
    return report
  }
}
