import Libpq
import Logging
import MergeEngine
import TestSupport
import Testing

extension TestDatabase {
  /// Makes the table `name` on both sides, staging with a status column and filled at a tenth of each block, so that
  /// a few rows make several batches.
  ///
  /// - Parameters:
  ///   - production: the production table's columns and constraints.
  ///   - staging: the staging table's columns.
  func makePair(_ name: String = "t", production: String, staging: String) throws {
    try run(
      """
      CREATE SCHEMA IF NOT EXISTS production;
      CREATE SCHEMA IF NOT EXISTS staging;
      CREATE TABLE production.\(name) (\(production));
      CREATE TABLE staging.\(name) (\(staging), _dms_processing_status varchar(20) DEFAULT 'NEW')
      WITH (fillfactor = 10);
      """
    )
  }

  /// Merges, and checks what holds of every run: counts that add up and agree with the admin tables.
  @discardableResult
  func merge(
    stop: StopSignal = StopSignal(),
    _ change: (inout MergeOptions) -> Void = { _ in }
  ) async throws -> RunReport {
    try await finish(start(stop: stop, change))
  }

  /// Begins a merge that runs beside the test.
  ///
  /// - Parameter patience: changes how long it waits by itself.
  func start(
    stop: StopSignal = StopSignal(),
    _ change: (inout MergeOptions) -> Void = { _ in },
    patience: (inout MergeRun) -> Void = { _ in }
  ) -> RunningMerge {
    var options = MergeOptions()
    change(&options)
    var run = MergeRun(target: target, options: options, logger: .silent, stop: stop)
    patience(&run)
    let merge = run
    return RunningMerge(
      report: Task { try await onItsOwnThread { try merge.run() } },
      adminSchema: options.schemas.admin
    )
  }

  /// A merge that was begun.
  struct RunningMerge {
    let report: Task<RunReport, any Error>
    let adminSchema: String
  }

  /// Waits for the end of a merge, and checks it as ``merge(stop:_:)`` does.
  func finish(_ merge: RunningMerge) async throws -> RunReport {
    let report = try await merge.report.value
    try expectCountsToAddUp(report, admin: merge.adminSchema)
    return report
  }

  private func expectCountsToAddUp(_ report: RunReport, admin: String) throws {
    for table in report.tables {
      let counts = table.counts
      #expect(
        counts.read == counts.inserted + counts.updated + counts.unchanged + counts.stale + counts.duplicate
          + counts.errors,
        "\(table.table): \(counts)"
      )
      #expect(counts.lostRaces <= counts.stale)
    }
    let schema = Identifier(admin).quoted
    #expect(
      try rows("SELECT status, merge_end > merge_start FROM \(schema).merge_summary WHERE id = \(report.runID)")
        == ["(\(report.status.rawValue),t)"]
    )
    #expect(
      try count("SELECT sum(records_read) FROM \(schema).merge_logs WHERE run_id = \(report.runID)")
        == report.totals.read
    )
    #expect(
      // Rows that were tried again within the run are counted by what became of them.
      try count("SELECT count(*) FROM \(schema).merge_errors WHERE run_id = \(report.runID) AND retried_at IS NULL")
        == report.totals.errors
    )
  }
}

extension Logger {
  /// Says nothing.
  static var silent: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }
}
