import Foundation
import Libpq
import TestSupport
import Testing

/// DMS's own validation: what it has found, looked at again, loaded row by row, and merged.
@Suite struct ValidationTests {
  private static let onlyOrders = ["--table", "orders"]

  /// Production is as Oracle for January, but for what was spoiled since: three orders have other amounts, one is in
  /// production alone, and DMS has found all of it.
  private static func spoil(_ world: World) async throws -> CommandLineProgram.Outcome {
    let first = try await world.reload(onlyOrders + ["--cleanup"])
    #expect(first.status == 0, "\(first.transcript)")
    try world.database.run(
      """
      UPDATE production.orders SET amount = amount + 1000 WHERE order_id IN (401, 402, 404);
      INSERT INTO production.orders VALUES (9001, 1, 5, '2025-01-01', '2025-01-15')
      """
    )
    return try await world.reload(onlyOrders + ["--cleanup", "--validate", "--json"])
  }

  @Test func `what DMS finds to differ is loaded row by row and mended, while CDC writes there`() async throws {
    try await World.with(.real) { world in
      let validated = try await Self.spoil(world)
      #expect(validated.status == 65, "\(validated.transcript)")
      let validation = try validated.json()["validation"]
      #expect(validation["open"].integer == 4, "\(validated.transcript)")
      // Orders that CDC has taken out of the window are found, too, and are seen to be there.
      #expect(validation["mismatches"].elements.first?["rows"].integer ?? 0 > 4)
      let task = try #require(validation["task_arn"].text)
      let settings = try #require(try world.requests("CreateReplicationTask").last?["ReplicationTaskSettings"].text)
      #expect(try JSONValue(text: settings)["ValidationSettings"]["ValidationOnly"] == .bool(true))
      #expect(try world.calls().count { $0 == "DeleteReplicationTask" } == 3)

      // One is mended meanwhile, and one is gone.
      try world.database.run(
        """
        UPDATE production.orders SET amount = amount - 1000 WHERE order_id = 404;
        DELETE FROM production.orders WHERE order_id = 401
        """
      )
      let list = try await world.run(["validation", "list", "--json", "--all", "--task", task])
      #expect(list.status == 65, "\(list.transcript)")
      let standings = try list.json()["failures"].elements.reduce(into: [String: String]()) { standings, failure in
        standings[failure["key"]["order_id"].text ?? ""] = failure["standing"].text
      }
      #expect(standings["404"] == "mended" && standings["401"] == "changed")
      #expect(standings["402"] == "stands" && standings["9001"] == "stands")
      let shown = try await world.run(["validation", "list"])
      #expect(shown.output.contains("merge-engine reload --from-validation"))
      #expect(
        shown.output.contains("production has been written") || shown.output.contains("production no longer has it")
      )

      let file = world.path("extra.jsonl")
      try await world.database.letOlderTransactionsEnd()
      let reload = try world.start(
        ["reload", "--from-validation", "--truncate", "--output", file, "--json"] + World.route
      )
      let target = world.database.target
      let cdc = Task { try await EndToEndTests.writeLikeCDC(target) }
      let outcome = try await reload.outcome()
      cdc.cancel()
      #expect(try await cdc.value > 0)
      // The row that Oracle has no more is nobody's to delete by itself.
      #expect(outcome.status == 65, "\(outcome.transcript)")
      let failures = try outcome.json()["failures"]
      #expect(failures["asked"].integer == 3 && failures["mended"].integer == 2, "\(outcome.transcript)")
      #expect(failures["extra"].integer == 1 && failures["remaining"].elements.isEmpty)
      #expect(failures["extra_file"].text == file)
      #expect(try world.database.count("SELECT count(*) FROM staging.orders") == 2)
      let different = """
        SELECT count(*) FROM staging.orders s LEFT JOIN production.orders p USING (order_id)
        WHERE (s.amount, s.updated_at) IS DISTINCT FROM (p.amount, p.updated_at)
        """
      #expect(try world.database.count(different) == 0)
      #expect(try world.database.count("SELECT count(*) FROM production.orders WHERE order_id = 9001") == 1)

      let repair = try await world.run(["repair", file, "--kind", "extra"])
      #expect(repair.status == 0, "\(repair.transcript)")
      #expect(try world.database.count("SELECT count(*) FROM production.orders WHERE order_id = 9001") == 0)
      let done = try await world.run(["validation", "list"])
      #expect(done.status == 0, "\(done.transcript)")
      let nothing = try await world.run(["reload", "--from-validation", "--json"] + World.route)
      #expect(nothing.status == 0, "\(nothing.transcript)")
      #expect(try nothing.json()["failures"]["asked"].integer == 0)
    }
  }

  @Test func `a row that CDC brings after the load has begun is not taken for one that Oracle lacks`() async throws {
    try await World.with(holdsLoad: true) { world in
      try Self.record(world, [("9001", "MISSING_TARGET", "[]"), ("1", "MISSING_TARGET", "[]")])
      try world.database.run("DELETE FROM production.orders WHERE order_id IN (1, 9001)")
      let file = world.path("extra.jsonl")
      let reload = try world.start(["reload", "--from-validation", "--output", file, "--json"] + World.route)
      try await eventually("a row in staging") {
        try world.database.count("SELECT count(*) FROM staging.orders") > 0 ? () : nil
      }
      try world.database.run("INSERT INTO production.orders VALUES (9001, 1, 5, '2025-01-01', now())")
      try world.letLoadGoOn()
      let outcome = try await reload.outcome()
      #expect(outcome.status == 65, "\(outcome.transcript)")
      let failures = try outcome.json()["failures"]
      #expect(failures["extra"].integer == 0 && failures["mended"].integer == 1)
      #expect(failures["remaining"].elements.first?["reason"].text?.contains("look again later") == true)
      #expect(!FileManager.default.fileExists(atPath: file))
    }
  }

  /// 600 failures take two pieces; orders that Oracle does not have are extra.
  private static func failEveryOrder(_ world: World) throws {
    try record(world, (1...600).map { ("\($0)", "MISSING_TARGET", "[]") })
    try world.database.run("DELETE FROM production.orders")
  }

  @Test func `many rows are loaded in pieces, each in a task of its own`() async throws {
    try await World.with { world in
      try Self.failEveryOrder(world)
      let outcome = try await world.run(["reload", "--from-validation", "--cleanup"] + World.route)
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(outcome.output.contains("600 of 600 failures mended"), "\(outcome.transcript)")
      #expect(try world.database.count("SELECT count(*) FROM production.orders") == 600)
      for call in ["CreateReplicationTask", "StartReplicationTask", "DeleteReplicationTask"] {
        #expect(try world.calls().count { $0 == call } == 2, "\(call)")
      }
      for request in try world.requests("CreateReplicationTask") {
        let rules = try JSONValue(text: request["TableMappings"].text ?? "")["rules"].elements
        let conditions = rules.flatMap { $0["filters"].elements }.flatMap { $0["filter-conditions"].elements }
        #expect((1...500).contains(conditions.count))
        #expect(conditions.allSatisfy { $0["filter-operator"].text == "eq" })
      }
      #expect(try world.database.count("SELECT count(*) FROM staging.orders") == 0)
      #expect(try world.database.count("SELECT count(*) FROM admin.merge_summary") == 1)
    }
  }

  @Test(arguments: [SIGINT, SIGKILL])
  func `a load in pieces that was interrupted is resumed with the piece that it stood at`(_ signal: Int32) async throws
  {
    try await World.with(holdsLoad: true) { world in
      try Self.failEveryOrder(world)
      let program = try world.start(["reload", "--from-validation"] + World.route)
      try await eventually("a row in staging") {
        try world.database.count("SELECT count(*) FROM staging.orders") > 0 ? () : nil
      }
      program.send(signal)
      _ = try await program.outcome()
      try world.letLoadGoOn()
      // Without the file's or the flags' names of the source the pieces to come could not be made.
      let outcome = try await world.resume(["--source-schema", "SOURCE_SCHEMA"])
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(outcome.output.contains("600 of 600 failures mended"), "\(outcome.transcript)")
      #expect(try world.calls().count { $0 == "CreateReplicationTask" } == 2)
      #expect(try world.database.count("SELECT count(*) FROM production.orders") == 600)
    }
  }

  @Test func `a piece that is not loaded well ends it, and nothing is merged`() async throws {
    try await World.with(simulator: ["--fail", "fewer-rows@ORDERS"]) { world in
      try Self.failEveryOrder(world)
      let outcome = try await world.run(["reload", "--from-validation"] + World.route)
      #expect(outcome.status == 76, "\(outcome.transcript)")
      #expect(outcome.errors.contains("DMS loaded 500 rows and staging has 495"), "\(outcome.transcript)")
      #expect(try world.database.count("SELECT count(*) FROM production.orders") == 0)
      #expect(try world.lastRun().status == "FAILED")
    }
  }

  @Test func `a dry run shows the filters and calls nothing`() async throws {
    try await World.with { world in
      try Self.record(world, [("1", "MISSING_TARGET", "[]"), ("2", "MISSING_SOURCE", "[]")])
      try world.database.run("DELETE FROM production.orders WHERE order_id = 1")
      let outcome = try await world.run(["reload", "--from-validation", "--dry-run", "--json"] + World.route)
      #expect(outcome.status == 0, "\(outcome.transcript)")
      let creation = try outcome.json()["calls"].elements.first { $0["operation"].text == "create-replication-task" }
      let rules = creation?["request"]["TableMappings"]["rules"].elements ?? []
      let filter = rules.first?["filters"].elements.first
      #expect(filter?["column-name"].text == "ORDER_ID")
      #expect(filter?["filter-conditions"].elements.map(\.["value"].text) == ["1", "2"])
      #expect(try world.calls() == [])
      #expect(try world.database.count("SELECT count(*) FROM admin.merge_summary") == 0)
    }
  }

  @Test func `a validation that does not compare everything ends with 76, and the merge stands`() async throws {
    try await World.with(simulator: ["--fail", "suspended@ORDERS"]) { world in
      let outcome = try await world.reload(Self.onlyOrders + ["--validate"])
      #expect(outcome.status == 76, "\(outcome.transcript)")
      #expect(
        outcome.errors.contains("production.orders: its validation is \"Suspended records\""),
        "\(outcome.transcript)"
      )
      #expect(outcome.errors.contains("3 rows not compared"))
      #expect(outcome.errors.contains("The merge is done"))
      #expect(try world.lastRun().status == "SUCCESS")
      // Another attempt has another task.
      #expect(try await world.resume(["--source-schema", "SOURCE_SCHEMA"]).status == 76)
      #expect(try world.calls().count { $0 == "CreateReplicationTask" } == 3)
      #expect(try world.database.count("SELECT count(*) FROM admin.merge_summary") == 1)
      let cleanup = try await world.run(["cleanup", "--force", "--json"])
      #expect(try cleanup.json()["tasks"].elements.count == 3, "\(cleanup.transcript)")
    }
  }

  // MARK: - What DMS has written

  /// Makes DMS's table as DMS makes it, and writes into it what DMS would.
  static func record(
    _ world: World,
    _ failures: [(key: String, type: String, details: String)],
    table: String = "public.awsdms_validation_failures_v2",
    owner: String = "SOURCE_SCHEMA",
    name: String = "ORDERS"
  ) throws {
    let resync =
      table.hasSuffix("2")
      ? #", "RESYNC_RESULT" varchar(128), "RESYNC_TIME" timestamp, "RESYNC_ACTION" varchar(128), "RESYNC_ID" bigserial"#
      : ""
    let rows = failures.map { failure in
      let key = failure.key.hasPrefix("{") ? failure.key : "{\"key\":\t[\"\(failure.key)\"]}"
      return
        "('TASK1', '\(owner)', '\(name)', now(), 'Row', '\(key)', '\(failure.type)', '\(failure.details.replacing("'", with: "''"))')"
    }
    let schema = table.split(separator: ".")[0]
    try world.database.run(
      """
      CREATE SCHEMA IF NOT EXISTS \(schema);
      CREATE TABLE IF NOT EXISTS \(table) ("TASK_NAME" varchar(128) NOT NULL, "TABLE_OWNER" varchar(128) NOT NULL,
        "TABLE_NAME" varchar(128) NOT NULL, "FAILURE_TIME" timestamp NOT NULL, "KEY_TYPE" varchar(128) NOT NULL,
        "KEY" varchar(7800) NOT NULL, "FAILURE_TYPE" varchar(128) NOT NULL, "DETAILS" varchar(7800) NOT NULL\(resync));
      INSERT INTO \(table) ("TASK_NAME", "TABLE_OWNER", "TABLE_NAME", "FAILURE_TIME", "KEY_TYPE", "KEY", "FAILURE_TYPE", "DETAILS")
      VALUES \(rows.joined(separator: ", "))
      """
    )
  }

  private func standings(_ world: World, _ more: [String] = []) async throws -> [String: String] {
    let list = try await world.run(["validation", "list", "--json", "--all"] + more)
    return try list.json()["failures"].elements.reduce(into: [:]) { standings, failure in
      standings[failure["key_text"].text ?? ""] = failure["standing"].text
    }
  }

  @Test func `keys and values are read as DMS writes them, of both forms of its table`() async throws {
    try await World.with { world in
      try world.database.run(
        """
        CREATE TABLE production.lines (order_id int, line_no int, price numeric, note text, sold timestamp, updated_at timestamp,
          PRIMARY KEY (order_id, line_no));
        INSERT INTO production.lines VALUES
          (1, 1, 1.5, 'It''s', '2025-01-01', now()), (1, 2, 0.110106036, NULL, '2025-01-01 10:00:00.5', now())
        """
      )
      let failures: [(key: String, type: String, details: String)] = [
        (#"{"key":  ["1", "1"]}"#, "RECORD_DIFF", "[[{'PRICE': '1.50'}, {'PRICE': '2'}],]"),
        (
          #"{"key": [1, 2]}"#, "RECORD_DIFF",
          "[[{'PRICE': '+2e0'}, {'PRICE': '+1.10106036e-01'}],[{'NOTE': 'x'}, {'NOTE': None}],"
            + "[{'SOLD': '2025-01-02'}, {'SOLD': '2025-01-01 10:00:00.500000'}],]"
        ),
        (#"{"key": ["7", "7"]}"#, "MISSING_TARGET", "[]"),
        (#"{"key": ["8", "8"]}"#, "MISSING_SOURCE", "[]"),
      ]
      for (table, owner) in [
        ("awsdms_control.awsdms_validation_failures_v1", "SHOP"),
        ("public.awsdms_validation_failures_v2", "production"),
      ] {
        try Self.record(world, failures, table: table, owner: owner, name: owner == "SHOP" ? "LINES" : "lines")
        let seen = try await standings(world, ["--failure-table", table, "--source-schema", "SHOP"])
        #expect(seen[failures[0].key] == "mended" && seen[failures[1].key] == "stands", "\(table): \(seen)")
        #expect(seen[failures[2].key] == "stands" && seen[failures[3].key] == "mended", "\(table): \(seen)")
      }
      // The same rows of both tables count once; failures of other schemas are nobody's business here.
      try Self.record(world, [("5", "RECORD_DIFF", "[]")], owner: "OTHERS")
      let all = try await world.run(["validation", "list", "--json", "--source-schema", "SHOP"])
      #expect(all.status == 65, "\(all.transcript)")
      #expect(try all.json()["tables"].elements.reduce(0) { $0 + ($1["failures"].integer ?? 0) } == 4)
      #expect(try all.json()["other_failures"].integer == 1)
      #expect(try all.json()["sources"].elements.count == 2)
    }
  }

  @Test func `several columns of a key are filtered each, and what comes besides is merged like any row`() async throws
  {
    try await World.with { world in
      try world.database.run(
        "ALTER TABLE production.orders DROP CONSTRAINT orders_pkey, ADD PRIMARY KEY (order_id, customer_id)"
      )
      try Self.record(
        world,
        [(#"{"key": ["1", "8"]}"#, "RECORD_DIFF", "[]"), (#"{"key": ["2", "15"]}"#, "RECORD_DIFF", "[]")]
      )
      let outcome = try await world.run(["reload", "--from-validation", "--json"] + World.route)
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try outcome.json()["failures"]["mended"].integer == 2, "\(outcome.transcript)")
      #expect(try world.text("SELECT amount FROM production.orders WHERE order_id = 2") == "0.74")
      #expect(outcome.errors.contains("every combination of the values in 2 keys is loaded: 4 rows at most"))
    }
  }

  @Test func `what comes besides the keys that were asked for is merged by the rule, and says nothing of Oracle`()
    async throws
  {
    let folder = FileManager.default.temporaryDirectory.appending(path: "oracle-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.createDirectory(at: folder.appending(path: "SHOP"), withIntermediateDirectories: true)
    let rows = (1...600).flatMap { order in (1...3).map { "\(order),\($0),10,2025-01-10 00:00:00\n" } }.joined()
    try Data("ORDER_ID NUMBER(9),LINE_NO NUMBER(9),V NUMBER(9),UPDATED_AT DATE\n\(rows)".utf8)
      .write(to: folder.appending(path: "SHOP/LINES.csv"))
    try await World.with(simulator: ["--source", folder.path]) { world in
      try world.database.run(
        """
        CREATE TABLE production.lines (order_id int, line_no int, v int, updated_at timestamp, PRIMARY KEY (order_id, line_no));
        INSERT INTO production.lines SELECT n, l, 1, '2024-01-01' FROM generate_series(1, 600) AS n, generate_series(1, 3) AS l;
        -- CDC has been here, and there is a row that Oracle lacks and nobody asks for.
        UPDATE production.lines SET v = 99, updated_at = '2025-06-01' WHERE order_id = 3 AND line_no = 2;
        INSERT INTO production.lines VALUES (3, 4, 5, '2024-01-01')
        """
      )
      #expect(try await world.run(["init", "--table", "lines", "--quiet"]).status == 0)
      try Self.record(
        world,
        (1...600).map { (#"{"key": ["\#($0)", "\#($0 % 3 + 1)"]}"#, "RECORD_DIFF", "[]") },
        owner: "SHOP",
        name: "LINES"
      )
      let outcome = try await world.run(
        ["reload", "--from-validation", "--json", "--table", "lines"] + World.route + ["--source-schema", "SHOP"]
      )
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try outcome.json()["failures"]["mended"].integer == 600, "\(outcome.transcript)")
      // Two lines of 400 orders in the first piece, one of 200 in the second; each row came once, and CDC's was left alone.
      #expect(try world.database.count("SELECT count(*) FROM staging.lines") == 1000)
      #expect(try world.database.count("SELECT count(*) FROM production.lines WHERE v = 10") == 999)
      #expect(try world.text("SELECT v FROM production.lines WHERE order_id = 3 AND line_no = 2") == "99")
      #expect(try world.text("SELECT v FROM production.lines WHERE order_id = 3 AND line_no = 4") == "5")
      #expect(outcome.errors.contains("1,000 rows at most"), "\(outcome.errors)")
    }
  }

  struct Unusable: CustomTestStringConvertible, Sendable {
    let what: String
    let setup: String
    /// What `validation list` ends with.
    let listed: Int32
    let says: String

    var testDescription: String { what }
  }

  static let unusable = [
    Unusable(what: "no table", setup: "", listed: 73, says: "there is no table awsdms_validation_failures_v1 or"),
    Unusable(
      what: "unknown version",
      setup: "ALTER TABLE awsdms_validation_failures_v2 RENAME TO awsdms_validation_failures_v3",
      listed: 73,
      says: "public.awsdms_validation_failures_v3 is a version of DMS's table"
    ),
    Unusable(
      what: "missing column",
      setup: #"ALTER TABLE awsdms_validation_failures_v2 DROP COLUMN "FAILURE_TYPE", DROP COLUMN "RESYNC_RESULT""#,
      listed: 73,
      says: "it has no column FAILURE_TYPE, RESYNC_RESULT"
    ),
    Unusable(
      what: "unknown kind",
      setup: #"UPDATE awsdms_validation_failures_v2 SET "FAILURE_TYPE" = 'ODD'"#,
      listed: 73,
      says: "DMS calls a failure of SOURCE_SCHEMA.ORDERS ODD"
    ),
    Unusable(
      what: "key cut off",
      setup: #"UPDATE awsdms_validation_failures_v2 SET "KEY" = '{"key": ["12'"#,
      listed: 65,
      says: #"is not of the form {"key": ["value"]}, or was cut off"#
    ),
    Unusable(
      what: "key of another type",
      setup: #"UPDATE awsdms_validation_failures_v2 SET "KEY" = '{"key": ["2f1c-"]}'"#,
      listed: 65,
      says: "invalid input syntax for type integer"
    ),
    Unusable(
      what: "two values for one column",
      setup: #"UPDATE awsdms_validation_failures_v2 SET "KEY" = '{"key": ["1", "2"]}'"#,
      listed: 65,
      says: "it has 2 values, and the key of production.orders is order_id"
    ),
    Unusable(
      what: "table gone",
      setup: #"UPDATE awsdms_validation_failures_v2 SET "TABLE_NAME" = 'OLD_ORDERS'"#,
      listed: 65,
      says: "DMS reports failures of SOURCE_SCHEMA.OLD_ORDERS, and there is no such table in production any more"
    ),
  ]

  @Test(arguments: unusable)
  func `what can't be used is said, and nothing is loaded`(_ bad: Unusable) async throws {
    try await World.with { world in
      if !bad.setup.isEmpty {
        try Self.record(world, [("1", "MISSING_TARGET", "[]")])
        try world.database.run(bad.setup)
      }
      let list = try await world.run(["validation", "list"])
      #expect(list.status == bad.listed, "\(list.transcript)")
      #expect(list.transcript.contains(bad.says), "\(list.transcript)")
      #expect(!list.output.contains(": 0 failures"), "\(list.transcript)")
      let reload = try await world.run(["reload", "--from-validation", "--json"] + World.route)
      #expect(reload.status == 73, "\(reload.transcript)")
      #expect(reload.errors.contains(bad.says), "\(reload.transcript)")
      #expect(try reload.json()["exit_status"].integer == 73)
      #expect(try world.calls() == [])
      #expect(try world.database.count("SELECT count(*) FROM admin.merge_summary") == 0)
    }
  }

  @Test func `options that do not belong together are refused`() async throws {
    try await World.with { world in
      for (arguments, words) in [
        (["--from-validation", "--from", "2025-01-01"], "--from-validation loads single rows"),
        (["--from-validation", "--validate"], "--from-validation loads single rows"),
        (["--output", "x"], "only"), (["--resume", "--validate"], "--resume keeps"),
      ] {
        let outcome = try await world.run(["reload"] + World.route + arguments)
        #expect(outcome.status == 64, "\(outcome.transcript)")
        #expect(outcome.errors.contains(words), "\(outcome.transcript)")
      }
    }
  }

  @Test func `the JSON of both commands is as the schema says`() async throws {
    let file = World.repository.appending(path: "Sources/MergeEngine/MergeEngine.docc/output.schema.json")
    let schema = try JSONSchema(text: String(contentsOf: file, encoding: .utf8))
    try await World.with { world in
      let validated = try await Self.spoil(world)
      #expect(schema.faults(try validated.json(), definition: "reload") == [])
      let list = try await world.run(["validation", "list", "--json"])
      #expect(schema.faults(try list.json(), definition: "validation_list") == [])
      let file = world.path("extra.jsonl")
      let reload = try await world.run(
        ["reload", "--from-validation", "--truncate", "--json", "--output", file] + World.route
      )
      #expect(schema.faults(try reload.json(), definition: "reload") == [], "\(reload.transcript)")
    }
  }
}
