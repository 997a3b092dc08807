import Foundation
import TestSupport
import Testing

/// `merge-engine rollback RUN`, as it is typed.
@Suite struct RollbackCommandTests {
  /// The guide's tables, merged as run 1 with before-images.
  private func withMergedRun(
    _ arguments: String...,
    body: (TestDatabase) async throws -> Void
  ) async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      try database.keepProduction()
      let outcome = try await database.call(arguments: ["--before-images"] + arguments)
      #expect(outcome.status == 0, "\(outcome.everything)")
      try await body(database)
    }
  }

  @Test func `a rollback of one table says that the run has written others`() async throws {
    try await TestDatabase.with { database in
      for table in ["t", "u"] {
        let columns = "id int PRIMARY KEY, updated_at int"
        try database.makePair(table, production: columns, staging: columns)
        try database.run("INSERT INTO staging.\(table) VALUES (1, 1)")
      }
      #expect(try await database.call("merge", "--before-images").status == 0)
      for isPlan in [true, false] {
        let one = try await database.call(arguments: ["rollback", "1", "--table", "t"] + (isPlan ? ["--plan"] : []))
        #expect(one.status == 0, "\(one.transcript)")
        #expect(one.errors.contains("run 1 has also written into production.u"), "\(one.transcript)")
        #expect(one.output.contains("nothing of run 1 is left in t.") == !isPlan, "\(one.transcript)")
      }
      let rest = try await database.call("rollback", "1")
      #expect(rest.status == 0 && rest.output.contains("nothing of run 1 is left."), "\(rest.transcript)")
      #expect(try database.count("SELECT count(*) FROM production.u") == 0)
    }
  }

  @Test func `takes a run back with 0, says so in JSON and in status, and a second time is refused`() async throws {
    try await withMergedRun { database in
      let outcome = try await database.call("rollback", "1", "--json")
      #expect(outcome.status == 0)
      #expect(outcome.errors == "")
      let json = try outcome.json()
      #expect(json["run_id"].integer == 1 && json["status"].text == "SUCCESS" && json["dry_run"] == .bool(false))
      #expect(json["totals"]["restored"].integer == 1000)
      #expect(json["totals"]["deleted"].integer == 750)
      #expect(json["totals"]["left_alone"].integer == 0)
      let orders = json["tables"].table("orders")
      #expect(
        orders["restored"].integer == 800 && orders["deleted"].integer == 600 && orders["released"].integer == 1400
      )
      #expect(try database.changesOfProduction() == [])
      #expect(try database.staged("NEW") == 1400)

      let status = try await database.call("status", "--json").json()
      #expect(status["last_run"]["status"].text == "ROLLED BACK")
      #expect(status["last_run"]["notes"].text?.contains("1000 rows restored, 750 deleted, 0 left alone") == true)
      #expect(try await database.call("status").output.contains("ROLLED BACK"))

      let before = try database.contents()
      let second = try await database.call("rollback", "1")
      #expect(second.status == 73)
      #expect(second.errors.contains("run 1 has already been rolled back"))
      #expect(try database.contents() == before)
      // The merge can be made again.
      #expect(try await database.call("--before-images").status == 0)
      #expect(try await database.call("rollback", "2").status == 0)
      #expect(try database.changesOfProduction() == [])
    }
  }

  @Test func `rows left alone end with 65, and stand below the counts with key and reason`() async throws {
    try await withMergedRun { database in
      try database.run("UPDATE production.orders SET amount = 0 WHERE order_id IN (8, 11)")
      let outcome = try await database.call("rollback", "1", "--samples", "1")
      #expect(outcome.status == 65)
      #expect(outcome.output.contains("orders, left alone: 2 changed since"))
      #expect(outcome.output.contains("order_id 8: changed since") && outcome.output.contains("… (--samples)"))
      #expect(outcome.output.contains("ROLLED BACK IN PART"))
      #expect(try database.runStatuses() == "ROLLED BACK IN PART")
      #expect(try database.changesOfProduction() == ["(orders,11)", "(orders,8)"])
    }
  }

  @Test func `--plan shows what the rollback then does, and writes nothing`() async throws {
    try await withMergedRun { database in
      try database.run("UPDATE production.orders SET amount = 0 WHERE order_id IN (8, 11)")
      let before = try database.contents()
      let plan = try await database.call("rollback", "1", "--plan", "--json")
      #expect(plan.status == 65)
      #expect(try database.contents() == before)
      let text = try await database.call("rollback", "1", "--plan")
      #expect(
        text.output.contains(
          "DRY RUN: nothing was written. 999 rows of run 1 would be restored, 749 deleted, 2 left alone."
        )
      )
      #expect(text.output.contains("order_id 11: changed since"))
      let rollback = try await database.call("rollback", "1", "--json")
      #expect(try plan.json()["dry_run"] == .bool(true))
      #expect(try plan.json()["totals"] == rollback.json()["totals"])
      for table in ["customers", "orders"] {
        #expect(try plan.json()["tables"].table(table)["left"] == rollback.json()["tables"].table(table)["left"])
      }
    }
  }

  @Test(arguments: [["--plan"], []])
  func `what can't be taken back is refused with a reason, and nothing is written`(plan: [String]) async throws {
    try await withMergedRun { database in
      #expect(try await database.call("--mark", "none").status == 0)
      try database.run(
        """
        INSERT INTO admin.merge_summary (merge_start, status) VALUES (now(), 'LOADING');
        INSERT INTO staging.orders (order_id, amount, updated_at) VALUES (70000, 1, now());
        """
      )
      let before = try database.contents()
      for (run, status, message) in [
        ("99", 64, "there is no run 99"), ("x", 64, "run"), ("2", 73, "run 2 has no before-images"),
        ("3", 73, "run 3 is still loading"),
      ] {
        let outcome = try await database.call(arguments: ["rollback", run] + plan)
        #expect(outcome.status == Int32(status), "\(outcome.everything)")
        #expect(outcome.errors.contains(message))
        #expect(outcome.output == "")
      }
      #expect(try await database.call(arguments: ["rollback", "1", "--table", "nobody"] + plan).status == 73)
      #expect(try await database.call(arguments: ["rollback", "1", "--batch", "0"] + plan).status == 64)
      #expect(try database.contents() == before)

      let other = try database.connect()
      try other.run("BEGIN; LOCK TABLE production.orders IN SHARE MODE")
      let merge = try database.launch(["--before-images", "--lock-timeout", "0"])
      // Before the run is there somebody may already have waited for the lock, for a moment.
      try await database.wait(
        for: "EXISTS (SELECT FROM admin.merge_summary WHERE id = 4) AND \(TestDatabase.somebodyWaitsForALock)"
      )
      let live = try await database.call(arguments: ["rollback", "4"] + plan)
      #expect(live.status == 73)
      #expect(live.errors.contains("run 4 is still in progress."))
      if plan.isEmpty {
        let busy = try await database.call("rollback", "1")
        #expect(busy.status == 75)
        #expect(busy.errors.contains("holds the table"))
      }
      try other.run("ROLLBACK")
      #expect(try await merge.outcome().status == 0)
    }
  }

  struct Change: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let statement: String
    let messages: [String]
    var isTableGone = false
  }

  static let changes = [
    Change(
      testDescription: "table dropped",
      statement: "DROP TABLE production.orders",
      messages: ["production.orders has been dropped or recreated"],
      isTableGone: true
    ),
    Change(
      testDescription: "table made anew",
      statement:
        "ALTER TABLE production.orders RENAME TO old; CREATE TABLE production.orders (LIKE production.old INCLUDING ALL); DROP TABLE production.old",
      messages: ["production.orders has been dropped or recreated"]
    ),
    Change(
      testDescription: "column dropped",
      statement: "ALTER TABLE production.orders DROP COLUMN amount",
      messages: ["columns of production.orders have been dropped", "amount"]
    ),
    Change(
      testDescription: "column of another type",
      statement: "ALTER TABLE production.orders ALTER amount TYPE numeric(14,2)",
      messages: ["given another type", "amount"]
    ),
    Change(
      testDescription: "another primary key",
      statement: "ALTER TABLE production.orders DROP CONSTRAINT orders_pkey, ADD PRIMARY KEY (order_id, amount)",
      messages: [
        "no primary key or unique index of production.orders is the one", "order_id",
      ]
    ),
    Change(
      testDescription: "images dropped by hand",
      statement: "DROP TABLE admin.before_1_orders",
      messages: ["before-images", "have been dropped"]
    ),
  ]

  @Test(arguments: changes)
  func `a table that is not what it was is refused with 73, the others can be taken back by name`(_ change: Change)
    async throws
  {
    try await withMergedRun { database in
      try database.run(change.statement)
      let before = try database.contents()
      for arguments in [["rollback", "1"], ["rollback", "1", "--plan"]] {
        let outcome = try await database.call(arguments: arguments)
        #expect(outcome.status == 73, "\(outcome.everything)")
        for message in change.messages { #expect(outcome.errors.contains(message)) }
        #expect(outcome.errors.contains("Nothing was written."))
      }
      #expect(try database.contents() == before)
      let other = try await database.call("rollback", "1", "--table", "customers", "--json")
      #expect(other.status == 0, "\(other.everything)")
      #expect(try other.json()["totals"]["restored"].integer == 200)
      #expect(try database.runStatuses() == "ROLLED BACK IN PART")
      let again = try await database.call("rollback", "1", "--table", "customers")
      #expect(again.status == 73 && again.errors.contains("when all of it was rolled back"), "\(again.everything)")
    }
  }

  @Test func `without staging, or with it emptied, production comes back and it is told`() async throws {
    try await withMergedRun { database in
      try database.run("DROP TABLE staging.orders CASCADE; TRUNCATE staging.customers")
      // Rows that were loaded since are none of the run's.
      try database.run(
        "INSERT INTO staging.customers (customer_id, updated_at) SELECT customer_id, updated_at FROM production.customers"
      )
      for arguments in [["--plan"], []] {
        let outcome = try await database.call("rollback", "1", arguments: arguments)
        #expect(outcome.status == 0, "\(outcome.everything)")
        #expect(
          outcome.errors.contains(
            "no staging rows of orders will be read again: the table staging.orders no longer exists"
          )
        )
        #expect(
          outcome.errors.contains(
            "no staging rows of customers will be read again: staging.customers no longer holds any of them"
          )
        )
      }
      #expect(try database.changesOfProduction() == [])
    }
  }

  /// Of the key's collations the server chooses none by itself.
  @Test(arguments: [false, true], ["int", "text COLLATE \"POSIX\"", "timestamp", "numeric"])
  func `a plan says that no staging row is read again only where none is`(isGone: Bool, key: String) async throws {
    try await TestDatabase.with { database async throws in
      let value = key == "timestamp" ? "timestamp '2025-01-01' + n * interval '1 day'" : "n"
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (k \(key) PRIMARY KEY, v text, updated_at int);
        CREATE TABLE staging.t (k \(key.replacing("POSIX", with: "C")), v text, updated_at int);
        INSERT INTO staging.t SELECT \(value), 'run 1', 1 FROM generate_series(1, 10) n;
        """
      )
      #expect(try await database.call("--before-images").status == 0)
      // Of another run.
      try database.run("INSERT INTO staging.t SELECT \(value), 'run 2', 1 FROM generate_series(11, 20) n")
      #expect(try await database.call("--before-images").status == 0)
      if isGone { try database.run("DELETE FROM staging.t WHERE v = 'run 1'") }
      for arguments in [["--plan"], []] {
        let outcome = try await database.call("rollback", "1", arguments: arguments)
        #expect(outcome.status == 0, "\(outcome.transcript)")
        #expect(outcome.errors.contains("no staging rows of t will be read again") == isGone, "\(outcome.transcript)")
      }
    }
  }

  @Test func `where nothing was ever merged, the rollback itself says so as its plan does`() async throws {
    try await TestDatabase.with { database async throws in
      try database.makeGuideProduction()
      let before = try database.contents()
      for arguments in [["rollback", "1"], ["rollback", "1", "--plan"]] {
        let outcome = try await database.call(arguments: arguments)
        #expect(outcome.status == 73, "\(outcome.everything)")
        #expect(outcome.errors.contains("the admin schema admin is missing or incomplete: nothing has been merged"))
      }
      #expect(try database.contents() == before)
    }
  }

  @Test(arguments: [["--plan"], []])
  func `Ctrl-C ends a rollback that waits before it takes anything back`(_ arguments: [String]) async throws {
    try await withMergedRun { database in
      let other = try database.connect()
      try other.run("BEGIN; LOCK TABLE admin.before_1_orders IN ACCESS EXCLUSIVE MODE")
      let rollback = try database.launch(["rollback", "1", "--lock-timeout", "0"] + arguments)
      try await database.wait(for: TestDatabase.somebodyWaitsForALock)
      rollback.send(SIGINT)
      #expect(try await rollback.outcome().status == 130)
      try other.run("ROLLBACK")
      // Nothing was begun, so nothing has to be gone on with.
      #expect(try database.runStatuses() == "SUCCESS")
      #expect(try await database.call("rollback", "1").status == 0)
      #expect(try database.changesOfProduction() == [])
    }
  }

  @Test func `columns added since keep what is in them`() async throws {
    try await withMergedRun { database in
      try database.run("ALTER TABLE production.orders ADD COLUMN note text DEFAULT 'new'")
      #expect(try await database.call("rollback", "1").status == 0)
      #expect(try database.holds("(SELECT count(*) FROM production.orders WHERE note = 'new') = 1400"))
      try database.run("ALTER TABLE production.orders DROP COLUMN note")
      #expect(try database.changesOfProduction() == [])
    }
  }
}

extension TestDatabase {
  /// Copies the guide's production tables into the schema `before`.
  func keepProduction() throws {
    try run(
      """
      CREATE SCHEMA before;
      CREATE TABLE before.customers AS TABLE production.customers;
      CREATE TABLE before.orders AS TABLE production.orders;
      """
    )
  }

  /// The keys whose rows are not what they were when they were copied.
  func changesOfProduction() throws -> [String] {
    try sortedRows(
      """
      SELECT DISTINCT 'customers' AS name, coalesce(p.customer_id, b.customer_id) AS id
      FROM production.customers p FULL JOIN before.customers b USING (customer_id) WHERE p IS DISTINCT FROM b
      UNION ALL
      SELECT DISTINCT 'orders', coalesce(p.order_id, b.order_id)
      FROM production.orders p FULL JOIN before.orders b USING (order_id) WHERE p IS DISTINCT FROM b
      """
    )
  }
}
