import Foundation
import TestSupport
import Testing

/// Production and staging are distributed side by side, and every node merges its own shards.
@Suite struct CitusNodesTests {
  @Test func whatIsMergedIsWhatTheRuleSays() async throws {
    try await CitusCluster.withDatabase { _, database in
      try Orders.prepare(database, count: 20_000, colocates: true)
      let planned = try await database.call("plan", "--on-nodes", "--json")
      #expect(planned.status == 0, "\(planned.transcript)")
      let outcome = try await database.call(
        "merge",
        "--on-nodes",
        "--json",
        arguments: ["--batch", "1000", "--workers", "3"]
      )
      #expect(outcome.status == 0, "\(outcome.transcript)")
      try expectRule(database)
      let (plan, merge) = (try planned.json(), try outcome.json())
      #expect(merge["tables"].elements.map { $0["table"].text } == ["orders"])
      for count in ["read", "inserted", "updated", "unchanged", "stale", "errors"] {
        #expect(merge["totals"][count].integer == plan["totals"][count].integer, "\(count)")
      }
      #expect(merge["totals"]["read"].integer == 20_000)
      #expect(merge["totals"]["inserted"].integer == 4000)
      let recorded =
        "SELECT records_read, records_inserted, records_error FROM admin.merge_logs WHERE table_name = 'orders'"
      #expect(try database.rows(recorded) == ["(20000,4000,0)"])
      let verified = try await database.call("verify", "--on-nodes", "--json")
      #expect(verified.status == 0, "\(verified.transcript)")
      #expect(try verified.json()["tables"].elements.map { $0["read"].integer } == [20_000])
      let again = try await database.call("merge", "--on-nodes", "--json")
      #expect(again.status == 0, "\(again.transcript)")
      #expect(try again.json()["totals"]["read"].integer == 0)
      try expectRule(database)
      let status = try await database.call("status")
      #expect(status.status == 0, "\(status.transcript)")
    }
  }

  @Test func verifyFindsOnEveryNodeWhatIsNotAsItShouldBe() async throws {
    try await CitusCluster.withDatabase { _, database in
      try Orders.prepare(database, count: 1000, colocates: true)
      #expect(try await database.call("merge", "--on-nodes").status == 0)
      try database.run("UPDATE production.orders SET amount = -1; DELETE FROM production.orders WHERE order_id <= 10")
      let verified = try await database.call("verify", "--on-nodes", "--json", arguments: ["--recheck-after", "0"])
      #expect(verified.status == 65, "\(verified.transcript)")
      let table = try verified.json()["tables"].elements.first ?? .null
      #expect(table["missing"].integer == 10)
      let equal = try database.count(
        "SELECT count(*) FROM staging.orders AS s JOIN production.orders AS p USING (order_id) WHERE s.updated_at = p.updated_at"
      )
      #expect(table["differing"].integer == equal)
      #expect(table["columns"].elements.map { $0["rows"].integer } == [equal])
    }
  }

  /// The key of orders has the column that all are distributed by, and every node has the parents of its own rows.
  @Test func parentsAreMergedBeforeTheirChildren() async throws {
    try await CitusCluster.withDatabase { cluster, database in
      try database.run(
        """
        CREATE SCHEMA production;
        CREATE TABLE production.regions (region_id int PRIMARY KEY, name text, updated_at timestamp);
        SELECT create_reference_table('production.regions');
        INSERT INTO production.regions VALUES (1, 'north', '2026-01-01');
        CREATE TABLE production.customers (
          customer_id bigint PRIMARY KEY, name text, region_id int REFERENCES production.regions, updated_at timestamp);
        SELECT create_distributed_table('production.customers', 'customer_id');
        CREATE TABLE production.orders (
          order_id bigint, customer_id bigint REFERENCES production.customers, amount numeric, updated_at timestamp,
          PRIMARY KEY (order_id, customer_id));
        SELECT create_distributed_table('production.orders', 'customer_id', colocate_with => 'production.customers');
        """
      )
      let tables = ["--table", "orders", "--table", "customers"]
      let made = try await database.call("init", "--on-nodes", arguments: tables)
      #expect(made.status == 0, "\(made.transcript)")
      try database.run(
        """
        INSERT INTO staging.customers SELECT i, 'c' || i, 1, '2026-02-01' FROM generate_series(1, 2000) AS i;
        INSERT INTO staging.orders SELECT i, 1 + i % 2000, i, '2026-02-01' FROM generate_series(1, 10000) AS i;
        """
      )
      let outcome = try await database.call("merge", "--on-nodes", "--json", arguments: tables + ["--batch", "500"])
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try outcome.json()["tables"].elements.map { $0["table"].text } == ["customers", "orders"])
      #expect(try outcome.json()["totals"]["errors"].integer == 0)
      #expect(try database.difference("TABLE production.orders", "TABLE staging.orders") == [])
      #expect(try database.difference("TABLE production.customers", "TABLE staging.customers") == [])
      #expect(try await database.call("verify", "--on-nodes", arguments: tables).status == 0)
      // A child without its parent is refused, and passes when the parent is there.
      try database.run("INSERT INTO staging.orders VALUES (20000, 5000, 1, '2026-02-01')")
      let orphan = try await database.call("merge", "--on-nodes", arguments: tables)
      #expect(orphan.status == 65, "\(orphan.transcript)")
      try database.run("INSERT INTO staging.customers VALUES (5000, 'late', 1, '2026-02-01')")
      let late = try await database.call("merge", "--on-nodes", arguments: tables)
      #expect(late.status == 0, "\(late.transcript)")
      #expect(try database.count("SELECT count(*) FROM production.orders WHERE order_id = 20000") == 1)
    }
  }

  @Test func rowsThatAreRefusedStandOnTheNodeWithTheirReason() async throws {
    try await CitusCluster.withDatabase { cluster, database in
      try Orders.prepare(database, count: 5000, colocates: true)
      try database.run("ALTER TABLE production.orders ADD CONSTRAINT positive CHECK (amount >= 0)")
      try database.run(
        """
        UPDATE staging.orders SET amount = -1 WHERE order_id IN (7, 14, 4801, 5000);
        UPDATE staging.orders SET updated_at = '2027-01-01' WHERE order_id IN (7, 14);
        """
      )
      let outcome = try await database.call("merge", "--on-nodes", "--json", arguments: ["--batch", "1000"])
      #expect(outcome.status == 65, "\(outcome.transcript)")
      #expect(try outcome.json()["totals"]["errors"].integer == 4)
      var refused: [String] = []
      for worker in cluster.workers {
        refused += try node(worker.connectionString(database: database.name))
          .rows("SELECT row_key->>'order_id', sqlstate FROM admin.merge_errors")
      }
      #expect(refused.sorted() == ["(14,23514)", "(4801,23514)", "(5000,23514)", "(7,23514)"])
      let others = "WHERE order_id NOT IN (7, 14, 4801, 5000)"
      #expect(
        try database.difference("SELECT * FROM production.orders \(others)", "SELECT * FROM public.expected \(others)")
          == []
      )
      #expect(try await database.call("merge", "--on-nodes").status == 65)
      try database.run("UPDATE staging.orders SET amount = 1 WHERE amount < 0")
      let mended = try await database.call("merge", "--on-nodes", "--json")
      #expect(mended.status == 0, "\(mended.transcript)")
      #expect(try database.count("SELECT count(*) FROM production.orders WHERE order_id IN (7, 14, 4801, 5000)") == 4)
      #expect(try await database.call("verify", "--on-nodes").status == 0)
    }
  }

  /// With CDC beside it: nothing of what either writes is lost with the shard that is left behind.
  @Test func aShardThatMovesLosesNothing() async throws {
    try await CitusCluster.withDatabase { cluster, database in
      try Orders.prepare(database, count: 40_000, colocates: true)
      let cdc = try database.connect()
      let merge = try database.launch(["merge", "--on-nodes", "--json", "--batch", "100", "--workers", "2"])
      try await eventually("the first batch") {
        let nodes = try cluster.workers.map { try node($0.connectionString(database: database.name)) }
        return try nodes.contains { node in
          try node.holds("to_regclass('admin.merge_batches') IS NOT NULL")
            && node.holds("EXISTS (SELECT FROM admin.merge_batches)")
        } ? () : nil
      }
      let (from, to) = (cluster.workers[0], cluster.workers[1])
      let shards = try database.rows(
        """
        SELECT shardid FROM pg_dist_shard JOIN pg_dist_placement USING (shardid) JOIN pg_dist_node USING (groupid)
        WHERE logicalrelid = 'production.orders'::regclass AND nodeport = \(from.port) AND nodename = '\(from.socketDirectory)'
        ORDER BY shardid LIMIT 2
        """
      )
      for (index, shard) in shards.enumerated() {
        // Each in a transaction of its own.
        let update = "UPDATE production.orders SET status = 'cdc', updated_at = '2030-01-01' WHERE order_id % 100 ="
        try cdc.run("\(update) \(index)")
        try cdc.run(
          """
          SELECT citus_move_shard_placement(
            \(shard), '\(from.socketDirectory)', \(from.port), '\(to.socketDirectory)', \(to.port), 'block_writes')
          """
        )
        try cdc.run("\(update) \(10 + index)")
      }
      let isUnderWay = merge.isRunning
      let outcome = try await merge.outcome()
      #expect(isUnderWay, "the shards have moved after the merge")
      #expect(outcome.status == 0, "\(outcome.transcript)")
      try expectRule(database, except: "order_id % 100 IN (0, 1, 10, 11)")
      #expect(
        try database.count("SELECT count(*) FROM public.expected")
          == database.count("SELECT count(*) FROM production.orders")
      )
      let overwritten = """
        SELECT order_id, status, updated_at FROM production.orders
        WHERE order_id % 100 IN (0, 1, 10, 11) AND order_id <= 32000 AND status <> 'cdc'
        ORDER BY order_id
        """
      #expect(try database.rows(overwritten) == [])
      let verified = try await database.call("verify", "--on-nodes")
      #expect(verified.status == 0, "\(verified.transcript)")
    }
  }

  /// Shards of production and of staging are split together, since they lie side by side.
  @Test func shardsThatAreSplitBetweenInitAndMergeAreMerged() async throws {
    try await CitusCluster.withDatabase { cluster, database in
      try Orders.prepare(database, count: 5000, colocates: true)
      try split(cluster, database)
      let outcome = try await database.call("merge", "--on-nodes", "--json")
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try outcome.json()["totals"]["read"].integer == 5000)
      try expectRule(database)
      #expect(try await database.call("verify", "--on-nodes").status == 0)
    }
  }

  @Test func shardsThatAreSplitInTheMiddleAreMerged() async throws {
    try await CitusCluster.withDatabase { cluster, database in
      try Orders.prepare(database, count: 40_000, colocates: true)
      let merge = try database.launch(["merge", "--on-nodes", "--batch", "100", "--workers", "2"])
      try await eventually("the first batch") {
        let node = try node(cluster.workers[0].connectionString(database: database.name))
        return try node.holds("to_regclass('admin.merge_batches') IS NOT NULL")
          && node.holds("EXISTS (SELECT FROM admin.merge_batches)") ? () : nil
      }
      try split(cluster, database)
      #expect(merge.isRunning, "the shard was split after the merge")
      let outcome = try await merge.outcome()
      #expect(outcome.status == 0, "\(outcome.transcript)")
      try expectRule(database)
      #expect(try await database.call("verify", "--on-nodes").status == 0)
    }
  }

  @Test func aNodeThatRestartsCostsTimeOnly() async throws {
    try await CitusCluster.withDatabase(own: true) { cluster, database in
      try Orders.prepare(database, count: 60_000, colocates: true)
      let merge = try database.launch(["merge", "--on-nodes", "--batch", "200", "--workers", "2"])
      let first = cluster.workers[0]
      try await eventually("the first batch") {
        let node = try node(first.connectionString(database: database.name))
        return try node.holds("to_regclass('admin.merge_batches') IS NOT NULL")
          && node.holds("EXISTS (SELECT FROM admin.merge_batches)") ? () : nil
      }
      try await first.restart(immediate: true)
      let outcome = try await merge.outcome()
      #expect(outcome.status == 0, "\(outcome.transcript)")
      try expectRule(database)
    }
  }

  /// Between the look at all nodes and its own merge.
  @Test func aNodeThatCantBeReachedWhenItsMergeBeginsIsWaitedFor() async throws {
    try await CitusCluster.withDatabase { cluster, database in
      try Orders.prepare(database, count: 2000, colocates: true)
      #expect(try await database.call("merge", "--on-nodes").status == 0)
      try database.run("UPDATE staging.orders SET status = 'newest', updated_at = '2028-01-01'")
      try database.run(
        """
        CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql
          AS $$ BEGIN PERFORM pg_advisory_xact_lock(15); RETURN NEW; END $$;
        CREATE TRIGGER wait AFTER INSERT ON admin.merge_summary FOR EACH ROW EXECUTE FUNCTION public.wait();
        SELECT pg_advisory_lock(15);
        """
      )
      let merge = try database.launch(["merge", "--on-nodes"])
      try await database.wait(for: TestDatabase.somebodyWaitsForALock)
      let ofNode = try node(cluster.workers[0].connectionString())
      try ofNode.run("ALTER DATABASE \(database.name) ALLOW_CONNECTIONS false")
      try database.run("SELECT pg_advisory_unlock(15)")
      try await eventually("the first attempt") {
        try merge.errorsSoFar().contains("the node can't be reached") ? () : nil
      }
      try ofNode.run("ALTER DATABASE \(database.name) ALLOW_CONNECTIONS true")
      let outcome = try await merge.outcome()
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try database.count("SELECT count(*) FROM production.orders WHERE status = 'newest'") == 2000)
    }
  }

  @Test func aMergeThatIsKilledGoesOnWhereItStopped() async throws {
    try await CitusCluster.withDatabase { cluster, database in
      try Orders.prepare(database, count: 40_000, colocates: true)
      let arguments = ["merge", "--on-nodes", "--batch", "100", "--workers", "2"]
      let killed = try database.launch(arguments)
      try await eventually("the first batch") {
        let node = try node(cluster.workers[1].connectionString(database: database.name))
        return try node.holds("to_regclass('admin.merge_batches') IS NOT NULL")
          && node.holds("EXISTS (SELECT FROM admin.merge_batches)") ? () : nil
      }
      kill(killed.processID, SIGKILL)
      #expect(try await killed.outcome().status == 137)
      let outcome = try await database.call("merge", "--on-nodes", "--json")
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try outcome.json()["totals"]["read"].integer ?? 0 < 40_000)
      try expectRule(database)
      #expect(try database.rows("SELECT status FROM admin.merge_summary ORDER BY id") == ["(ABORTED)", "(SUCCESS)"])
    }
  }

  /// Shards of partitioned tables are partitioned themselves, and names of shards are cut to the server's length.
  @Test func namesPartitionsPairsAndMarksAreThoseOfTheTables() async throws {
    try await CitusCluster.withDatabase { _, database in
      let long = "a_table_whose_name_fills_all_of_the_sixty_three_bytes_there_are"
      try database.run(
        """
        CREATE SCHEMA "P 1"; CREATE SCHEMA production;
        CREATE TABLE "P 1"."Order s" (id bigint, t timestamp, note text, PRIMARY KEY (id, t)) PARTITION BY RANGE (t);
        CREATE TABLE "P 1".part PARTITION OF "P 1"."Order s" FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
        SELECT create_distributed_table('"P 1"."Order s"', 'id');
        CREATE TABLE production.\(long) (id text PRIMARY KEY, n int, updated_at timestamp);
        SELECT create_distributed_table('production.\(long)', 'id');
        """
      )
      let files = [
        "merge-engine.yaml": """
        on_nodes: true
        pairs: ["S 1=P 1", "staging=production"]
        tables:
          "Order s": {version_column: t, insert_only_columns: []}
        """
      ]
      let made = try await database.call("init", "--status-column", files: files)
      #expect(made.status == 0, "\(made.transcript)")
      try database.run(
        """
        INSERT INTO "S 1"."Order s" SELECT i, '2026-05-05', 'x' FROM generate_series(1, 2000) AS i;
        INSERT INTO staging.\(long) SELECT 'k' || i, i, '2026-05-05' FROM generate_series(1, 3000) AS i;
        """
      )
      let outcome = try await database.call("merge", "--json", files: files)
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(
        try outcome.json()["tables"].elements.map { $0["table"].text }.sorted { $0 ?? "" < $1 ?? "" }
          == ["P 1.Order s", "production.\(long)"]
      )
      #expect(!outcome.everything.contains(#/s_10[0-9]{4}/#), "\(outcome.transcript)")
      #expect(try database.count("SELECT count(*) FROM \"P 1\".\"Order s\"") == 2000)
      #expect(try database.count("SELECT count(*) FROM production.\(long)") == 3000)
      let marks = "SELECT DISTINCT _dms_processing_status FROM \"S 1\".\"Order s\""
      #expect(try database.rows(marks) == ["(PROCESSED)"])
      let verified = try await database.call("verify", files: files)
      #expect(verified.status == 0, "\(verified.transcript)")
    }
  }

  @Test func nodesAreReachedByTheAddressesOfTheFile() async throws {
    try await CitusCluster.withDatabase { cluster, database in
      try Orders.prepare(database, count: 1000, colocates: true)
      let (one, other) = (cluster.workers[0], cluster.workers[1])
      let names = (
        "\(one.socketDirectory):\(one.port)", "\(other.socketDirectory):\(other.port)"
      )
      let swapped = "citus_nodes: {\"\(names.0)\": \"\(names.1)\", \"\(names.1)\": \"\(names.0)\"}"
      let wrong = try await database.call("merge", "--on-nodes", files: ["merge-engine.yaml": swapped])
      #expect(wrong.status == 73, "\(wrong.transcript)")
      #expect(wrong.errors.contains("citus_nodes"))
      #expect(try database.count("SELECT count(*) FROM pg_namespace WHERE nspname = 'admin'") == 0)
      let right = "on_nodes: true\ncitus_nodes: {\"\(names.0)\": \"\(names.0)\"}"
      let outcome = try await database.call("merge", files: ["merge-engine.yaml": right])
      #expect(outcome.status == 0, "\(outcome.transcript)")
      try expectRule(database)
      let unreadable = try await database.call("merge", files: ["merge-engine.yaml": "citus_nodes: {\"a:1\": nowhere}"])
      #expect(unreadable.status == 78, "\(unreadable.transcript)")
    }
  }

  @Test(arguments: [
    ("SELECT 1", "staging.orders is an ordinary table"),
    (
      "SELECT create_distributed_table('staging.orders', 'order_id', colocate_with => 'none')",
      "SELECT undistribute_table('staging.orders'); SELECT create_distributed_table('staging.orders', 'order_id', "
        + "colocate_with => 'production.orders')"
    ),
    ("SELECT create_reference_table('staging.orders')", "staging.orders is a reference table"),
  ])
  func stagingThatDoesNotLieBesideProductionIsRefused(statement: String, message: String) async throws {
    try await CitusCluster.withDatabase { _, database in
      try Orders.prepare(database, count: 100)
      try database.run(statement)
      let before = try database.sortedRows("TABLE production.orders")
      for command in ["plan", "merge", "verify"] {
        let outcome = try await database.call(command, "--on-nodes")
        #expect(outcome.status == 73, "\(command): \(outcome.transcript)")
        #expect(outcome.everything.replacing(/\s+/, with: " ").contains(message), "\(outcome.transcript)")
      }
      #expect(try database.sortedRows("TABLE production.orders") == before)
    }
  }

  /// Through the coordinator they can't be read; the message names the way that there is.
  @Test func stagingBesideProductionIsPointedToTheNodes() async throws {
    try await CitusCluster.withDatabase { _, database in
      try Orders.prepare(database, count: 100, colocates: true)
      let outcome = try await database.call("merge")
      #expect(outcome.status == 73, "\(outcome.transcript)")
      #expect(outcome.errors.contains("--on-nodes"), "\(outcome.errors)")
    }
  }

  @Test(arguments: [
    ["--atomic"], ["--before-images"], ["--cleanup"], ["--max-errors", "1"], ["--pause-while", "SELECT false"],
  ])
  func whatNodesCantKeepIsRefused(option: [String]) async throws {
    try await CitusCluster.withDatabase { _, database in
      try Orders.prepare(database, count: 100, colocates: true)
      let outcome = try await database.call("merge", "--on-nodes", arguments: option)
      #expect(outcome.status == 64, "\(outcome.transcript)")
      #expect(outcome.errors.contains(option[0]), "\(outcome.errors)")
      #expect(try database.count("SELECT count(*) FROM pg_namespace WHERE nspname = 'admin'") == 0)
    }
  }

  /// Citus lets nobody else keep a shard where it is.
  @Test func aRoleThatDoesNotOwnTheTablesIsToldSo() async throws {
    try await CitusCluster.withDatabase { _, database in
      try Orders.prepare(database, count: 100, colocates: true)
      let role = "merger_\(database.name)"
      try database.run(
        """
        CREATE ROLE \(role) LOGIN;
        GRANT USAGE ON SCHEMA production, staging TO \(role);
        GRANT SELECT ON staging.orders TO \(role);
        GRANT SELECT, INSERT, UPDATE ON production.orders TO \(role);
        """
      )
      let outcome = try await CommandLineProgram(
        ["merge", "--on-nodes", "--database", database.connectionString(role: role)]
      ).outcome()
      try database.run("DROP OWNED BY \(role); DROP ROLE \(role)")
      #expect(outcome.status == 73, "\(outcome.transcript)")
      #expect(outcome.errors.contains("lock_shard_metadata"), "\(outcome.errors)")
    }
  }

  /// Makes two shards of one on the first worker, and leaves one of them there.
  private func split(_ cluster: CitusCluster, _ database: TestDatabase) throws {
    let from = cluster.workers[0]
    try database.run(
      """
      SELECT citus_split_shard_by_split_points(
        shardid, ARRAY[((shardminvalue::bigint + shardmaxvalue::bigint) / 2)::text],
        (SELECT array_agg(nodeid::int ORDER BY nodeid) FROM pg_dist_node WHERE shouldhaveshards), 'block_writes')
      FROM (SELECT s.* FROM pg_dist_shard AS s JOIN pg_dist_placement USING (shardid) JOIN pg_dist_node USING (groupid)
            WHERE logicalrelid = 'production.orders'::regclass
              AND (nodename, nodeport) = ('\(from.socketDirectory)', \(from.port))
            ORDER BY shardid LIMIT 1) AS s
      """
    )
  }

  private func node(_ connectionString: String) throws -> TestDatabase {
    try TestDatabase(connectionString: connectionString)
  }

  private func expectRule(_ database: TestDatabase, except: String = "false") throws {
    #expect(
      try database.difference(
        "SELECT * FROM production.orders WHERE NOT (\(except))",
        "SELECT * FROM public.expected WHERE NOT (\(except))"
      ) == []
    )
  }
}
