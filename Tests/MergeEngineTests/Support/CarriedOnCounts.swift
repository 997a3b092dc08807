import Libpq
import Logging
import TestSupport

@testable import MergeEngine

extension TestDatabase {
  /// Staging of a hundred rows counted twice by a counter that must not count twice: in between the run's record says
  /// that sixty were read and two refused, and staging itself is emptied.
  func carriedOnCounts() async throws -> [StagingCounter.Count] {
    try makePair(production: "id int PRIMARY KEY, updated_at int", staging: "id int, updated_at int")
    try run("INSERT INTO staging.t SELECT n, 1 FROM generate_series(1, 100) n")
    try AdminSchema(schemas: Schemas()).complete(connection)
    let plan = try Preparation(options: MergeOptions(), logger: .silent).plan(
      production: connection,
      staging: connection
    )
    let record = try RunRecord(
      connection,
      Schemas(),
      tables: plan.tables.map { RecordedTable($0) },
      options: MergeOptions(),
      warnings: []
    )
    var counter = StagingCounter(Schemas(), only: nil, intervalSeconds: 60)
    // The next count is not due within the test.
    counter.pauseFactor = 1_000_000
    let before = try counter.count(try RunCounts.latest(connection, Schemas()), connection)
    try run(
      """
      UPDATE admin.merge_logs SET records_read = 60, records_error = 2 WHERE run_id = \(record.id);
      TRUNCATE staging.t;
      """
    )
    return try before + counter.count(try RunCounts.latest(connection, Schemas()), connection)
  }
}
