import MergeEngine
import TestSupport
import Testing

/// Unique values that rows give up or take are foreseen: `plan` counts as `merge` then counts.
@Suite struct UniqueForesightTests {
  @Test func `a unique key with NULLS NOT DISTINCT takes one NULL`() async throws {
    try await TestDatabase.with { database async throws in
      // Before PostgreSQL 15 every NULL is another.
      let isKnown = try database.holds("current_setting('server_version_num')::int >= 150000")
      try database.makePair(
        production: "id int PRIMARY KEY, updated_at int, v int, w int",
        staging: "id int, updated_at int, v int, w int"
      )
      try database.run(
        """
        CREATE UNIQUE INDEX ON production.t (v) \(isKnown ? "NULLS NOT DISTINCT" : "");
        CREATE UNIQUE INDEX ON production.t (w) \(isKnown ? "NULLS NOT DISTINCT" : "");
        INSERT INTO production.t VALUES (1, 9, NULL, 1);
        INSERT INTO staging.t VALUES (2, 2, NULL, 2), (3, 2, 3, NULL), (4, 2, 4, NULL), (5, 2, 5, 5);
        """
      )
      let (_, merge) = try await database.planAndMerge()
      #expect(merge.totals.errors == (isKnown ? 2 : 0))
    }
  }

  @Test func `a NULL of such a key is handed over, too`() async throws {
    try await TestDatabase.with { database async throws in
      guard try database.holds("current_setting('server_version_num')::int >= 150000") else { return }
      let columns = "id int PRIMARY KEY, updated_at int, v int"
      try database.makePair(production: "\(columns), UNIQUE NULLS NOT DISTINCT (v)", staging: columns)
      try database.run(
        """
        INSERT INTO production.t VALUES (1, 1, NULL), (2, 1, 7), (3, 1, 8);
        INSERT INTO staging.t VALUES (2, 2, NULL), (1, 2, 5), (3, 2, 7)
        """
      )
      let (_, merge) = try await database.planAndMerge()
      #expect((merge.totals.updated, merge.totals.errors) == (3, 0))
    }
  }

  @Test func `a row that leaves the rows of a partial key leaves its value to another`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int, u int, act boolean, updated_at int"
      try database.makePair(production: "\(columns), PRIMARY KEY (id)", staging: columns)
      try database.run(
        """
        CREATE UNIQUE INDEX one ON production.t (u) WHERE act;
        INSERT INTO production.t VALUES (1, 5, true, 1), (2, 6, true, 1);
        INSERT INTO staging.t VALUES (1, 5, false, 2), (3, 5, true, 2), (2, 6, true, 2), (4, 6, true, 2);
        """
      )
      let plan = try await database.call("plan", "--json")
      let report = try await database.merge()
      for (key, count) in [("inserted", 1), ("updated", 2), ("errors", 1)] {
        #expect(try plan.json()["totals"][key].integer == count, "\(plan.transcript)")
      }
      #expect(report.totals.inserted == 1 && report.totals.updated == 2 && report.totals.errors == 1)
    }
  }

  /// By the key's own equality, which need not be one of the server's types.
  @Test(arguments: ["1", "100"], [("int", "5", "5"), ("public.citext", "five", "FIVE")])
  func `a value that comes free goes to one row, whatever the batches`(
    batch: String,
    value: (type: String, one: String, same: String)
  ) async throws {
    try await TestDatabase.with { database in
      if value.type == "public.citext" { try database.run("CREATE EXTENSION citext SCHEMA public") }
      try database.makePair(
        production: "id int PRIMARY KEY, u \(value.type) UNIQUE, updated_at int",
        staging: "id int, u \(value.type), updated_at int"
      )
      try database.run(
        """
        INSERT INTO production.t VALUES (1, '\(value.one)', 1);
        INSERT INTO staging.t VALUES (1, '6', 2), (2, '\(value.one)', 2), (3, '\(value.same)', 2), (4, '7', 2);
        """
      )
      let options = ["--batch", batch, "--workers", "1", "--json"]
      let plan = try await database.call("plan", arguments: options)
      let merge = try await database.call("merge", arguments: options)
      for outcome in [plan, merge] {
        let totals = try outcome.json()["totals"]
        #expect(totals["inserted"].integer == 2 && totals["updated"].integer == 1, "\(outcome.transcript)")
        #expect(totals["errors"].integer == 1, "\(outcome.transcript)")
      }
    }
  }

  /// Whether a row gives its unique value up is a matter of the rule that it is merged by.
  @Test(arguments: [
    ("(1, 5, NULL)", "(1, 0, 5), (0, 5, 3)", MergeOptions.NullRule.strict, MergeOptions.TieRule.skip),
    ("(1, 5, NULL)", "(1, 0, 5), (0, 5, 3)", .productionLoses, .skip),
    ("(0, 3, 3), (3, 8, 1)", "(3, 3, 2), (0, 6, 3)", .productionLoses, .compare),
    ("(0, 3, 3)", "(3, 3, 2), (0, 6, 3)", .productionLoses, .compare),
    ("(0, 3, 3)", "(3, 3, 2), (0, 6, 3)", .productionLoses, .skip),
  ])
  func `values come free by the rules for NULL and for ties`(
    production: String,
    staging: String,
    nulls: MergeOptions.NullRule,
    ties: MergeOptions.TieRule
  ) async throws {
    try await TestDatabase.with { database in
      let columns = "id int PRIMARY KEY, u int UNIQUE, updated_at int"
      try database.makePair(production: columns, staging: "id int, u int, updated_at int")
      try database.run("INSERT INTO production.t VALUES \(production); INSERT INTO staging.t VALUES \(staging)")
      let foreseen = try await database.plan { ($0.nulls, $0.ties) = (nulls, ties) }.totals
      let merged = try await database.merge { ($0.nulls, $0.ties) = (nulls, ties) }.totals
      #expect(foreseen.errors == merged.errors && foreseen.inserted == merged.inserted, "\(foreseen) \(merged)")
      #expect(foreseen.updated == merged.updated && foreseen.unchanged == merged.unchanged, "\(foreseen) \(merged)")
    }
  }
}
