import MergeEngine
import TestSupport
import Testing

/// `plan` says the very counts that `merge` then reports.
@Suite struct PlanCountTests {
  @Test func `every verdict is counted as the merge counts it`() async throws {
    try await TestDatabase.with { database in
      let columns = "k int PRIMARY KEY, a text, updated_at int"
      try database.makePair(production: columns, staging: "k int, a text, updated_at int")
      try database.run(
        """
        INSERT INTO production.t SELECT n, 'p', 10 FROM generate_series(1, 300) n;
        INSERT INTO staging.t SELECT n, CASE n % 2 WHEN 0 THEN 'p' ELSE 's' END, 8 + n % 5
        FROM generate_series(1, 400) n;
        INSERT INTO staging.t SELECT n, 'again', 8 + n % 7 FROM generate_series(1, 500, 3) n;
        """
      )
      let (plan, _) = try await database.planAndMerge { $0.batchRows = 60 }
      let totals = plan.totals
      #expect(totals.batches > 3)
      for count in [totals.inserted, totals.updated, totals.unchanged, totals.stale] { #expect(count > 0) }
      #expect(plan.tables[0].differingTieCount > 0)
    }
  }

  @Test(arguments: MergeOptions.TieRule.allCases)
  func `a key in several batches counts as it will when its turn comes`(_ ties: MergeOptions.TieRule) async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "k int PRIMARY KEY, a text, updated_at int",
        staging: "k int, a text, updated_at int"
      )
      // Blocks are filled at a tenth, so that every insert below begins a batch of its own when batches are small.
      try database.run(
        """
        INSERT INTO production.t SELECT n, 'a', 1 FROM generate_series(1, 40) n;
        INSERT INTO staging.t SELECT n, 'a', 1 + n % 3 FROM generate_series(1, 100) n;
        INSERT INTO staging.t SELECT n, 'b', 1 + n % 4 FROM generate_series(1, 100) n;
        INSERT INTO staging.t SELECT n, 'b', 1 + n % 4 FROM generate_series(1, 100) n;
        INSERT INTO staging.t SELECT n, 'c', n % 5 FROM generate_series(1, 100) n;
        """
      )
      try await database.planAndMerge {
        $0.batchRows = 30
        $0.ties = ties
      }
    }
  }

  @Test(arguments: 1...12)
  func `random rows with duplicates come out the same`(_ seed: Int) async throws {
    try await TestDatabase.with { database in
      let type = ["int", "text", "numeric", "float8", "bpchar"][seed % 5]
      let value = ["k", "'key' || k", "k + 0.0", "k", "'k' || k || ' '"][seed % 5]
      let nullable = seed % 3 == 0 ? "CASE WHEN v = 0 THEN NULL ELSE v END" : "v"
      try database.makePair(
        production: "k \(type) PRIMARY KEY, a int, updated_at numeric",
        staging: "k \(type), a int, updated_at numeric"
      )
      try database.run("SELECT setseed(\(Double(seed) / 100))")
      try database.run(
        """
        INSERT INTO production.t SELECT \(value), a, \(nullable)
        FROM (SELECT k, (random() * 2)::int a, (random() * 4)::int v FROM generate_series(1, 120, 2) k) x;
        INSERT INTO staging.t SELECT \(value), a, \(nullable)
        FROM (SELECT (random() * 150)::int k, (random() * 2)::int a, (random() * 4)::int v
              FROM generate_series(1, 700)) x;
        """
      )
      try await database.planAndMerge {
        $0.batchRows = [10, 50, 1000][seed % 3]
        $0.ties = seed % 2 == 0 ? .compare : .skip
        $0.nulls = seed % 4 == 0 ? .strict : .productionLoses
      }
    }
  }

  @Test func `a row that can't be read as production's type is an error in both`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "k int PRIMARY KEY, a int, updated_at int",
        staging: "k int, a text, updated_at int"
      )
      try database.run(
        "INSERT INTO staging.t VALUES (1, '1', 1), (2, 'x', 1), (2, 'y', 2), (3, '3', 1), (3, '4', 2), (2, '2', 0)"
      )
      // Every row is a batch: keys that stand in several are counted right beside such rows, and with one of them.
      let (plan, _) = try await database.planAndMerge { $0.batchRows = 1 }
      #expect(plan.totals.errors == 2)
      #expect(plan.totals.inserted == 3)
      #expect(plan.totals.updated == 1)
      #expect(plan.tables[0].samples.first { $0.verdict == .error }?.key == ["k": "2"])
      #expect(!plan.findings.contains { $0.message.contains("several batches") })
    }
  }

  @Test func `only pending rows of the window are counted`() async throws {
    try await TestDatabase.with { database in
      let columns = "k int PRIMARY KEY, updated_at timestamp"
      try database.makePair(production: columns, staging: columns)
      try database.run(
        """
        INSERT INTO staging.t SELECT n, timestamp '2025-01-01' + n * interval '1 hour' FROM generate_series(1, 48) n;
        UPDATE staging.t SET _dms_processing_status = 'PROCESSED' WHERE k % 2 = 0;
        """
      )
      let (plan, _) = try await database.planAndMerge {
        $0.from = "2025-01-01 10:00"
        $0.to = "2025-01-02"
      }
      #expect(plan.totals.read == 7)
      #expect(plan.findings.contains { $0.message.hasPrefix("17 rows of staging.t outside the window") })
    }
  }

  @Test func `rows without a key or without any rows at all are no trouble`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: "k int PRIMARY KEY, updated_at int", staging: "k int, updated_at int")
      #expect(try await database.plan().totals == VerdictCounts())
      try database.run("INSERT INTO staging.t VALUES (NULL, 1), (NULL, 2), (1, 1)")
      let plan = try await database.plan()
      #expect(plan.totals.read == 3)
      #expect(plan.findings.contains { $0.message.hasPrefix("2 rows without k") })
    }
  }
}
