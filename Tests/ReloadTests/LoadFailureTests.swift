import Testing

/// Every way in which a load can go wrong ends with 76 or 69 and a message that names task, table and reason, and leaves
/// production as it was.
@Suite struct LoadFailureTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let failure: String
    var status: Int32 = 76
    let says: [String]
    var arguments: [String] = []
    /// What `merge_summary` says afterwards; nil where no run was opened.
    var run: String? = "FAILED"

    var testDescription: String { failure }
  }

  static let cases = [
    Case(failure: "table-error@ORDERS", says: ["staging.orders", "Table error", "it counts 1 errored table"]),
    Case(failure: "no-tables", says: ["staging.orders", "staging.customers", "SOURCE_SCHEMA.ORDERS exist"]),
    Case(failure: "failed@ORDERS", says: ["it is failed", "ORA-01555: snapshot too old"]),
    Case(failure: "low-memory@ORDERS", says: ["STOPPED_DUE_TO_LOW_MEMORY", "staging.orders", "Table cancelled"]),
    Case(
      failure: "missing-table@ORDERS",
      says: ["staging.orders", "Table does not exist", "it loaded 1 table of the 2 that were expected"]
    ),
    Case(failure: "fewer-rows@ORDERS", says: ["staging.orders", "DMS loaded 373 rows and staging has 368", "lost"]),
    Case(failure: "lost-task@ORDERS", says: ["there is no such task any more", "somebody deleted it"]),
    Case(failure: "endless-starting", says: ["still starting after 1 s"], arguments: ["--start-timeout", "1"]),
    Case(failure: "connection", says: ["password authentication failed", "target"], run: nil),
    Case(
      failure: "access-denied",
      status: 69,
      says: ["not authorized to perform: dms:CreateReplicationTask", "Nothing was created"]
    ),
    Case(failure: "throttled", status: 69, says: ["Rate exceeded", "reload --resume"], run: "LOADING"),
  ]

  @Test(arguments: cases)
  func aLoadThatIsNotGoodIsNamedAndNothingOfItIsMerged(_ failure: Case) async throws {
    try await World.with(simulator: ["--fail", failure.failure]) { world in
      let before = try world.productionFingerprint()
      let outcome = try await world.reload(failure.arguments)
      #expect(outcome.status == failure.status, "\(outcome.transcript)")
      for words in failure.says {
        #expect(outcome.errors.contains(words), "\(words) is missing: \(outcome.transcript)")
      }
      #expect(try world.productionFingerprint() == before)
      #expect(try world.database.count("SELECT count(*) FROM admin.merge_logs") == 0)
      let run = try world.lastRun()
      #expect(run.status == failure.run ?? "")
      if failure.run != nil {
        #expect(outcome.errors.contains(try world.annotation("reload")) || failure.failure == "access-denied")
      }
      if failure.run == "FAILED" { #expect(run.notes != "") }
      // The task is left for a look at its log.
      #expect(!(try world.calls().contains("DeleteReplicationTask")))
    }
  }

  @Test func aServiceThatCannotBeReachedEndsWith69BeforeAnythingIsWritten() async throws {
    try await World.with { world in
      let nowhere = ["AWS_ENDPOINT_URL_DATABASE_MIGRATION_SERVICE": "http://127.0.0.1:9"]
      let outcome = try await world.reload(environment: nowhere)
      #expect(outcome.status == 69, "\(outcome.transcript)")
      #expect(outcome.errors.contains("Could not connect to the endpoint URL"))
      #expect(try world.lastRun().status == "")
      let noCommand = try await world.reload(environment: ["PATH": "/nonexistent"])
      #expect(noCommand.status == 69, "\(noCommand.transcript)")
      #expect(noCommand.errors.contains("install the AWS CLI"))
    }
  }

  @Test func stagingThatIsNotEmptyBlocksUntilItIsTruncated() async throws {
    try await World.with { world in
      try world.database.run(
        "INSERT INTO staging.orders (order_id, customer_id, updated_at) VALUES (1, 1, '2025-01-10')"
      )
      let blocked = try await world.reload()
      #expect(blocked.status == 73, "\(blocked.transcript)")
      #expect(blocked.errors.contains("orders: its staging table holds 1 row, 1 of them not merged"))
      #expect(try world.calls() == [])
      let truncated = try await world.reload(["--truncate"])
      #expect(truncated.status == 0, "\(truncated.transcript)")
      #expect(truncated.output.contains("; 1 row truncated"))
    }
  }

  @Test func wrongUsageIsSaidBeforeAnythingIsCalled() async throws {
    try await World.with { world in
      for (arguments, words) in [
        (["--to", "2024-01-01"], "is empty"),
        (["--from", "2025-01-01T00:00:00Z"], "time zone"),
        (["--pad", "1w"], "not a length of time"),
        (["--mappings", "/nonexistent.json"], "can't be read"),
        (["--resume"], "--resume keeps the window and the staging rows of the reload: leave out --from, --to"),
      ] {
        let outcome = try await world.reload(arguments)
        #expect(outcome.status == 64, "\(outcome.transcript)")
        #expect(outcome.errors.contains(words), "\(outcome.transcript)")
      }
      #expect(try world.calls() == [])
    }
  }
}
