import TestSupport
import Testing

/// Rows for the tests that disturb a run.
extension TestDatabase {
  static let rowColumns = "id int, updated_at int, v text"

  /// Makes a database with ``fill(_:)`` done.
  static func withRows(
    _ rowCount: Int,
    in lane: Lane = .working,
    _ body: (TestDatabase) async throws -> Void
  ) async throws {
    try await with(in: lane) { database in
      try database.fill(rowCount)
      try await body(database)
    }
  }

  /// Staging of version 5; production has every other row, of version 1.
  func fill(_ rowCount: Int) throws {
    try makePair(production: Self.rowColumns + ", PRIMARY KEY (id)", staging: Self.rowColumns)
    try run(
      """
      INSERT INTO staging.t SELECT n, 5, 's' FROM generate_series(1, \(rowCount)) n;
      INSERT INTO production.t SELECT n, 1, 'p' FROM generate_series(1, \(rowCount)) n WHERE n % 2 = 1;
      """
    )
  }

  /// Expects production to hold all rows of staging, and all of them to be marked.
  func expectEverythingMerged() throws {
    #expect(try difference("SELECT id, updated_at, v FROM staging.t", "TABLE production.t") == [])
    #expect(try count("SELECT count(*) FROM staging.t WHERE _dms_processing_status <> 'PROCESSED'") == 0)
  }
}
