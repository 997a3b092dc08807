import MergeEngine
import TestSupport
import Testing

/// Columns that the source of a load does not have.
@Suite struct EmptyColumnTests {
  private static func fill(_ production: TestDatabase, _ staging: TestDatabase, staged value: String) throws {
    try production.run(
      """
      CREATE SCHEMA production;
      CREATE TABLE production.t (id text, day date, v text, note text, PRIMARY KEY (id, day), updated_at timestamptz);
      INSERT INTO production.t SELECT 'k' || n, '2025-01-01', 'p', CASE WHEN n > 2 THEN 'kept' END, '2025-01-01' FROM generate_series(1, 5) n;
      """
    )
    try staging.run(
      """
      CREATE SCHEMA staging;
      CREATE TABLE staging.t (id varchar, day timestamp, v text, note text, updated_at timestamptz);
      INSERT INTO staging.t SELECT 'k' || n, '2025-01-01', 's', \(value), '2025-02-01' FROM generate_series(1, 9) n;
      """
    )
  }

  @Test(arguments: [false, true], ["NULL", "CASE WHEN n = 9 THEN 'x' END"])
  func `values that NULL would be written over are counted beforehand`(elsewhere: Bool, value: String) async throws {
    try await TestDatabase.withPair { production, other in
      let source = elsewhere ? ["--staging-database", other.connectionString] : []
      try Self.fill(production, elsewhere ? other : production, staged: value)
      for command in ["plan", "merge"] {
        let outcome = try await production.call(command, "--json", arguments: source)
        let said = try outcome.json()["findings"].elements.filter { $0["kind"].text == "empty_column" }
        #expect(outcome.status == 0 && said.count == (value == "NULL" ? 1 : 0), "\(outcome.transcript)")
        if let said = said.first?["message"].text {
          #expect(said.contains("note of staging.t is NULL in all of the first 9 rows"), "\(said)")
          #expect(said.contains("production.t has a value in 3 rows of the same keys"), "\(said)")
        }
      }
    }
  }

  @Test func `a column that is not merged is nothing to tell`() async throws {
    try await TestDatabase.with { database in
      try Self.fill(database, database, staged: "NULL")
      let plan = try await database.plan { $0.columns.tables["t", default: .init()].ignore = ["note"] }
      #expect(!plan.findings.contains { $0.kind == .emptyColumn })
      let inserted = try await database.plan { $0.columns.insertOnly = ["note"] }
      #expect(!inserted.findings.contains { $0.kind == .emptyColumn })
    }
  }
}
