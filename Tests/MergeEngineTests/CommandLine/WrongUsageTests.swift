import TestSupport
import Testing

/// Options that make no sense end with 64 before anything is written.
@Suite struct WrongUsageTests {
  @Test(arguments: [
    (["--batch", "0"], "--batch is 0"), (["--batch", "-5"], "--batch"),
    (["--batch", "many"], "--batch must be a number"),
    (["--batch", "1.5"], "1.5"), (["--batch", "99999999999999999999"], "99999999999999999999"),
    (["--batch=-5"], "--batch is -5"), (["--workers", "0"], "--workers is 0"), (["--workers=-1"], "--workers is -1"),
    (["--workers", "two"], "--workers must be a number"), (["--workers", "65"], "--workers is 65"),
    (["--lock-timeout=-1"], "--lock-timeout is -1"), (["--lock-timeout", "soon"], "--lock-timeout must be a number"),
    (["--lock-timeout", "9999999999"], "--lock-timeout is 9999999999"),
    (["--from", "2025-02-01", "--to", "2025-01-01"], "--from 2025-02-01 is not before --to 2025-01-01"),
    (["--from", "2025-02-01", "--to", "2025-02-01"], "is not before --to"),
    (["--from", "yesteryear"], "yesteryear"), (["--to", "2025-13-01"], "2025-13-01"),
    (["--from", "2025-01-01", "--to", "soon"], "soon"), (["--from", ""], "--from"),
    (["--time-zone", "Nowhere/Land"], "Nowhere/Land"),
    // Or else production would be truncated, or given a status column.
    (["--staging-schema", "production", "--mark", "none", "--cleanup"], "schema are the same: production"),
    (["init", "--staging-schema", "production"], "schema are the same: production"),
  ])
  func `refuses`(arguments: [String], message: String) async throws {
    try await TestDatabase.with { database async throws in
      try database.makeGuideProduction()
      try database.run("CREATE SCHEMA staging; CREATE TABLE staging.orders AS TABLE production.orders")
      let before = try database.contents()
      let outcome = try await database.call(arguments: arguments + ["--json"])
      #expect(outcome.status == 64)
      #expect(outcome.errors.contains(message))
      #expect(try outcome.hasNoResult(json: true))
      #expect(try database.contents() == before)
    }
  }
}
