import MergeEngine
import TestSupport
import Testing

/// What `plan` prints.
@Suite struct PlanTextTests {
  /// One row of every verdict, and two that are new.
  private func fill(_ database: TestDatabase) throws {
    try database.makePair(
      production: "k int PRIMARY KEY, a text, b int, updated_at int",
      staging: "k int, a text, b text, updated_at int"
    )
    try database.run(
      """
      ALTER TABLE staging.t RESET (fillfactor);
      INSERT INTO production.t VALUES (1, 'old', 1, 1), (2, 'same', 1, 2), (3, 'cdc', 1, 9), (4, 'x', 1, 1);
      INSERT INTO staging.t VALUES
        (1, 'new', '1', 2), (2, 'same', '1', 2), (3, 'late', NULL, 3), (4, 'y', '1', 1), (5, 'n', '5', 1),
        (6, 'older', '6', 1), (6, 'newer', '6', 2), (7, 'bad', 'seven', 1);
      """
    )
  }

  /// Without the lines whose numbers are the machine's: the estimate's, and the time that it took.
  private func stable(_ text: String) -> String {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    if let start = lines.firstIndex(where: { $0.hasPrefix("estimate") }) { lines.removeSubrange(start..<(start + 3)) }
    return lines.map { line in
      line.firstRange(of: " examined in ").map { String(line[..<$0.upperBound]) + "…" } ?? line
    }.joined(separator: "\n")
  }

  @Test func `counts, a sample of every verdict, findings, and that nothing was written`() async throws {
    try await TestDatabase.with { database in
      try fill(database)
      let outcome = try await database.call("plan")
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(
        stable(outcome.output) == """
          table  read  insert  update  unchanged  stale  duplicate  errors  ties differing
          ─────  ────  ──────  ──────  ─────────  ─────  ─────────  ──────  ──────────────
          t         8       2       1          2      1          1       1               1
          ─────  ────  ──────  ──────  ─────────  ─────  ─────────  ──────  ──────────────
          total     8       2       1          2      1          1       1               1
          ties differing: rows as new as production's, with other values; --ties compare updates them.


          t, samples (--samples N)
            insert k 5: updated_at 1, a n, b 5
            update k 1: updated_at 1 → 2, a old → new
            unchanged k 2
            stale k 3: updated_at 9 → 3, a cdc → late, b 1 → NULL
            duplicate k 6
            error k 7: invalid input syntax for type integer: "seven" (SQLSTATE 22P02)
            tie k 4: a x → y

          warning t: staging.t has fillfactor 100, which leaves no room for HOT marks: marking takes about five times as \
          long. Create staging with init (fillfactor 45), or merge with --mark none if it is truncated right after.
          DRY RUN: nothing was written. 8 staging rows examined in …

          """
      )
    }
  }

  @Test(arguments: [(0, 0), (1, 1), (2, 2), (5, 2)])
  func `no more samples of a verdict than were asked for`(_ asked: Int, _ insertCount: Int) async throws {
    try await TestDatabase.with { database in
      try fill(database)
      let text = try await database.call("plan", "--samples", "\(asked)").output
      #expect(text.components(separatedBy: "\n  insert k ").count - 1 == insertCount)
      #expect(text.contains("t, samples") == (asked > 0))
    }
  }
}
