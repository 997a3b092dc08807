import MergeEngine
import TestSupport
import Testing

/// Databases as several suites begin with them.
extension TestDatabase {
  /// Production and staging `t`, with rows 1 to `count` in staging.
  static func withStagedRows(
    _ count: Int,
    status: Bool = false,
    _ body: (TestDatabase) async throws -> Void
  ) async throws {
    let columns = "id int PRIMARY KEY, v text, updated_at timestamp"
    try await with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (\(columns));
        CREATE TABLE staging.t (\(columns)\(status ? ", _dms_processing_status varchar(20) DEFAULT 'NEW'" : ""));
        INSERT INTO staging.t (id, v, updated_at)
        SELECT n, 'first', timestamp '2025-01-01' FROM generate_series(1, \(count)) AS n;
        """
      )
      try await body(database)
    }
  }

  /// Ten rows of `t` that were merged, and of which production has refused the first two for their `v`.
  static func withRefusedRows(
    status: Bool = false,
    _ body: (TestDatabase) async throws -> Void
  ) async throws {
    try await with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (id int PRIMARY KEY, v int CHECK (v > 0), updated_at timestamp);
        CREATE TABLE staging.t (id int, v int, updated_at timestamp\(status ? ", _dms_processing_status varchar(20) DEFAULT 'NEW'" : ""));
        INSERT INTO staging.t SELECT n, n - 2, '2025-01-01' FROM generate_series(1, 10) AS n;
        """
      )
      let report = try await database.merge()
      #expect(report.status == .partial)
      #expect(report.totals.errors == 2)
      try await body(database)
    }
  }

  /// The pair `t`: ten rows in production, which staging updates, and ten more in staging.
  func fillPair() throws {
    let columns = "id int, updated_at int, v text"
    try makePair(production: columns + ", PRIMARY KEY (id)", staging: columns)
    try run(
      """
      INSERT INTO production.t SELECT n, 1, 'p' FROM generate_series(1, 10) n;
      INSERT INTO staging.t SELECT n, 2, 's' FROM generate_series(1, 20) n;
      """
    )
  }

  /// Merges in batches of ten rows, so that what is handed on goes from batch to batch.
  func mergeInTens() async throws -> RunReport {
    try await merge {
      $0.batchRows = 10
      $0.workers = 1
    }
  }
}
