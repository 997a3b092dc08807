import TestSupport
import Testing

/// `--max-errors`: so many refused rows are borne, and one more ends the run.
@Suite struct ErrorLimitTests {
  /// Two of the 2000 orders are refused, far from each other.
  private func makeTwoBadOrders(_ database: TestDatabase) async throws {
    try await database.makeGuideTables()
    try database.fillGuideTables()
    try database.expectGuideResult()
    try database.run("ALTER TABLE production.orders ADD CONSTRAINT not_that CHECK (amount <> 517.75)")
  }

  private static let oneByOne = ["--batch", "100", "--workers", "1", "--json"]

  @Test func `zero stops at the first refused row, keeps the batches before, and another run goes on`() async throws {
    try await TestDatabase.with { database async throws in
      try await makeTwoBadOrders(database)
      let outcome = try await database.call(arguments: Self.oneByOne + ["--max-errors", "0"])
      #expect(outcome.status == 74)
      #expect(outcome.errors.contains("more rows were refused than --max-errors 0 allows"))
      let json = try outcome.json()
      #expect(json["status"].text == "FAILED")
      #expect(json["totals"]["errors"].integer == 1)
      #expect(try database.runStatuses() == "FAILED")
      #expect(try database.holds("SELECT notes LIKE '%--max-errors 0%' FROM admin.merge_summary"))
      // What was read is marked, the rest is not, and the refused row's batch is among what was merged.
      let processed = try #require(try database.staged("PROCESSED"))
      #expect(try database.staged("ERROR") == 1)
      #expect(try database.staged("NEW") == 2000 - processed - 1)
      #expect(processed > 500 && processed < 1500)
      #expect(json["tables"].table("orders")["read"].integer == processed + 1)
      #expect(
        try database.number(
          """
          SELECT count(*) FROM staging.orders s JOIN expected.orders e USING (order_id)
          LEFT JOIN production.orders p USING (order_id)
          WHERE s._dms_processing_status = 'PROCESSED' AND p IS DISTINCT FROM e
          """
        ) == 0
      )
      let second = try await database.call(arguments: Self.oneByOne)
      #expect(second.status == 65)
      #expect(try second.json()["totals"]["read"].integer == 2000 - processed - 1)
      #expect(try second.json()["totals"]["errors"].integer == 1)
      #expect(try database.staged("PROCESSED") == 1998)
      #expect(try database.runStatuses() == "FAILED PARTIAL")
    }
  }

  @Test(arguments: [(0, 74, "FAILED"), (1, 74, "FAILED"), (2, 65, "PARTIAL"), (3, 65, "PARTIAL")])
  func `as many refused rows as are allowed end the run no differently`(limit: Int, status: Int32, word: String)
    async throws
  {
    try await TestDatabase.with { database async throws in
      try await makeTwoBadOrders(database)
      let outcome = try await database.call(arguments: Self.oneByOne + ["--max-errors", "\(limit)"])
      #expect(outcome.status == status)
      #expect(try outcome.json()["status"].text == word)
      #expect(try database.staged("ERROR") == min(limit + 1, 2))
    }
  }

  @Test func `of a batch that goes over the limit all is merged but the refused row, and those that were not tried`()
    async throws
  {
    try await TestDatabase.with { database async throws in
      try await makeTwoBadOrders(database)
      let outcome = try await database.call("--max-errors", "0", "--workers", "1", "--json")
      #expect(outcome.status == 74)
      #expect(try outcome.json()["totals"]["read"].integer == 2499)
      #expect(try database.staged("ERROR") == 1)
      #expect(try database.staged("NEW") == 1)
      #expect(try database.staged("PROCESSED") == 1998)
      #expect(try database.number("SELECT count(*) FROM admin.merge_errors") == 1)
      // All that is left to do is to mend, to set back and to run again.
      try database.run("ALTER TABLE production.orders DROP CONSTRAINT not_that")
      #expect(try await database.call("errors", "retry").status == 0)
      #expect(try await database.call("--max-errors", "0").status == 0)
      #expect(try database.differencesFromExpected() == 0)
    }
  }

  @Test func `the limit counts the rows of one run, not those of the runs before`() async throws {
    try await TestDatabase.with { database async throws in
      try await makeTwoBadOrders(database)
      #expect(try await database.call("--quiet").status == 65)
      try database.run("INSERT INTO staging.orders (order_id, amount, updated_at) VALUES (5001, 1, '2025-02-01')")
      // They stand refused, but do not end it.
      #expect(try await database.call("--max-errors", "0").status == 65)
      #expect(try database.runStatuses() == "PARTIAL PARTIAL")
    }
  }

  @Test func `tables after the one that went over the limit are not begun`() async throws {
    try await TestDatabase.with { database async throws in
      try await makeTwoBadOrders(database)
      try database.run(
        """
        CREATE TABLE production.lines (id int PRIMARY KEY, order_id int REFERENCES production.orders, updated_at date);
        CREATE TABLE staging.lines (id int, order_id int, updated_at date, _dms_processing_status text DEFAULT 'NEW');
        INSERT INTO staging.lines VALUES (1, 10, '2025-01-01');
        """
      )
      #expect(try await database.call(arguments: Self.oneByOne + ["--max-errors", "0"]).status == 74)
      #expect(try database.staged("NEW", in: "staging.lines") == 1)
      #expect(try database.number("SELECT count(*) FROM production.lines") == 0)
    }
  }

  @Test func `the configuration file has the same key, and a flag wins over it`() async throws {
    try await TestDatabase.with { database async throws in
      try await makeTwoBadOrders(database)
      let files = ["merge-engine.yaml": "max_errors: 0\n"]
      let flagWins = try await database.call(arguments: Self.oneByOne + ["--max-errors", "2"], files: files)
      #expect(flagWins.status == 65)
      #expect(try await database.call("errors", "retry").status == 0)
      let fromFile = try await database.call(arguments: Self.oneByOne, files: files)
      #expect(fromFile.status == 74)
      #expect(fromFile.errors.contains("--max-errors 0"))
      #expect(try database.holds("SELECT bool_or(parameters ->> 'max_errors' = '0') FROM admin.merge_summary"))
    }
  }

  @Test func `a limit below zero is wrong usage, or a wrong file`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      let typed = try await database.call("--max-errors=-1")
      #expect(typed.status == 64)
      #expect(typed.errors.contains("--max-errors is -1; it must be from 0"))
      let written = try await database.call(files: ["merge-engine.yaml": "batch: 10\nmax_errors: -1\n"])
      #expect(written.status == 78)
      #expect(written.errors.contains("merge-engine.yaml:2: max_errors is -1"))
    }
  }
}
