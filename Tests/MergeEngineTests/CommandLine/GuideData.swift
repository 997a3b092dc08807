import TestSupport

extension DatabaseTemplate {
  /// The guide's tables, with staging made by `init`.
  static let guide = DatabaseTemplate("guide") { try await $0.makeGuideTables() }

  /// The same with rows on both sides.
  static let filledGuide = DatabaseTemplate("filled_guide") { database in
    try await database.makeGuideTables()
    try database.fillGuideTables()
  }

  /// The same with the result that a merge must have.
  static let expectedGuide = DatabaseTemplate("expected_guide") { database in
    try await database.makeGuideTables()
    try database.fillGuideTables()
    try database.expectGuideResult()
  }
}

/// Rows for the guide's two tables, and what a merge has to make of them.
extension TestDatabase {
  /// The guide's production tables alone, empty.
  func makeGuideProduction() throws {
    try run(GuideSQL.production)
  }

  /// The guide's production tables, and staging made by `init`.
  func makeGuideTables() async throws {
    try makeGuideProduction()
    let outcome = try await call("init", "--status-column", "--quiet")
    guard outcome.status == 0 else { throw NotPrepared(outcome: outcome) }
  }

  struct NotPrepared: Error {
    let outcome: CommandLineProgram.Outcome
  }

  /// Fills both tables on both sides: in ten staging rows one is new and unversioned, two are new, three newer, one is
  /// older, one equal, one unversioned, and one meets an unversioned production row.
  func fillGuideTables(orderCount: Int = 2000, customerCount: Int = 500) throws {
    try run(
      """
      INSERT INTO production.customers
      SELECT n, 'name ' || n, n || '@old.example', 'old', timestamp '2024-01-01', \(productionVersion)
      FROM generate_series(1, \(customerCount)) AS n WHERE n % 10 > 2;
      INSERT INTO staging.customers (customer_id, name, email, status, created_at, updated_at)
      SELECT n, 'Name ' || n, n || '@new.example', 'new', timestamp '2025-01-01', \(stagingVersion)
      FROM generate_series(1, \(customerCount)) AS n;
      INSERT INTO production.orders
      SELECT n, n % \(customerCount) + 1, n % 1000 + 0.25, timestamp '2024-01-01', \(productionVersion)
      FROM generate_series(1, \(orderCount)) AS n WHERE n % 10 > 2;
      INSERT INTO staging.orders (order_id, customer_id, amount, order_date, updated_at)
      SELECT n, n % \(customerCount) + 1, n % 1000 + 0.75, timestamp '2025-01-01', \(stagingVersion)
      FROM generate_series(1, \(orderCount)) AS n;
      """
    )
  }

  private var productionVersion: String {
    "CASE WHEN n % 10 <> 3 THEN timestamp '2025-01-10' + n * interval '1 second' END"
  }

  private var stagingVersion: String {
    """
    CASE n % 10 WHEN 0 THEN NULL WHEN 4 THEN NULL
      WHEN 5 THEN timestamp '2025-01-05' WHEN 6 THEN timestamp '2025-01-10' + n * interval '1 second'
      ELSE timestamp '2025-01-20' + n * interval '1 second' END
    """
  }

  /// Computes the merge's result in plain SQL, as the guide means it, before the merge changes anything.
  ///
  /// - Parameter nullsLose: a production row without a version loses, as the contract has it; the guide's `>` is strict.
  func expectGuideResult(nullsLose: Bool = true) throws {
    let orNull = nullsLose ? "OR p.updated_at IS NULL AND s.updated_at IS NOT NULL" : ""
    try run(
      """
      CREATE SCHEMA expected;
      CREATE TABLE expected.customers AS TABLE production.customers;
      UPDATE expected.customers p
      SET name = s.name, email = s.email, status = s.status, updated_at = s.updated_at
      FROM staging.customers s WHERE p.customer_id = s.customer_id AND (s.updated_at > p.updated_at \(orNull));
      INSERT INTO expected.customers
      SELECT customer_id, name, email, status, created_at, updated_at FROM staging.customers s
      WHERE NOT EXISTS (SELECT FROM expected.customers p WHERE p.customer_id = s.customer_id);
      CREATE TABLE expected.orders AS TABLE production.orders;
      UPDATE expected.orders p
      SET customer_id = s.customer_id, amount = s.amount, order_date = s.order_date, updated_at = s.updated_at
      FROM staging.orders s WHERE p.order_id = s.order_id AND (s.updated_at > p.updated_at \(orNull));
      INSERT INTO expected.orders
      SELECT order_id, customer_id, amount, order_date, updated_at FROM staging.orders s
      WHERE NOT EXISTS (SELECT FROM expected.orders p WHERE p.order_id = s.order_id);
      """
    )
  }

  /// How many rows production and the plain-SQL result do not have in common.
  func differencesFromExpected() throws -> Int? {
    try number(
      """
      SELECT (SELECT count(*) FROM (
                (TABLE production.customers EXCEPT ALL TABLE expected.customers)
                UNION ALL (TABLE expected.customers EXCEPT ALL TABLE production.customers)) AS d)
           + (SELECT count(*) FROM (
                (TABLE production.orders EXCEPT ALL TABLE expected.orders)
                UNION ALL (TABLE expected.orders EXCEPT ALL TABLE production.orders)) AS d)
      """
    )
  }

  /// How many staging rows of a table carry this mark.
  func staged(_ status: String, in table: String = "staging.orders") throws -> Int? {
    try number("SELECT count(*) FROM \(table) WHERE _dms_processing_status = '\(status)'")
  }

  /// The rows of a production table with the transactions that wrote them.
  func versions(of table: String) throws -> [String] {
    try sortedRows("SELECT t.xmin, t.ctid, t.* FROM \(table) AS t")
  }

  /// The statuses of all runs, oldest first.
  func runStatuses() throws -> String? {
    try value("SELECT string_agg(status, ' ' ORDER BY id) FROM admin.merge_summary")
  }
}
