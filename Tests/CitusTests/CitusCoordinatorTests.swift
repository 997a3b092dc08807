import TestSupport
import Testing

/// Production is distributed, staging lies on the coordinator.
@Suite struct CitusCoordinatorTests {
  @Test func whatIsMergedIsWhatTheRuleSays() async throws {
    try await CitusCluster.withDatabase { _, database in
      try Orders.prepare(database, count: 20_000)
      let outcome = try await database.call("merge", arguments: ["--batch", "3000", "--workers", "3"])
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(try database.difference("TABLE production.orders", "TABLE public.expected") == [])
      let verified = try await database.call("verify")
      #expect(verified.status == 0, "\(verified.transcript)")
      #expect(try await database.call("merge").status == 0)
      #expect(try database.difference("TABLE production.orders", "TABLE public.expected") == [])
    }
  }

  /// Of rows most of which are equal, the server would copy the others itself: by addresses, which don't reach the nodes.
  @Test func aReloadOfWhichLittleHasChangedIsMerged() async throws {
    try await CitusCluster.withDatabase { _, database in
      try Orders.prepare(database, count: 20_000, changedOneIn: 50)
      let outcome = try await database.call("merge", arguments: ["--batch", "1000", "--workers", "2"])
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(try database.difference("TABLE production.orders", "TABLE public.expected") == [])
    }
  }

  /// Nodes' errors of COPY come without their SQLSTATE.
  @Test func rowsThatNodesRefuseAreSetAsideWithTheirReason() async throws {
    try await CitusCluster.withDatabase { _, database in
      try Orders.prepare(database, count: 5000)
      try database.run("ALTER TABLE production.orders ADD CONSTRAINT positive CHECK (amount >= 0)")
      try database.run(
        """
        UPDATE staging.orders SET amount = -1 WHERE order_id IN (7, 14, 4801, 5000);
        UPDATE staging.orders SET updated_at = '2027-01-01' WHERE order_id IN (7, 14);
        """
      )
      let outcome = try await database.call("merge", arguments: ["--batch", "1000"])
      #expect(outcome.status == 65, "\(outcome.errors)")
      let refused = "SELECT row_key->>'order_id', sqlstate FROM admin.merge_errors"
      #expect(try database.sortedRows(refused) == ["(14,23514)", "(4801,23514)", "(5000,23514)", "(7,23514)"])
      let others = "WHERE order_id NOT IN (7, 14, 4801, 5000)"
      #expect(
        try database.difference("SELECT * FROM production.orders \(others)", "SELECT * FROM public.expected \(others)")
          == []
      )
    }
  }

  /// A key that CDC inserts between look-up and COPY.
  @Test func cdcGoesOnBesideTheMerge() async throws {
    try await CitusCluster.withDatabase { _, database in
      try Orders.prepare(database, count: 30_000)
      let cdc = try database.connect()
      let merge = try database.launch(["merge", "--batch", "500", "--workers", "2"])
      // From the end: the merge comes from the other side and finds rows that were not there when it looked.
      for start in stride(from: 29_900, through: 100, by: -100) {
        try cdc.run(
          """
          INSERT INTO production.orders SELECT i, 'cdc', i, '2030-01-01' FROM generate_series(\(start), \(start + 99)) AS i
          ON CONFLICT (order_id) DO UPDATE SET status = 'cdc', amount = excluded.amount, updated_at = excluded.updated_at
          """
        )
      }
      let outcome = try await merge.outcome()
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(
        try database.count(
          "SELECT count(*) FROM production.orders WHERE order_id >= 100 AND order_id < 30000 AND status <> 'cdc'"
        ) == 0
      )
    }
  }

  @Test func aNodeThatRestartsCostsTimeOnly() async throws {
    try await CitusCluster.withDatabase(own: true) { cluster, database in
      try Orders.prepare(database, count: 60_000)
      let merge = try database.launch(["merge", "--batch", "500", "--workers", "2"])
      try await database.wait(for: "to_regclass('admin.merge_batches') IS NOT NULL")
      try await database.wait(for: "EXISTS (SELECT FROM admin.merge_batches)")
      try await cluster.workers[0].restart(immediate: true)
      let outcome = try await merge.outcome()
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(try database.difference("TABLE production.orders", "TABLE public.expected") == [])
    }
  }

  /// A node that died behind the coordinator's back: what is prepared there is committed, or taken back, before the run ends.
  @Test func whatNodesHavePreparedIsSettledBeforeTheEnd() async throws {
    try await CitusCluster.withDatabase { cluster, database in
      try Orders.prepare(database, count: 1000)
      let node = try TestDatabase(connectionString: cluster.workers[0].connectionString(database: database.name))
      try node.run(
        "CREATE TABLE public.own (id int); BEGIN; INSERT INTO public.own VALUES (1); PREPARE TRANSACTION 'citus_0_4711_1_1'"
      )
      let outcome = try await database.call("merge")
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(!outcome.everything.contains("not yet committed"), "\(outcome.transcript)")
      #expect(try node.count("SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()") == 0)
    }
  }

  @Test func tablesOfShardedSchemasAndPartitionedOnesAreMerged() async throws {
    try await CitusCluster.withDatabase { _, database in
      try database.run(
        """
        CREATE SCHEMA staging;
        CREATE TABLE staging.orders (order_id bigint, status text, updated_at timestamp);
        INSERT INTO staging.orders SELECT i, 'new', '2026-02-01' FROM generate_series(1, 3000) AS i;
        SET citus.enable_schema_based_sharding = on;
        CREATE SCHEMA tenant;
        CREATE TABLE tenant.orders (order_id bigint PRIMARY KEY, status text, updated_at timestamp);
        INSERT INTO tenant.orders SELECT i, 'old', '2026-01-01' FROM generate_series(1, 1000) AS i;
        ALTER DATABASE \(database.name) SET citus.enable_schema_based_sharding = on;
        """
      )
      let outcome = try await database.call("merge", arguments: ["--production-schema", "tenant", "--batch", "500"])
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(try database.count("SELECT count(*) FROM tenant.orders WHERE status = 'new'") == 3000)
      try database.run(
        """
        SET citus.enable_schema_based_sharding = off;
        CREATE SCHEMA production;
        CREATE TABLE production.orders (order_id bigint, status text, updated_at timestamp, PRIMARY KEY (order_id, updated_at))
          PARTITION BY RANGE (updated_at);
        CREATE TABLE production.orders_1 PARTITION OF production.orders FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
        SELECT create_distributed_table('production.orders', 'order_id');
        """
      )
      let second = try await database.call("merge")
      #expect(second.status == 0, "\(second.errors)")
      #expect(try database.count("SELECT count(*) FROM production.orders") == 3000)
    }
  }

  @Test func initMakesOrdinaryTablesWhereSchemasAreSharded() async throws {
    try await CitusCluster.withDatabase { _, database in
      try database.run(
        """
        CREATE SCHEMA production;
        CREATE TABLE production.orders (order_id bigint PRIMARY KEY, status text, updated_at timestamp);
        SELECT create_distributed_table('production.orders', 'order_id');
        ALTER DATABASE \(database.name) SET citus.enable_schema_based_sharding = on;
        """
      )
      let outcome = try await database.call("init")
      #expect(outcome.status == 0, "\(outcome.errors)")
      let spread = "SELECT count(*) FROM pg_dist_partition WHERE logicalrelid::text ~ '^(staging|admin)'"
      #expect(try database.count(spread) == 0)
    }
  }
}
