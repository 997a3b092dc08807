import TestSupport
import Testing

/// `errors list` and `errors retry`: what was refused, and the way back.
@Suite struct ErrorsCommandTests {
  /// Refuses orders 517 and 1517 by a CHECK (23514), and customer 17 by a unique email (23505).
  private func makeThreeRefusedRows(_ database: TestDatabase) async throws {
    try await database.makeGuideTables()
    try database.fillGuideTables()
    try database.expectGuideResult()
    try database.run(
      """
      ALTER TABLE production.orders ADD CONSTRAINT not_that CHECK (amount <> 517.75);
      INSERT INTO production.customers (customer_id, email) VALUES (9999, '17@new.example');
      ALTER TABLE production.customers ADD CONSTRAINT one_email UNIQUE (email);
      """
    )
    let outcome = try await database.call("--quiet")
    guard outcome.status == 65 else { throw TestDatabase.NotPrepared(outcome: outcome) }
  }

  private func mendOrders(_ database: TestDatabase) throws {
    try database.run("ALTER TABLE production.orders DROP CONSTRAINT not_that")
  }

  private func mendCustomers(_ database: TestDatabase) throws {
    try database.run("DELETE FROM production.customers WHERE customer_id = 9999")
  }

  // MARK: list

  @Test func `list shows run, table, key, reason and time of every refused row`() async throws {
    try await TestDatabase.with { database async throws in
      try await makeThreeRefusedRows(database)
      let outcome = try await database.call("errors", "list", "--json")
      #expect(outcome.status == 0)
      #expect(outcome.errors == "")
      let errors = try outcome.json()["errors"].elements
      #expect(errors.count == 3)
      let byKey = Dictionary(grouping: errors) { $0["row_key"].text ?? "" }.compactMapValues(\.first)
      #expect(Set(byKey.keys) == [#"{"order_id": 517}"#, #"{"order_id": 1517}"#, #"{"customer_id": 17}"#])
      let order = try #require(byKey[#"{"order_id": 517}"#])
      #expect(order["table_name"].text == "orders")
      #expect(order["sqlstate"].text == "23514")
      #expect(order["message"].text?.contains("not_that") == true)
      #expect(order["run_id"].integer == 1)
      #expect(order["failed_at"].text?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil)
      #expect(byKey[#"{"customer_id": 17}"#]?["sqlstate"].text == "23505")
      let text = try await database.call("errors", "list")
      #expect(text.status == 0)
      for word in ["orders", "order_id 517", "23514", "not_that", "customers", "23505", "one_email"] {
        #expect(text.output.contains(word), "\(word)")
      }
      #expect(!text.output.contains("There may be more"))
    }
  }

  @Test(arguments: [
    (["--table", "orders"], 2), (["--table", "customers"], 1), (["--table", "orders", "--table", "customers"], 3),
    (["--sqlstate", "23514"], 2), (["--sqlstate", "23505"], 1), (["--sqlstate", "23503"], 0),
    (["--table", "customers", "--sqlstate", "23514"], 0), (["--limit", "1"], 1), (["--limit", "50"], 3),
  ])
  func `list takes tables, a code and a limit`(arguments: [String], count: Int) async throws {
    try await TestDatabase.with { database async throws in
      try await makeThreeRefusedRows(database)
      let outcome = try await database.call("errors", "list", "--json", arguments: arguments)
      #expect(outcome.status == 0)
      #expect(try outcome.json()["errors"].elements.count == count)
      let text = try await database.call("errors", "list", arguments: arguments)
      #expect(text.output.contains("No refused rows.") == (count == 0))
      #expect(text.output.contains("There may be more: raise --limit.") == arguments.contains("1"))
    }
  }

  @Test func `where nothing was refused it says so`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      #expect(try await database.call("errors", "list").output == "No refused rows.\n")
      #expect(try await database.call("errors", "list", "--sqlstate", "999").status == 64)
      #expect(try await database.call("errors", "list", "--json").json()["errors"] == .array([]))
      #expect(try await database.call("errors", "retry").output == "No refused rows.\n")
      #expect(try await database.call("errors", "retry", "--json").json()["released"] == .object([:]))
      #expect(try await database.call("errors", "list", "--limit", "0").status == 64)
    }
  }

  // MARK: retry

  @Test func `after the cause is mended the next merge takes exactly the rows that were set back`() async throws {
    try await TestDatabase.with { database async throws in
      try await makeThreeRefusedRows(database)
      try mendOrders(database)
      try mendCustomers(database)
      let retry = try await database.call("errors", "retry", "--json")
      #expect(retry.status == 0)
      #expect(try retry.json()["released"] == .object(["orders": .number(2), "customers": .number(1)]))
      #expect(try database.staged("NEW") == 2)
      #expect(try database.staged("NEW", in: "staging.customers") == 1)
      let merge = try await database.call("--json")
      #expect(merge.status == 0)
      #expect(try merge.json()["totals"]["read"].integer == 3)
      #expect(try database.differencesFromExpected() == 0)
      #expect(try database.staged("PROCESSED") == 2000)
      // They are history: neither listed nor set back once more.
      #expect(try await database.call("errors", "list", "--json").json()["errors"] == .array([]))
      #expect(try await database.call("errors", "retry").output == "No refused rows.\n")
      #expect(try database.number("SELECT count(*) FROM admin.merge_errors WHERE retried_at IS NOT NULL") == 3)
    }
  }

  @Test(arguments: [["--table", "orders"], ["--sqlstate", "23514"], ["--table", "orders", "--sqlstate", "23514"]])
  func `retry by table or code leaves the others refused`(arguments: [String]) async throws {
    try await TestDatabase.with { database async throws in
      try await makeThreeRefusedRows(database)
      try mendOrders(database)
      let retry = try await database.call("errors", "retry", arguments: arguments)
      #expect(retry.status == 0)
      #expect(retry.output.contains("orders: the next merge tries 2 rows again"))
      #expect(try database.staged("ERROR", in: "staging.customers") == 1)
      let left = try await database.call("errors", "list", "--json").json()["errors"].elements
      #expect(left.map { $0["table_name"].text } == ["customers"])
      #expect(!retry.output.contains("customers"))
      // The other one stands.
      let merge = try await database.call("--json")
      #expect(merge.status == 65)
      #expect(try merge.json()["totals"]["standing_errors"].integer == 1)
      #expect(try merge.json()["totals"]["read"].integer == 2)
      #expect(try database.staged("PROCESSED") == 2000)
    }
  }

  @Test func `a row whose cause is still there is refused again and listed once, under the new run`() async throws {
    try await TestDatabase.with { database async throws in
      try await makeThreeRefusedRows(database)
      #expect(try await database.call("errors", "retry", "--table", "customers").status == 0)
      #expect(try await database.call("--quiet").status == 65)
      let listed = try await database.call("errors", "list", "--table", "customers", "--json").json()["errors"].elements
      #expect(listed.count == 1)
      #expect(listed.first?["run_id"].integer == 2)
      #expect(try database.staged("ERROR", in: "staging.customers") == 1)
    }
  }

  @Test func `retry waits for no merge that is under way: it ends with 75 and changes nothing`() async throws {
    try await TestDatabase.with { database async throws in
      try await makeThreeRefusedRows(database)
      try database.run(
        "UPDATE staging.orders SET _dms_processing_status = 'NEW', updated_at = now() WHERE order_id = 8"
      )
      let other = try database.connect()
      try other.run("BEGIN; SELECT FROM production.orders WHERE order_id = 8 FOR UPDATE")
      let merge = try database.launch(["--quiet"])
      try await database.wait(for: TestDatabase.somebodyWaitsForALock)
      let retry = try await database.call("errors", "retry")
      #expect(retry.status == 75)
      #expect(retry.errors.contains("holds the table"))
      try other.run("ROLLBACK")
      #expect(try await merge.outcome().status == 65)
      #expect(try database.number("SELECT count(*) FROM admin.merge_errors WHERE retried_at IS NULL") == 3)
    }
  }

  @Test(arguments: ["list", "retry"])
  func `without an admin schema both end with 73 and make none`(command: String) async throws {
    try await TestDatabase.with { database async throws in
      try database.makeGuideProduction()
      let outcome = try await database.call("errors", command)
      #expect(outcome.status == 73)
      #expect(outcome.errors.contains("the admin schema admin is missing or incomplete"))
      #expect(outcome.output == "")
      #expect(try database.holds("to_regnamespace('admin') IS NULL"))
    }
  }
}
