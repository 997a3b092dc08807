import Foundation
import TestSupport
import Testing

/// Through the coordinator every shard is asked for its own rows and written its own rows, and for no others.
@Suite struct CitusRoutingTests {
  /// Sent to all of the 8 shards, each key would be looked up eight times.
  @Test func everyKeyIsLookedUpInOneShardAndNoShardIsReadWhole() async throws {
    try await CitusCluster.withDatabase { cluster, database in
      try Orders.prepare(database, count: 20_000)
      let nodes = try await forgetScans(cluster, database)
      let outcome = try await database.call("merge", "--json", arguments: ["--batch", "2500", "--workers", "2"])
      #expect(outcome.status == 0, "\(outcome.errors)")
      let scans = try await scans(of: "orders", nodes)
      let updated = try outcome.json()["totals"]["updated"].integer ?? 0
      #expect(updated == 9600)
      // Some of the last batches are too small for a statement a shard.
      #expect((20_000 + updated...2 * (20_000 + updated)).contains(scans.ofIndexes), "\(scans)")
      #expect(scans.ofTables == 0)
      #expect(try database.difference("TABLE production.orders", "TABLE public.expected") == [])
    }
  }

  /// Distributed by the second column of a key that has equal values in several forms, and none of integers.
  @Test func keysOfSeveralColumnsAreLookedUpInOneShard() async throws {
    try await CitusCluster.withDatabase { cluster, database in
      let columns = "number numeric, region varchar(20), status text, updated_at timestamp"
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.visits (\(columns), PRIMARY KEY (number, region));
        CREATE TABLE staging.visits (\(columns));
        SELECT create_distributed_table('production.visits', 'region');
        INSERT INTO production.visits SELECT i, 'region ' || i % 97, 'old', '2026-02-01' FROM generate_series(1, 6000) AS i;
        INSERT INTO staging.visits
          SELECT i, 'region ' || i % 97, 'new', timestamp '2026-02-01' + (i % 3 - 1) * interval '1 day'
          FROM generate_series(3001, 9000) AS i;
        -- The same keys once more, written otherwise, and newer or older.
        INSERT INTO staging.visits
          SELECT i + 0.00, 'region ' || i % 97, 'newest', timestamp '2026-02-01' + (i % 2 * 8 - 4) * interval '1 day'
          FROM generate_series(5001, 7000) AS i;
        INSERT INTO staging.visits VALUES (NULL, 'region 1', 'no key', '2026-03-01'), (1, NULL, 'no key', '2026-03-01');
        CREATE TABLE public.expected AS
          SELECT coalesce(p.number, s.number)::text::float8 AS number, coalesce(p.region, s.region) AS region,
                 CASE WHEN p.number IS NULL OR s.updated_at > p.updated_at THEN s.status ELSE p.status END AS status,
                 greatest(s.updated_at, p.updated_at) AS updated_at
          FROM (SELECT DISTINCT ON (number, region) * FROM staging.visits WHERE number IS NOT NULL AND region IS NOT NULL
                ORDER BY number, region, updated_at DESC) AS s
          FULL JOIN production.visits AS p ON p.number = s.number AND p.region = s.region;
        """
      )
      let nodes = try await forgetScans(cluster, database)
      let outcome = try await database.call("merge", "--json", arguments: ["--workers", "1"])
      #expect(outcome.status == 65, "\(outcome.transcript)")
      let scans = try await scans(of: "visits", nodes)
      // Each key some four times at most: looked up and updated, and once more with the rows that are refused.
      #expect((6000...4 * 8002).contains(scans.ofIndexes), "\(scans)")
      #expect(scans.ofTables == 0)
      #expect(try outcome.json()["totals"]["errors"].integer == 2)
      let found = "SELECT number::float8, region, status, updated_at FROM production.visits"
      #expect(try database.difference(found, "TABLE public.expected") == [])
    }
  }

  @Test func tiesAreComparedInOneShard() async throws {
    try await CitusCluster.withDatabase { cluster, database in
      try Orders.prepare(database, count: 10_000, changedOneIn: 4)
      try database.run("UPDATE staging.orders SET status = 'tie' WHERE updated_at = '2026-02-01' AND order_id % 10 = 1")
      let ties = "WHERE updated_at = '2026-02-01' AND status = 'tie'"
      let expected = try database.count("SELECT count(*) FROM staging.orders \(ties)")
      let nodes = try await forgetScans(cluster, database)
      let outcome = try await database.call("merge", "--json", arguments: ["--ties", "compare", "--workers", "1"])
      #expect(outcome.status == 0, "\(outcome.errors)")
      let scans = try await scans(of: "orders", nodes)
      let totals = try outcome.json()["totals"]
      // 7500 of the staging rows are as new as production's; sent to all shards, they alone would be looked up 60,000 times.
      #expect(scans.ofIndexes <= 2 * (10_000 + 7500 + (totals["updated"].integer ?? 0)), "\(scans)")
      #expect(scans.ofTables == 0)
      #expect(try database.count("SELECT count(*) FROM production.orders \(ties)") == expected)
    }
  }

  /// Somebody deletes one row, makes another newer and a third one less new than staging's, all between look-up and write.
  @Test func whatSomebodyElseWritesBetweenLookUpAndUpdateStands() async throws {
    try await CitusCluster.withDatabase { cluster, database in
      try Orders.prepare(database, count: 1000, changedOneIn: 1)
      let nodes = try nodes(cluster, database)
      // The merge waits for the others' locks, and doesn't ask again meanwhile.
      try database.run("ALTER DATABASE \(database.name) SET deadlock_timeout = '60s'")
      let cdc = try database.connect()
      try cdc.run("BEGIN; DELETE FROM production.orders WHERE order_id = 1")
      try cdc.run("UPDATE production.orders SET status = 'cdc', updated_at = '2027-01-01' WHERE order_id = 2")
      try cdc.run("UPDATE production.orders SET status = 'cdc', updated_at = '2026-02-02' WHERE order_id = 3")
      let merge = try database.launch(["merge", "--workers", "1", "--max-lock-time", "60000", "--json"])
      _ = try await eventually("a wait for a row") {
        try nodes.contains {
          try $0.holds(
            "EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database())"
          )
        } ? true : nil
      }
      try cdc.run("COMMIT")
      let outcome = try await merge.outcome()
      #expect(outcome.status == 0, "\(outcome.errors)")
      let concerned = "SELECT order_id, status FROM production.orders WHERE order_id <= 3"
      #expect(try database.sortedRows(concerned) == ["(2,cdc)", "(3,new)"])
      let totals = try outcome.json()["totals"]
      #expect(totals["updated"].integer == 798)
      #expect(totals["stale"].integer == 2)
      let others = "WHERE order_id > 3"
      #expect(
        try database.difference("SELECT * FROM production.orders \(others)", "SELECT * FROM public.expected \(others)")
          == []
      )
    }
  }

  /// The shards of a table, on the nodes' own sessions.
  private func nodes(_ cluster: CitusCluster, _ database: TestDatabase) throws -> [TestDatabase] {
    try cluster.workers.map { worker in
      let node = try TestDatabase(connectionString: worker.connectionString(database: database.name))
      try node.run("SET citus.override_table_visibility = off")
      return node
    }
  }

  /// - Returns: the nodes, which count scans from 0 on.
  private func forgetScans(_ cluster: CitusCluster, _ database: TestDatabase) async throws -> [TestDatabase] {
    let nodes = try nodes(cluster, database)
    // A session of Citus reports what it has counted when it ends, and the test's own have to end too: at the end of a transaction.
    try database.run("SET citus.max_cached_conns_per_worker = 0")
    try database.run(
      "CREATE TABLE production.ending (id int); SELECT create_distributed_table('production.ending', 'id')"
    )
    try database.run("DROP TABLE production.ending")
    try await waitForTheEndOfSessions(of: nodes)
    for node in nodes { try node.run("SELECT pg_stat_reset()") }
    return nodes
  }

  private func waitForTheEndOfSessions(of nodes: [TestDatabase]) async throws {
    for node in nodes {
      _ = try await eventually("the end of the coordinator's sessions") {
        // All but those in which Citus looks for deadlocks and prepared transactions, which stay.
        let isOver = """
          NOT EXISTS (SELECT FROM pg_stat_activity
                      WHERE datname = current_database() AND application_name LIKE 'citus_internal%'
                        AND query !~ 'waiting_pid|pg_prepared_xacts')
          """
        return try node.holds(isOver) ? true : nil
      }
    }
  }

  /// How often the shards of a table were searched by an index, once for each value looked up, and read from end to end.
  ///
  /// - Precondition: nobody but the merge has used them since ``forgetScans(_:_:)``.
  private func scans(of table: String, _ nodes: [TestDatabase]) async throws -> (ofIndexes: Int, ofTables: Int) {
    try await waitForTheEndOfSessions(of: nodes)
    let counts = try nodes.map { node in
      let sums = "FROM pg_stat_user_tables WHERE relname ~ '^\(table)_[0-9]+$'"
      return try (
        node.count("SELECT sum(idx_scan)::bigint \(sums)"), node.count("SELECT sum(seq_scan)::bigint \(sums)")
      )
    }
    return (counts.map(\.0).reduce(0, +), counts.map(\.1).reduce(0, +))
  }
}
