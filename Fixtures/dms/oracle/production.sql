-- The guide's two tables as CDC has left them: a part of January 2025 is missing, a part is newer than the source was.
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

-- Every customer is there, half of them older than in January.
INSERT INTO production.customers
SELECT n, 'Before ' || n, NULL, 'active', timestamp '2020-01-01', CASE WHEN n % 2 = 0 THEN timestamp '2024-12-01' ELSE timestamp '2025-03-01' END
FROM generate_series(1, 120) AS n;

-- Two of three orders are there, every tenth written by CDC since.
INSERT INTO production.orders
SELECT n, 1 + n * 7 % 120, 1, timestamp '2025-01-01', CASE WHEN n % 10 = 0 THEN timestamp '2025-03-01' ELSE timestamp '2024-12-01' END
FROM generate_series(1, 600) AS n
WHERE n % 3 <> 0;
