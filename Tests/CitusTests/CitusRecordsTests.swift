import TestSupport
import Testing

/// What the nodes have on record, as the coordinator tells it.
@Suite struct CitusRecordsTests {
  @Test func statusCountsTheShardsOfAllNodes() async throws {
    try await CitusCluster.withDatabase { _, database in
      try prepare(database)
      let before = try await database.call("status", "--json")
      #expect(before.status == 0, "\(before.transcript)")
      #expect(try staging(before) == ["orders 5000 5000 0 0"])
      #expect(try await database.call("merge", "--on-nodes").status == 65)
      let after = try await database.call("status", "--json")
      #expect(after.status == 65, "\(after.transcript)")
      #expect(try staging(after) == ["orders 5000 0 4990 10"])
      let shown = try await database.call("status")
      #expect(!shown.everything.contains("no staging tables"), "\(shown.transcript)")
    }
  }

  @Test func refusedRowsOfAllNodesAreListedDismissedAndSetFree() async throws {
    try await CitusCluster.withDatabase { _, database in
      try prepare(database)
      #expect(try await database.call("merge", "--on-nodes").status == 65)
      let listed = try await database.call("errors", "list", "--json")
      let errors = try listed.json()["errors"].elements
      #expect(errors.compactMap { $0["row_key"].text }.sorted() == keys, "\(listed.transcript)")
      #expect(errors.allSatisfy { $0["table_name"].text == "orders" && $0["sqlstate"].text == "23514" })
      #expect(Set(errors.compactMap { $0["node"].text }).count == 2, "rows of both nodes: \(listed.transcript)")
      #expect(!listed.output.contains(#/_10[0-9]{4}/#), "names of shards: \(listed.transcript)")
      #expect(try await database.call("errors", "list").output.contains("positive"))
      #expect(try await database.call("errors", "list", "--json", "--limit", "3").json()["errors"].elements.count == 3)

      let dismissed = try await database.call("errors", "dismiss", "--json", "--reason", "known")
      #expect(try dismissed.json()["dismissed"].integer == 10, "\(dismissed.transcript)")
      #expect(try await database.call("errors", "list", "--json").json()["errors"].elements.isEmpty)
      #expect(try await database.call("status").status == 0)
      #expect(try await database.call("merge", "--on-nodes").status == 0)

      try database.run("ALTER TABLE production.orders DROP CONSTRAINT positive")
      let retried = try await database.call("errors", "retry", "--dismissed", "--table", "orders", "--json")
      #expect(try retried.json()["released"]["orders"].integer == 10, "\(retried.transcript)")
      let merged = try await database.call("merge", "--on-nodes", "--json")
      #expect(merged.status == 0, "\(merged.transcript)")
      #expect(try merged.json()["totals"]["read"].integer == 10)
      #expect(try database.count("SELECT count(*) FROM production.orders WHERE amount < 0") == 10)
    }
  }

  @Test func whatBecameOfARowIsAskedOfTheNodeThatHasIt() async throws {
    try await CitusCluster.withDatabase { _, database in
      try prepare(database)
      #expect(try await database.call("merge", "--on-nodes").status == 65)
      var nodes: Set<String> = []
      for key in [507, 1007, 2507, 3007, 8, 13] {
        let told = try await database.call("why", "orders", "\(key)", "--json")
        #expect(told.status == 0, "\(told.transcript)")
        let report = try told.json()
        #expect(report["table"].text == "orders" && report["key"]["order_id"].text == "\(key)")
        #expect(report["staging"].elements.count == 1 && report["reads"].elements.count == 1, "\(told.transcript)")
        let isRefused = key % 500 == 7
        #expect(report["staging"].elements.first?["standing"].text == (isRefused ? "refused" : "merged"))
        #expect(report["refusals"].elements.map { $0["sqlstate"].text } == (isRefused ? ["23514"] : []))
        #expect(!told.output.contains(#/_10[0-9]{4}/#), "names of shards: \(told.transcript)")
        nodes.insert(report["node"].text ?? "")
      }
      #expect(nodes.count == 2, "\(nodes)")
      let shown = try await database.call("why", "orders", "507")
      #expect(shown.output.contains("orders, order_id 507 on node"), "\(shown.transcript)")
      let unknown = try await database.call("why", "orders", "999999")
      #expect(unknown.status == 64, "\(unknown.transcript)")
      #expect(unknown.errors.contains("has a row with the key") && !unknown.errors.contains(#/_10[0-9]{4}/#))
      #expect(try await database.call("why", "orders", "xyz").status == 64)
    }
  }

  /// It has its part on record under the shards' names.
  @Test func aCoordinatorWithShardsIsOneOfTheNodes() async throws {
    try await CitusCluster.withDatabase { cluster, database in
      let coordinator = cluster.coordinator
      try database.run(
        """
        SELECT citus_set_node_property('\(coordinator.socketDirectory)', \(coordinator.port), 'shouldhaveshards', true)
        """
      )
      try prepare(database)
      let outcome = try await database.call("merge", "--on-nodes")
      #expect(outcome.status == 65, "\(outcome.transcript)")
      #expect(try staging(await database.call("status", "--json")) == ["orders 5000 0 4990 10"])
      let errors = try await database.call("errors", "list", "--json").json()["errors"].elements
      #expect(errors.compactMap { $0["row_key"].text }.sorted() == keys)
      #expect(Set(errors.compactMap { $0["table_name"].text }) == ["orders"])
      let retried = try await database.call("errors", "retry", "--json")
      #expect(try retried.json()["released"]["orders"].integer == 10, "\(retried.transcript)")
    }
  }

  /// What does not ask the nodes must not look as if there were nothing.
  @Test(arguments: [["--watch", "--json"], ["--prometheus", "-"]])
  func whatDoesNotAskNodesRefusesTheirTables(arguments: [String]) async throws {
    try await CitusCluster.withDatabase { _, database in
      try Orders.prepare(database, count: 100, colocates: true)
      let outcome = try await database.call("status", arguments: arguments)
      #expect(outcome.status == 73, "\(outcome.transcript)")
      #expect(outcome.errors.contains("distributed by Citus"), "\(outcome.transcript)")
    }
  }

  /// Merged from files, which the coordinator has on record; its rows can't be told apart here.
  @Test func stagingThatLiesElsewhereIsNamedAsNotCounted() async throws {
    try await CitusCluster.withDatabase { _, database in
      try Orders.prepare(database, count: 100)
      try database.run("SELECT create_distributed_table('staging.orders', 'order_id', colocate_with => 'none')")
      let outcome = try await database.call("status")
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(outcome.errors.contains("its rows are not counted"), "\(outcome.transcript)")
      #expect(!outcome.output.contains("no staging tables"), "\(outcome.transcript)")
    }
  }

  private let keys = stride(from: 7, to: 5000, by: 500).map { "{\"order_id\": \($0)}" }.sorted()

  /// Ten rows, of both nodes, can't be stored.
  private func prepare(_ database: TestDatabase) throws {
    try Orders.prepare(database, count: 5000, colocates: true)
    try database.run("ALTER TABLE production.orders ADD CONSTRAINT positive CHECK (amount >= 0)")
    try database.run(
      "UPDATE staging.orders SET amount = -1, updated_at = '2027-01-01' WHERE order_id % 500 = 7"
    )
  }

  /// Each table with its counts.
  private func staging(_ outcome: CommandLineProgram.Outcome) throws -> [String] {
    try outcome.json()["tables"].elements.map { table in
      ([table["table"].text ?? ""]
        + ["total", "pending", "processed", "errors"].map { "\(table[$0].integer ?? -1)" }).joined(separator: " ")
    }
  }
}
