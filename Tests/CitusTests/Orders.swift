import TestSupport

/// Orders in production and staging, and what production is to be after the merge.
enum Orders {
  /// Has the shards of staging lie beside those of production.
  static let colocating =
    "SELECT create_distributed_table('staging.orders', 'order_id', colocate_with => 'production.orders')"

  /// Of `count` staging rows one in five is new, and of the others some are newer, some older and some equal.
  ///
  /// - Parameters:
  ///   - changedOneIn: of so many rows one is newer, and the others are equal; nil for the mixture.
  ///   - distributes: whether production is distributed, by its key.
  ///   - colocates: whether staging is distributed the same way, its shards beside those of production.
  static func prepare(
    _ database: TestDatabase,
    count: Int,
    changedOneIn: Int? = nil,
    distributes: Bool = true,
    colocates: Bool = false
  ) throws {
    let columns = "order_id bigint, status text, amount numeric, updated_at timestamp"
    let version =
      changedOneIn.map { "CASE i % \($0) WHEN 0 THEN timestamp '2026-03-01' ELSE '2026-02-01' END" }
      ?? "CASE i % 5 WHEN 0 THEN timestamp '2026-01-01' WHEN 1 THEN '2026-02-01' ELSE '2026-03-01' END"
    try database.run(
      """
      CREATE SCHEMA production; CREATE SCHEMA staging;
      CREATE TABLE production.orders (\(columns), PRIMARY KEY (order_id));
      CREATE TABLE staging.orders (\(columns));
      """
    )
    if distributes { try database.run("SELECT create_distributed_table('production.orders', 'order_id')") }
    if colocates { try database.run(colocating) }
    try database.run(
      """
      INSERT INTO production.orders SELECT i, 'old', i, '2026-02-01' FROM generate_series(1, \(count * 4 / 5)) AS i;
      INSERT INTO staging.orders
        SELECT i, CASE v WHEN '2026-02-01' THEN 'old' ELSE 'new' END, CASE v WHEN '2026-02-01' THEN i ELSE i + 1 END, v
        FROM generate_series(1, \(count)) AS i CROSS JOIN LATERAL (SELECT \(version)) AS s (v) ORDER BY hashint4(i);
      CREATE TABLE public.expected AS
        SELECT order_id, CASE WHEN s.updated_at > p.updated_at OR p.order_id IS NULL THEN s.status ELSE p.status END AS status,
               CASE WHEN s.updated_at > p.updated_at OR p.order_id IS NULL THEN s.amount ELSE p.amount END AS amount,
               greatest(s.updated_at, p.updated_at) AS updated_at
        FROM staging.orders AS s FULL JOIN production.orders AS p USING (order_id);
      """
    )
  }
}
