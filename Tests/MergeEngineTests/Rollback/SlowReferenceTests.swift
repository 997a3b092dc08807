import Libpq
import TestSupport
import Testing

@testable import MergeEngine

/// A child table without an index on its foreign key is read once, and not once for every parent.
@Suite struct SlowReferenceTests {
  /// Customers and orders as the guide has them: orders.customer_id without an index.
  private static func withInsertedCustomers(_ body: (TestDatabase, _ runID: Int) async throws -> Void) async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        "customers",
        production: "customer_id int PRIMARY KEY, updated_at int",
        staging: "customer_id int, updated_at int"
      )
      try database.makePair(
        "orders",
        production: "order_id int PRIMARY KEY, updated_at int, customer_id int REFERENCES production.customers",
        staging: "order_id int, updated_at int, customer_id int"
      )
      try database.run(
        """
        INSERT INTO production.customers SELECT n, 1 FROM generate_series(1, 1000) n;
        INSERT INTO production.orders SELECT n, 1, 1 + n % 1000 FROM generate_series(1, 20000) n;
        INSERT INTO staging.customers SELECT n, 1 FROM generate_series(1001, 1300) n;
        INSERT INTO staging.orders SELECT n, 1, 1001 + n % 300 FROM generate_series(20001, 20600) n;
        """
      )
      let report = try await database.mergeKeepingImages()
      #expect(report.totals.inserted == 900)
      // What refers to inserted rows and is not of the run keeps them.
      try database.run("INSERT INTO production.orders SELECT n, 9, n - 29000 FROM generate_series(30001, 30010) n")
      try await body(database, report.runID)
    }
  }

  private static func plan(of table: String, _ runID: Int, _ database: TestDatabase) throws -> (RollbackPlan, Int) {
    let record = RollbackRecord(runID: runID, admin: Identifier("admin"))
    let plan = try RollbackPlan(record, only: nil, schemas: Schemas(), on: database.connection)
    return (plan, try #require(plan.tables.firstIndex { $0.name == table }))
  }

  private static func isScan(_ node: JSONValue) -> Bool { node["Relation Name"].text != nil }

  @Test func `a dry run reads every table some few times, however many rows it would delete`() async throws {
    try await Self.withInsertedCustomers { database, runID in
      let (plan, index) = try Self.plan(of: "customers", runID, database)
      let sql = RollbackSQL(table: plan.tables[index])
      let references = DryRollback.references(plan)
      let link = try #require(references.links.first { $0.parent.number == index })
      let child = try #require(link.child)
      // 21,000 orders, 1,300 customers, 900 images. Row by row it would be 300 times the orders.
      for statement in [
        references.held(by: link), references.pairs(of: link, child),
        DryRollbackSQL(sql: sql).counts(sql.leftAlone(refused: [])),
      ] {
        #expect(try database.connection.rowsLookedAt(statement, where: Self.isScan) < 10 * 23_000)
      }
      let report = try await database.rollBack(runID) { $0.isDryRun = true }
      #expect(report.deleted == 890 && report.leftAlone == 10)
    }
  }

  @Test func `a batch of a rollback reads the child table once`() async throws {
    try await Self.withInsertedCustomers { database, runID in
      let (plan, index) = try Self.plan(of: "customers", runID, database)
      let table = plan.tables[index]
      let session = Session(target: database.target, schemas: Schemas(), logger: .silent)
      let connection = try session.connectWorker(role: "test").production
      let sql = RollbackSQL(table: table)
      try connection.execute("\(sql.createUndone); \(sql.createLocked); BEGIN", "preparing")
      #expect(try connection.execute(sql.lockInserted(TupleRange.everything.condition), "locking") == 300)
      try connection.execute(RollbackSQL.allowsHashing(true), "allowing")
      #expect(try connection.rowsLookedAt(sql.leaveReferred(to: table.references[0]), where: Self.isScan) < 2 * 23_000)
      try connection.execute("ROLLBACK", "ending")
      #expect(try await database.rollBack(runID).deleted == 890)
    }
  }

  @Test func `that the server has no index to check by is said beforehand, and with an index nothing`() async throws {
    try await Self.withInsertedCustomers { database, runID in
      let advice = #"CREATE INDEX ON "production"."orders" ("customer_id")"#
      let plan = try await database.call("rollback", "\(runID)", "--plan")
      #expect(plan.everything.contains(advice), "\(plan.transcript)")
      try database.run(advice)
      #expect(!(try await database.call("rollback", "\(runID)", "--plan")).everything.contains("CREATE INDEX"))
      try database.run("DROP INDEX production.orders_customer_id_idx")
      let rollback = try await database.call("rollback", "\(runID)")
      #expect(rollback.errors.contains(advice), "\(rollback.transcript)")
    }
  }
}
