import DMS
import Foundation
import TestSupport
import Testing

/// `dms mappings`, `dms settings` and `dms lint`, which need no database unless tables are to be found.
@Suite struct DocumentCommandTests {
  private static let configuration = """
    include: [orders, items]
    version_column: changed_at
    dms:
      source_schema: shop
      pad: 1h
      max_full_load_sub_tasks: 16
      lobs: {limited_kilobytes: 64}
    tables:
      orders:
        source_schema: sales
        source_table: SALES_ORDERS
        version_column: modified_at
        load_order: 2
        parallel_load: {columns: [order_id], boundaries: [[1000], [2000]]}
        lobs: unlimited
      items:
        parallel_load: partitions-auto
    """

  private func run(_ arguments: [String], configuration: String? = nil) async throws -> CommandLineProgram.Outcome {
    let files = configuration.map { ["merge-engine.yaml": $0] } ?? [:]
    return try await CommandLineProgram.run(arguments, files: files)
  }

  @Test func mappingsFollowTheConfigurationAndFlagsWin() async throws {
    let window = ["--from", "2025-01-01", "--to", "2025-02-01"]
    let outcome = try await run(["dms", "mappings"] + window, configuration: Self.configuration)
    #expect(outcome.status == 0, "\(outcome.transcript)")
    let mappings = try JSONDecoder().decode(TableMappings.self, from: Data(outcome.output.utf8))
    let text = outcome.output
    #expect(mappings.rules.count == 10)
    for words in [
      "\"SALES_ORDERS\"", "\"SALES\"", "\"SHOP\"", "\"ITEMS\"", "\"MODIFIED_AT\"", "\"CHANGED_AT\"",
      "2024-12-31 23:00:00",
      "2025-02-01 01:00:00", "\"ORDER_ID\"", "partitions-auto", "unlimited", "\"load-order\": \"2\"",
    ] { #expect(text.contains(words), "\(words): \(text)") }
    #expect(DocumentLint.lint(text).findings.filter { $0.grade == .error } == [])

    let flags = ["--table", "items", "--source-schema", "other", "--pad", "0s", "--window-form", "two-filters"]
    let typed = try await run(["dms", "mappings"] + window + flags, configuration: Self.configuration)
    #expect(typed.status == 0, "\(typed.transcript)")
    for words in ["\"OTHER\"", "\"gte\"", "\"lte\"", "2025-01-01 00:00:00"] { #expect(typed.output.contains(words)) }
    #expect(!typed.output.contains("SALES"))
  }

  @Test func settingsTakeTheirSizesFromTheConfiguration() async throws {
    let outcome = try await run(["dms", "settings"], configuration: Self.configuration)
    #expect(outcome.status == 0, "\(outcome.transcript)")
    for words in ["\"MaxFullLoadSubTasks\": 16", "\"LobMaxSize\": 64", "\"DO_NOTHING\"", "\"STOP_TASK\""] {
      #expect(outcome.output.contains(words))
    }
    #expect(DocumentLint.lint(outcome.output).findings.filter { $0.grade == .error } == [])
  }

  @Test(arguments: [
    ("dms: {max_full_load_sub_tasks: 50}", 64, "MaxFullLoadSubTasks is 50"),
    ("dms: {sorce_schema: X}", 78, "merge-engine.yaml:1: unknown key dms.sorce_schema"),
    ("dms:\n  lobs: {limited_kilobytes: 3, chunk_kilobytes: 4}", 78, "merge-engine.yaml:2: dms.lobs must be"),
    ("tables:\n  orders:\n    parallel_load: ranges", 78, "tables.orders.parallel_load must be"),
  ])
  func mistakesInTheConfigurationAreNamed(_ text: String, _ status: Int32, _ words: String) async throws {
    let outcome = try await run(["dms", "settings"], configuration: text)
    #expect(outcome.status == status, "\(outcome.transcript)")
    #expect(outcome.errors.contains(words), "\(outcome.transcript)")
  }

  @Test func aWindowThatIsNoneAndASchemaThatIsMissingAreWrongUsage() async throws {
    let backwards = [
      "dms", "mappings", "--table", "a", "--source-schema", "s", "--from", "2025-02-01", "--to", "2025-01-01",
    ]
    #expect(try await run(backwards).status == 64)
    let unnamed = try await run(["dms", "mappings", "--table", "a", "--from", "2025-01-01", "--to", "2025-02-01"])
    #expect(unnamed.status == 64)
    #expect(unnamed.errors.contains("--source-schema"))
  }

  @Test func theLintNamesTheGuidesDefectsAndEndsWith65() async throws {
    let guide = World.repository.appending(path: "Fixtures/dms/guide")
    let files = ["oracle-pg-time-window-mapping.json", "oracle-pg-task-settings.json"].map {
      guide.appending(path: $0).path
    }
    let outcome = try await run(["dms", "lint"] + files)
    #expect(outcome.status == 65, "\(outcome.transcript)")
    for code in [
      "window-joined-by-or", "unknown-rule-action", "missing-lower-case", "endpoint-settings-in-task-settings",
    ] {
      #expect(outcome.output.contains("[\(code)]"), "\(outcome.output)")
    }
    let asJSON = try await run(["dms", "lint", "--json"] + files)
    #expect(asJSON.status == 65)
    let object = try asJSON.json()
    #expect(object["files"].elements.map(\.["kind"].text) == ["mappings", "settings"])
    #expect(try #require(object["errors"].integer) > 3)
    #expect(try await run(["dms", "lint", "/nonexistent.json"]).status == 64)
  }

  @Test func withADatabaseTheTablesAreFoundAndTheLintKnowsThem() async throws {
    try await World.with { world in
      let made = try await world.run(["dms", "mappings", "--source-schema", "SOURCE_SCHEMA"] + World.window)
      #expect(made.status == 0, "\(made.transcript)")
      #expect(made.output.contains("\"CUSTOMERS\"") && made.output.contains("\"ORDERS\""))
      let file = FileManager.default.temporaryDirectory.appending(path: "mappings-\(UUID().uuidString).json")
      defer { try? FileManager.default.removeItem(at: file) }
      try Data(made.output.utf8).write(to: file)
      let good = try await world.run(["dms", "lint", file.path])
      #expect(good.status == 0, "\(good.transcript)")
      try Data(made.output.replacing("ORDERS", with: "ORDRES").utf8).write(to: file)
      let bad = try await world.run(["dms", "lint", file.path])
      #expect(bad.status == 65, "\(bad.transcript)")
      #expect(bad.output.contains("[unknown-table]"))
    }
  }

  @Test func `the lint knows a table by the key that merges and validation go by`() async throws {
    try await World.with { world in
      try world.database.run(
        """
        CREATE TABLE production.coded (code varchar(10) COLLATE "C" NOT NULL UNIQUE, v int, updated_at timestamp);
        CREATE TABLE production.numbered (id bigint PRIMARY KEY, shop int NOT NULL, number int NOT NULL, updated_at timestamp,
          UNIQUE (shop, number));
        CREATE TABLE production.keyless (v int, updated_at timestamp);
        CREATE TABLE staging.coded (code varchar(10), v int, updated_at timestamp);
        CREATE TABLE staging.numbered (id bigint, shop int, number int, updated_at timestamp);
        """
      )
      let settings = try await world.run(["dms", "settings"])
      let validating = settings.output.replacing("\"EnableValidation\": false", with: "\"EnableValidation\": true")
      #expect(validating != settings.output)
      try Data(validating.utf8).write(to: URL(filePath: world.path("settings.json")))
      let configured = try world.configured("tables: {numbered: {key: [number, shop]}}\n")
      let lint = try await world.run(["dms", "lint", "--json", world.path("settings.json")] + configured)
      let keys = try lint.json()["files"].elements[0]["findings"].elements
        .filter { $0["code"].text == "validation-key" }.compactMap { $0["message"].text }
      #expect(keys.count == 1 && keys[0].contains("the table keyless has no primary key"), "\(lint.transcript)")

      let made = try await world.run(
        ["dms", "mappings", "--table", "numbered", "--source-schema", "SHOP"] + World.window + configured
      )
      try Data(made.output.utf8).write(to: URL(filePath: world.path("mappings.json")))
      for (options, columns) in [(configured, ["number", "shop"]), ([], [])] {
        let lint = try await world.run(["dms", "lint", "--json", world.path("mappings.json")] + options)
        let narrow = try lint.json()["files"].elements[0]["findings"].elements.compactMap { $0["message"].text }
          .filter { $0.contains("an Oracle NUMBER key can have more than 9 digits") }
        for column in columns { #expect(narrow.contains { $0.contains(column) }, "\(lint.transcript)") }
        #expect(narrow.count == columns.count, "\(lint.transcript)")
      }
    }
  }
}
