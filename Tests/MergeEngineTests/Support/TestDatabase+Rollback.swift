import MergeEngine
import TestSupport
import Testing

extension TestDatabase {
  /// Merges with before-images, after keeping a copy of every production table in the schema `before`.
  func mergeKeepingImages(_ change: (inout MergeOptions) -> Void = { _ in }) async throws -> RunReport {
    try keepCopies()
    return try await merge {
      $0.beforeImages = true
      change(&$0)
    }
  }

  /// Copies every production table into the schema `before`, for ``differenceFromBefore()``.
  func keepCopies() throws {
    try run("DROP SCHEMA IF EXISTS before CASCADE; CREATE SCHEMA before")
    for table in try productionTables() { try run("CREATE TABLE before.\(table) AS TABLE production.\(table)") }
  }

  /// Rows that production did not have when the copies were made, and those it had and has no more.
  func differenceFromBefore() throws -> [String] {
    try productionTables().flatMap { try difference("TABLE production.\($0)", "TABLE before.\($0)") }
  }

  private func productionTables() throws -> [String] {
    try rows(
      """
      SELECT c.relname FROM pg_class c
      WHERE c.relnamespace = 'production'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      """
    ).map { String($0.dropFirst().dropLast()) }
  }

  /// Rolls a run back.
  @discardableResult
  func rollBack(
    _ runID: Int,
    stop: StopSignal = StopSignal(),
    _ change: (inout RollbackOptions) -> Void = { _ in }
  ) async throws -> RollbackReport {
    try await startRollback(runID, stop: stop, change).value
  }

  /// Begins a rollback that runs beside the test.
  func startRollback(
    _ runID: Int,
    stop: StopSignal = StopSignal(),
    _ change: (inout RollbackOptions) -> Void = { _ in }
  ) -> Task<RollbackReport, any Error> {
    var options = RollbackOptions(runID: runID)
    change(&options)
    let rollback = Rollback(target: target, stagingTarget: nil, options: options, logger: .silent, stop: stop)
    return Task { try await onItsOwnThread { try rollback.run() } }
  }

  /// How many staging rows carry a mark.
  func marked(_ mark: String, in table: String = "staging.t") throws -> Int {
    try count("SELECT count(*) FROM \(table) WHERE _dms_processing_status = '\(mark)'")
  }

  /// A run's status and how many tables with its images are left.
  func runState(_ id: Int) throws -> String? {
    try value(
      """
      SELECT status || ', ' || (SELECT count(*) FROM admin.before_images
                                WHERE run_id = \(id) AND to_regclass(format('admin.%I', image_table)) IS NOT NULL)
      FROM admin.merge_summary WHERE id = \(id)
      """
    )
  }
}
