import Libpq

/// The guide's two tables with a window of orders that CDC has seen only in part.
enum DemoData {
  static let stagedOrderCount = 220_000
  static let stagedCustomerCount = 22_000

  /// Production as CDC has left it.
  static let production: SQL = """
    CREATE SCHEMA production;
    CREATE TABLE production.customers (
      customer_id integer PRIMARY KEY,
      name varchar(100) NOT NULL,
      email varchar(100),
      status varchar(20),
      created_at timestamp,
      updated_at timestamp
    );
    CREATE TABLE production.orders (
      order_id integer PRIMARY KEY,
      customer_id integer NOT NULL REFERENCES production.customers,
      amount numeric(10,2) CHECK (amount >= 0),
      order_date timestamp,
      updated_at timestamp
    );
    CREATE INDEX orders_customer_id ON production.orders (customer_id);

    INSERT INTO production.customers
    SELECT n, 'Customer ' || n, 'customer' || n || '@example.com', (ARRAY['active', 'active', 'dormant'])[1 + n % 3],
           timestamp '2020-01-01' + n * interval '1 hour', timestamp '2025-01-10' + n * interval '1 second'
    FROM generate_series(1, 20000) AS n;

    INSERT INTO production.orders
    SELECT n, 1 + (n::bigint * 7919) % 20000, (n * 31 % 100000) / 100.0, timestamp '2025-01-01' + (n % 31) * interval '1 day',
           timestamp '2025-01-10' + n * interval '1 second'
    FROM generate_series(1, 400000) AS n;
    """

  /// What DMS would have loaded for the window: of every 20 rows 8 are newer than production, 5 equal, 2 older
  /// (CDC has been there since) and 5 new.
  static let staging: SQL = """
    INSERT INTO staging.customers (customer_id, name, email, status, created_at, updated_at)
    SELECT n, 'Customer ' || n, 'customer' || n || '@example.org', 'active',
           timestamp '2020-01-01' + n * interval '1 hour',
           timestamp '2025-01-10' + n * interval '1 second'
             + CASE WHEN n % 20 = 0 THEN interval '-1 day' WHEN n % 20 = 1 THEN interval '0' ELSE interval '3 days' END
    FROM generate_series(1, \(stagedCustomerCount)) AS n;

    INSERT INTO staging.orders (order_id, customer_id, amount, order_date, updated_at)
    SELECT key, 1 + (key::bigint * 7919) % 20000, (key * 37 % 100000) / 100.0,
           timestamp '2025-01-01' + (key % 31) * interval '1 day',
           timestamp '2025-01-10' + key * interval '1 second'
             + CASE WHEN n % 20 < 8 THEN interval '3 days' WHEN n % 20 < 13 THEN interval '0'
                    WHEN n % 20 < 15 THEN interval '-1 day' ELSE interval '2 days' END
    FROM (SELECT n, CASE WHEN n % 20 < 15 THEN n ELSE 400000 + n END AS key
          FROM generate_series(1, \(stagedOrderCount)) AS n) AS rows;

    ANALYZE;
    """
}
