import DMS
import Foundation
import Libpq
import TestSupport
import Testing

/// Several pairs of schemas: the documents of one DMS task for all of them, and a reload that loads by it and merges in one run.
@Suite struct SeveralPairsReloadTests {
  private static let tables = """
    CREATE SCHEMA shop; CREATE SCHEMA crm;
    CREATE TABLE crm.customers (id int PRIMARY KEY, name varchar(20), updated_at timestamp);
    CREATE TABLE shop.orders (id int PRIMARY KEY, customer_id int NOT NULL REFERENCES crm.customers, updated_at timestamp);
    CREATE TABLE shop.items (id int PRIMARY KEY, v int, updated_at timestamp);
    CREATE TABLE crm.items (id int PRIMARY KEY, v int, updated_at timestamp);
    CREATE INDEX ON shop.orders (customer_id);
    INSERT INTO shop.items VALUES (1, 1, '2024-12-01'), (2, 1, '2024-12-01');
    """

  /// Oracle's two schemas, by the names of their files.
  private static let oracle = [
    "CRM/CUSTOMERS.csv":
      "ID NUMBER(9),NAME VARCHAR2(20 CHAR),UPDATED_AT DATE\n1,a,2025-01-10 00:00:00\n2,b,2025-01-10 00:00:00\n",
    "CRM/ITEMS.csv": "ID NUMBER(9),V NUMBER(9),UPDATED_AT DATE\n1,9,2025-01-10 00:00:00\n",
    "SHOP/ITEMS.csv":
      "ID NUMBER(9),V NUMBER(9),UPDATED_AT DATE\n1,2,2025-01-10 00:00:00\n2,2,2025-01-10 00:00:00\n3,2,2025-01-10 00:00:00\n",
    "SHOP/ORDERS.csv":
      "ID NUMBER(9),CUSTOMER_ID NUMBER(9),UPDATED_AT DATE\n1,1,2025-01-10 00:00:00\n2,2,2025-01-10 00:00:00\n",
  ]

  private static let configuration = """
    pairs: [shop_stg=shop, crm_stg=crm]
    dms:
      source_schema: {shop: SHOP, crm: CRM}
    tables:
      crm.items: {staging_table: ora_items}

    """

  /// A world in which Oracle has two schemas, with staging for both.
  private static func withWorld(
    simulator: [String] = [],
    holdsLoad: Bool = false,
    _ body: (World, [String]) async throws -> Void
  ) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "oracle-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    for (name, text) in oracle {
      let file = folder.appending(path: name)
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }
    try await World.with(simulator: simulator + ["--source", folder.path], holdsLoad: holdsLoad) { world in
      try world.database.run(tables)
      let configured = try world.configured(configuration)
      let made = try await world.run(["init", "--quiet"] + configured)
      #expect(made.status == 0, "\(made.transcript)")
      try await body(world, configured + World.route.dropFirst(2))
    }
  }

  /// Names of schemas that a task's rules rename, and what they become.
  private func renames(_ mappings: String) throws -> [String: String] {
    try JSONValue(text: mappings)["rules"].elements.reduce(into: [:]) { renames, rule in
      guard rule["rule-target"].text == "schema" else { return }
      renames[rule["object-locator"]["schema-name"].text ?? ""] = rule["value"].text
    }
  }

  @Test func `one task loads the tables of all pairs, and one run merges them, while CDC writes there`() async throws {
    try await Self.withWorld { world, options in
      let reload = try world.start(["reload"] + World.window + options + ["--json", "--cleanup"])
      let target = world.database.target
      let cdc = Task {
        let connection = try Connection(to: target, applicationName: "cdc") { _ in }
        var writes = 0
        while !Task.isCancelled {
          try connection.execute(
            """
            INSERT INTO shop.items VALUES (2, 5, '2025-02-02') ON CONFLICT (id) DO UPDATE
            SET v = excluded.v, updated_at = excluded.updated_at
            """,
            "writing like CDC"
          )
          writes += 1
          try? await Task.sleep(for: .milliseconds(10))
        }
        return writes
      }
      let outcome = try await reload.outcome()
      cdc.cancel()
      #expect(try await cdc.value > 0)
      #expect(outcome.status == 0, "\(outcome.transcript)")
      let merged = try outcome.json()["merge"]["tables"].elements.compactMap { $0["table"].text }
      #expect(Set(merged) == ["crm.customers", "crm.items", "shop.items", "shop.orders"])
      #expect(try world.database.rows("SELECT id, v FROM shop.items ORDER BY id") == ["(1,2)", "(2,5)", "(3,2)"])
      #expect(try world.database.rows("SELECT id, v FROM crm.items") == ["(1,9)"])
      #expect(try world.database.count("SELECT count(*) FROM shop.orders") == 2)
      #expect(try world.database.count("SELECT count(*) FROM admin.merge_summary") == 1)
      #expect(try world.database.count("SELECT count(*) FROM crm_stg.ora_items") == 0)
      let requests = try world.requests("CreateReplicationTask")
      #expect(requests.count == 1)
      #expect(try renames(requests[0]["TableMappings"].text ?? "") == ["SHOP": "shop_stg", "CRM": "crm_stg"])
    }
  }

  @Test func `a load that lacks rows of one pair's table is not merged`() async throws {
    try await Self.withWorld(simulator: ["--fail", "no-tables"]) { world, options in
      let outcome = try await world.run(["reload"] + World.window + options)
      #expect(outcome.status == 76, "\(outcome.transcript)")
      for table in ["shop_stg.items", "crm_stg.ora_items"] { #expect(outcome.errors.contains(table)) }
      #expect(try world.database.count("SELECT count(*) FROM crm.items") == 0)
    }
  }

  @Test func `it is resumed, and validated at the end`() async throws {
    try await Self.withWorld(holdsLoad: true) { world, options in
      let program = try world.start(["reload", "--validate"] + World.window + options)
      try await eventually("a row in staging") {
        try world.database.count("SELECT count(*) FROM shop_stg.items") > 0 ? () : nil
      }
      program.send(SIGINT)
      #expect(try await program.outcome().status == 130)
      try world.letLoadGoOn()
      let outcome = try await world.resume(Array(options.prefix(2)))
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(outcome.output.contains("4 tables compared by DMS"), "\(outcome.transcript)")
      #expect(try world.database.rows("SELECT id, v FROM crm.items") == ["(1,9)"])
      let validation = try #require(try world.requests("CreateReplicationTask").last?["TableMappings"].text)
      #expect(try renames(validation) == ["SHOP": "shop", "CRM": "crm"])
      #expect(!validation.contains("ora_items"))
    }
  }

  @Test func `rows that DMS found to differ are told apart by pair, loaded and mended`() async throws {
    try await Self.withWorld { world, options in
      let first = try await world.run(["reload", "--cleanup"] + World.window + options)
      #expect(first.status == 0, "\(first.transcript)")
      try world.database.run(
        "UPDATE shop.items SET v = 70 WHERE id = 1; DELETE FROM crm.items; INSERT INTO crm.items VALUES (8, 8)"
      )
      for (owner, key) in [("SHOP", "1"), ("CRM", "1"), ("CRM", "8")] {
        try ValidationTests.record(
          world,
          [(key, key == "8" ? "MISSING_SOURCE" : "RECORD_DIFF", "[]")],
          owner: owner,
          name: "ITEMS"
        )
      }
      let list = try await world.run(["validation", "list", "--json"] + options.prefix(2))
      #expect(
        try list.json()["tables"].elements.compactMap { $0["table"].text }.sorted() == [
          "crm.items", "crm.items", "shop.items",
        ]
      )
      let file = world.path("extra.jsonl")
      try await world.database.letOlderTransactionsEnd()
      let outcome = try await world.run(["reload", "--from-validation", "--json", "--output", file] + options)
      #expect(outcome.status == 65, "\(outcome.transcript)")
      let failures = try outcome.json()["failures"]
      #expect(failures["asked"].integer == 3 && failures["mended"].integer == 2, "\(outcome.transcript)")
      #expect(failures["extra"].integer == 1)
      #expect(try world.database.rows("SELECT id, v FROM shop.items WHERE id = 1") == ["(1,2)"])
      #expect(try world.database.rows("SELECT id, v FROM crm.items ORDER BY id") == ["(1,9)", "(8,8)"])
      let repair = try await world.run(
        ["repair", file, "--kind", "extra", "--max-extra-percent", "100"] + options.prefix(2)
      )
      #expect(repair.status == 0, "\(repair.transcript)")
      #expect(try world.database.rows("SELECT id, v FROM crm.items") == ["(1,9)"])
      // Whose schema this is nobody has said.
      try ValidationTests.record(world, [("3", "RECORD_DIFF", "[]")], owner: "ORA", name: "ITEMS")
      let unknown = try await world.run(["validation", "list", "--pair", "shop_stg=shop", "--pair", "crm_stg=crm"])
      #expect(
        unknown.status == 65 && unknown.everything.contains("ORA.ITEMS, which may be shop.items or crm.items"),
        "\(unknown.transcript)"
      )
    }
  }

  // MARK: - Documents

  @Test func `mappings have the rules of every pair, and the lint knows the tables of each`() async throws {
    try await Self.withWorld { world, options in
      let made = try await world.run(["dms", "mappings"] + World.window + options.prefix(2))
      #expect(made.status == 0, "\(made.transcript)")
      #expect(try renames(made.output) == ["SHOP": "shop_stg", "CRM": "crm_stg"])
      let selected = try JSONValue(text: made.output)["rules"].elements.filter { $0["rule-type"].text == "selection" }
        .map { "\($0["object-locator"]["schema-name"].text ?? "").\($0["object-locator"]["table-name"].text ?? "")" }
      #expect(Set(selected) == ["CRM.CUSTOMERS", "CRM.ITEMS", "SHOP.ITEMS", "SHOP.ORDERS"])
      let file = world.path("mappings.json")
      try Data(made.output.utf8).write(to: URL(filePath: file))
      let good = try await world.run(["dms", "lint", file] + options.prefix(2))
      #expect(good.status == 0, "\(good.transcript)")
      // Customers are in the other pair: their staging is not where this document sends them.
      try Data(made.output.replacing("\"crm_stg\"", with: "\"shop_stg\"").utf8).write(to: URL(filePath: file))
      let bad = try await world.run(["dms", "lint", file] + options.prefix(2))
      #expect(bad.status == 65, "\(bad.transcript)")
      #expect(bad.output.contains("CUSTOMERS would be loaded into \"shop_stg.customers\""), "\(bad.transcript)")
    }
  }

  @Test func `mappings of named tables need no database; what a rule can't say is refused`() async throws {
    let pairs = ["--pair", "shop_stg=shop", "--pair", "crm_stg=crm"]
    let named = ["dms", "mappings", "--table", "shop.items", "--table", "crm.items"] + World.window + pairs
    let made = try await CommandLineProgram.run(named + ["--source-schema", "shop=SHOP", "--source-schema", "crm=CRM"])
    #expect(made.status == 0, "\(made.transcript)")
    #expect(try renames(made.output) == ["SHOP": "shop_stg", "CRM": "crm_stg"])
    for (words, message) in [
      ([], "--source-schema shop=NAME"), (["--source-schema", "shop="], "PRODUCTION=NAME once for each pair"),
    ] as [([String], String)] {
      let outcome = try await CommandLineProgram.run(named + words)
      #expect(outcome.status == 64, "\(outcome.transcript)")
      #expect(outcome.errors.contains(message), "\(outcome.transcript)")
    }
    // One schema of Oracle's can't go to two: a rule renames it for all of its tables.
    let shared = try await CommandLineProgram.run(
      named.map { $0 == "crm.items" ? "crm.other" : $0 } + ["--source-schema", "ONE"]
    )
    #expect(
      shared.status == 64 && shared.errors.contains("tables of ONE would be loaded into shop_stg and into crm_stg"),
      "\(shared.transcript)"
    )
  }
}
