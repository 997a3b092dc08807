import MergeEngine
import TestSupport
import Testing

/// The guide's two tables with 200,000 staged orders, as DMS would have loaded a window of them.
@Suite struct GuideTests {
  private static let production = """
    CREATE SCHEMA production; CREATE SCHEMA staging;
    CREATE TABLE production.customers (
      customer_id integer PRIMARY KEY, name varchar(100), email varchar(100), status varchar(20), created_at timestamp,
      updated_at timestamp);
    CREATE TABLE production.orders (
      order_id integer PRIMARY KEY, customer_id integer REFERENCES production.customers, amount numeric(10,2),
      order_date timestamp, updated_at timestamp);
    INSERT INTO production.customers
    SELECT n, 'Customer ' || n, 'c' || n || '@example.com', 'active', '2020-01-01', '2025-01-10'
    FROM generate_series(1, 10000) n;
    INSERT INTO production.orders
    SELECT n, 1 + n % 10000, n % 1000, '2025-01-01', timestamp '2025-01-01' + n * interval '10 seconds'
    FROM generate_series(1, 200000) n;
    """

  /// As the guide makes them: a primary key, full blocks, an index on the version.
  private static let staging = """
    CREATE TABLE staging.customers (
      customer_id integer PRIMARY KEY, name varchar(100), email varchar(100), status varchar(20), created_at timestamp,
      updated_at timestamp, _dms_processing_status varchar(20) DEFAULT 'NEW');
    CREATE TABLE staging.orders (
      order_id integer PRIMARY KEY, customer_id integer, amount numeric(10,2), order_date timestamp,
      updated_at timestamp, _dms_processing_status varchar(20) DEFAULT 'NEW');
    CREATE INDEX idx_orders_updated_at ON staging.orders (updated_at);
    INSERT INTO staging.customers
    SELECT customer_id, name, email, 'dormant', created_at, updated_at + interval '1 day' FROM production.customers;
    INSERT INTO staging.orders
    SELECT k, 1 + k % 10000, k % 1000 + CASE WHEN k % 10 < 4 THEN 0.5 ELSE 0 END, '2025-01-01',
           timestamp '2025-01-01' + k * interval '10 seconds'
             + CASE WHEN k % 10 < 4 THEN interval '1 hour' WHEN k % 10 = 4 THEN interval '-1 hour' ELSE interval '0' END
    FROM generate_series(50001, 250000) k;
    ANALYZE;
    """

  @Test func `plan says what merge reports, and verify finds three wrong rows by key and nothing else`() async throws {
    try await TestDatabase.with { database in
      try database.run(Self.production)
      try database.run(Self.staging)
      let (plan, _) = try await database.planAndMerge()
      #expect(plan.totals.read == 210_000)
      #expect(plan.totals.inserted == 50_000)
      #expect(plan.totals.updated == 70_000)
      #expect(plan.totals.stale == 15_000)

      func verify() async throws -> VerifyReport {
        try await database.verify {
          $0.merge.workers = 2
          // Behind the first staged order and before the last.
          $0.merge.from = "2025-01-07"
          $0.merge.to = "2025-01-29"
        }
      }
      let isRight = try await verify()
      #expect(isRight.status == .success)
      try database.run(
        """
        UPDATE production.orders SET amount = amount + 1 WHERE order_id = 100001;
        DELETE FROM production.orders WHERE order_id = 100002;
        DELETE FROM staging.orders WHERE order_id = 100003;
        UPDATE production.orders SET amount = 0, updated_at = '2025-03-01' WHERE order_id = 100004;
        """
      )
      let isWrong = try await verify()
      #expect(isWrong.status == .different)
      #expect(
        isWrong.tables.flatMap { table in table.samples.map { "\(table.table) \($0.kind) \($0.key)" } }.sorted() == [
          #"orders differing ["order_id": Optional("100001")]"#, #"orders extra ["order_id": Optional("100003")]"#,
          #"orders missing ["order_id": Optional("100002")]"#,
        ]
      )
      #expect(isWrong.tables.map(\.counts.differenceCount).reduce(0, +) == 2)
    }
  }
}
