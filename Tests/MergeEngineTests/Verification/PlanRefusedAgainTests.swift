import MergeEngine
import TestSupport
import Testing

/// Rows that earlier runs have refused, and that a merge tries again: `plan` counts them, or says how a merge may count otherwise.
@Suite struct PlanRefusedAgainTests {
  private static let schemas = "CREATE SCHEMA production; CREATE SCHEMA staging;"

  /// The row that waited for its parent is tried when the newer one of its key is written.
  @Test func `plan says that rows refused earlier are tried last`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        \(Self.schemas) CREATE TABLE production.p (k int PRIMARY KEY);
        CREATE TABLE production.t (k int PRIMARY KEY, updated_at int, r int REFERENCES production.p); CREATE TABLE staging.t (LIKE production.t);
        ALTER TABLE staging.t ALTER k DROP NOT NULL; INSERT INTO staging.t VALUES (1, 2, 0);
        """
      )
      #expect(try await database.merge().totals.errors == 1)
      try database.run("INSERT INTO production.p VALUES (0)")
      #expect(!(try await database.plan()).said.contains("refused earlier, and a merge tries"))
      try database.run("INSERT INTO staging.t VALUES (1, 5, NULL)")
      let plan = try await database.plan()
      #expect(plan.said.contains("refused earlier, and a merge tries"), "\(plan.said)")
      #expect(try await database.merge().totals.inserted == plan.totals.inserted)
    }
  }

  @Test func `plan says that children of rows refused earlier come behind the older rows of their keys`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        \(Self.schemas)
        CREATE TABLE production.a (id int PRIMARY KEY, updated_at int);
        CREATE TABLE production.b (id int PRIMARY KEY, a int REFERENCES production.a, updated_at int);
        CREATE TABLE production.c (id int PRIMARY KEY, b int REFERENCES production.b, updated_at int);
        CREATE TABLE staging.a (LIKE production.a); CREATE TABLE staging.b (LIKE production.b); CREATE TABLE staging.c (LIKE production.c);
        INSERT INTO staging.b VALUES (1, 1, 2);
        """
      )
      #expect(try await database.merge().totals.errors == 1)
      try database.run(
        "INSERT INTO staging.a VALUES (1, 2); INSERT INTO staging.c VALUES (5, NULL, 1), (5, 1, 2), (6, 1, 1)"
      )
      let said = try await database.plan().findings.filter { $0.table == "c" }.map(\.message)
      #expect(
        said.contains {
          $0.contains("rows of staging.b that were refused earlier are tried when all others are written")
        },
        "\(said)"
      )
      let merge = try await database.merge()
      #expect(merge.status == .success && merge.totals.updated == 1 && merge.totals.duplicate == 0)
      // Without such a row there is nothing to say.
      try database.run("INSERT INTO staging.c VALUES (7, NULL, 1), (7, 1, 2)")
      let (plan, _) = try await database.planAndMerge()
      #expect(!plan.findings.contains { $0.message.contains("refused earlier") })
    }
  }

  /// Its value was free when nothing was merged yet, and goes to the row that had it before.
  @Test func `a row whose value somebody else gets stands as it did`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int PRIMARY KEY, u int UNIQUE, updated_at int"
      try database.makePair(production: columns, staging: "id int, u int, updated_at int")
      try database.run("INSERT INTO staging.t VALUES (1, 7, 1), (2, 7, 2)")
      let first = try await database.mergeKeepingImages { $0.workers = 1 }
      #expect(first.totals.errors == 1)
      #expect(try await database.rollBack(first.runID).status == .success)
      let (plan, merge) = try await database.planAndMerge()
      #expect(merge.totals.read == 1 && merge.totals.errors == 0)
      #expect(plan.standingErrors == 1 && merge.standingErrors == 1)
      // Where the value is free for good, it is tried.
      try database.run("DELETE FROM staging.t WHERE id = 1; DELETE FROM production.t")
      let (_, last) = try await database.planAndMerge()
      #expect(last.totals.inserted == 1 && last.standingErrors == 0)
    }
  }
}
