import Foundation
import TestSupport
import Testing

/// A reload without a replication instance: AWS provisions what it takes, and everything else is as with a task.
@Suite struct ServerlessTests {
  private static let file = """
    dms:
      serverless:
        max_capacity_units: 16
        min_capacity_units: 2
        subnet_group: reload-subnets
        security_groups: [sg-1, sg-2]
        dns_name_servers: [10.0.0.2, 10.0.0.3]
    """

  private func arguments(_ world: World, _ more: [String] = []) throws -> [String] {
    try ["reload"] + World.window + World.endpoints + world.configured(Self.file) + more
  }

  @Test func `a window goes from Oracle to production through DMS Serverless while CDC writes there`() async throws {
    try await World.with(.real, simulator: ["--seconds", "3"]) { world in
      let reload = try world.start(arguments(world, ["--cleanup"]))
      let target = world.database.target
      let cdc = Task { try await EndToEndTests.writeLikeCDC(target) }
      let outcome = try await reload.outcome()
      cdc.cancel()
      #expect(try await cdc.value > 0)
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(outcome.output.contains("serverless replication merge-engine-reload-"))
      #expect(try world.lastRun().status == "SUCCESS")
      // CDC's own rows are as CDC wrote them last, and the other ones of the window are there.
      let written = "SELECT count(*) FROM production.orders WHERE amount = 99999"
      #expect(try world.database.count(written) == EndToEndTests.cdcOrders)
      #expect(try world.database.count("SELECT sum(records_inserted)::int FROM admin.merge_logs") > 0)
      #expect(try world.database.count("SELECT count(*) FROM staging.orders") == 0)

      let calls = try world.calls()
      #expect(!calls.contains { $0.contains("Connection") || $0.hasSuffix("ReplicationTask") })
      for call in ["CreateReplicationConfig", "StartReplication", "DeleteReplicationConfig"] {
        #expect(calls.count { $0 == call } == 1, "\(call)")
      }
      #expect(calls.contains("DescribeReplicationTableStatistics"))
      let request = try #require(try world.requests("CreateReplicationConfig").first)
      #expect(request["ReplicationType"].text == "full-load")
      let compute = request["ComputeConfig"]
      #expect(compute["MaxCapacityUnits"].integer == 16 && compute["MinCapacityUnits"].integer == 2)
      #expect(compute["ReplicationSubnetGroupId"].text == "reload-subnets")
      #expect(compute["VpcSecurityGroupIds"].elements.map(\.text) == ["sg-1", "sg-2"])
      #expect(compute["DnsNameServers"].text == "10.0.0.2,10.0.0.3")
      #expect(compute["KmsKeyId"] == .null)
    }
  }

  struct Case: CustomTestStringConvertible, Sendable {
    let failure: String
    let says: [String]
    var arguments: [String] = []

    var testDescription: String { failure }
  }

  static let cases = [
    Case(failure: "table-error@ORDERS", says: ["staging.orders", "Table error"]),
    Case(failure: "fewer-rows@ORDERS", says: ["staging.orders", "DMS loaded 373 rows and staging has 368"]),
    Case(failure: "connection", says: ["it is failed", "password authentication failed"]),
    Case(failure: "no-capacity", says: ["it is failed", "The subnet group has no free addresses"]),
    Case(failure: "wrong-state", says: ["InvalidResourceStateFault", "can't be started in state modifying"]),
    Case(failure: "lost-task@ORDERS", says: ["there is no such serverless replication any more"]),
    Case(failure: "forgotten", says: ["released what the replication ran on (deprovisioned)", "--truncate"]),
    Case(
      failure: "endless-starting",
      says: ["still replication_starting after 1 s"],
      arguments: ["--start-timeout", "1"]
    ),
  ]

  @Test(arguments: cases)
  func `a serverless load that is not good ends with 76 and leaves production alone`(_ failure: Case) async throws {
    try await World.with(simulator: ["--fail", failure.failure]) { world in
      let before = try world.productionFingerprint()
      let outcome = try await world.run(arguments(world, failure.arguments))
      #expect(outcome.status == 76, "\(outcome.transcript)")
      for words in failure.says {
        #expect(outcome.errors.contains(words), "\(words) is missing: \(outcome.transcript)")
      }
      #expect(try world.productionFingerprint() == before)
      #expect(try world.lastRun().status == "FAILED")
      #expect(!(try world.calls().contains("DeleteReplicationConfig")))
      guard ["table-error@ORDERS", "no-capacity"].contains(failure.failure) else { return }
      // What a failed load has left is deleted by cleanup.
      let cleanup = try await world.run(["cleanup", "--force"])
      #expect(cleanup.status == 0, "\(cleanup.transcript)")
      #expect(try world.calls().count { $0 == "DeleteReplicationConfig" } == 1)
    }
  }

  @Test func `an interrupted serverless reload is resumed, and says how to stop it`() async throws {
    try await World.with(holdsLoad: true) { world in
      let program = try world.start(arguments(world))
      try await eventually("rows in staging") {
        try world.database.count("SELECT count(*) FROM staging.orders") > 0 ? () : nil
      }
      program.send(SIGINT)
      let interrupted = try await program.outcome()
      #expect(interrupted.status == 130, "\(interrupted.transcript)")
      let arn = try world.annotation("task_arn")
      #expect(arn.contains(":replication-config:"))
      #expect(interrupted.errors.contains("aws dms stop-replication --replication-config-arn \(arn)"))
      let second = try await world.run(arguments(world, ["--truncate"]))
      #expect(second.status == 75, "\(second.transcript)")
      try world.letLoadGoOn()
      let resumed = try await world.resume(["--cleanup"])
      #expect(resumed.status == 0, "\(resumed.transcript)")
      #expect(try world.database.count("SELECT records_read FROM admin.merge_logs WHERE table_name = 'orders'") == 372)
      #expect(try world.calls().count { $0 == "CreateReplicationConfig" } == 1)
    }
  }

  @Test func `a config that AWS does not let go of at once is deleted when it does`() async throws {
    try await World.with(simulator: ["--fail", "slow-release"]) { world in
      let outcome = try await world.run(arguments(world))
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try world.calls().count { $0 == "DeleteReplicationConfig" } > 1)
      #expect(try world.annotation("task_deleted") == "true")
    }
  }

  @Test func `a dry run shows the config, and calls nothing`() async throws {
    try await World.with { world in
      let outcome = try await world.run(arguments(world, ["--dry-run", "--json"]))
      #expect(outcome.status == 0, "\(outcome.transcript)")
      let calls = try outcome.json()["calls"].elements
      #expect(calls.first?["operation"].text == "create-replication-config")
      #expect(calls.first?["request"]["ReplicationSettings"]["TargetMetadata"].keys.isEmpty == false)
      #expect(calls.last?["operation"].text == "delete-replication-config")
      #expect(try world.calls() == [])
    }
  }

  @Test func `what the file asks for and AWS does not have is said with its line`() async throws {
    try await World.with { world in
      for (section, words) in [
        ("serverless: {max_capacity_units: 3}", "most capacity units are 3, and AWS has 1, 2, 4"),
        ("serverless: {max_capacity_units: 4, min_capacity_units: 8}", "more than the maximum, 4"),
        ("serverless: {min_capacity_units: 8}", "max_capacity_units among them"),
        ("serverless: {max_capacity_units: 4, multi_az: true, availability_zone: a}", "several are asked for"),
        ("serverless: {max_capacity_units: 4, subnetgroup: x}", "unknown key dms.serverless.subnetgroup"),
        ("serverless: {max_capacity_units: 4}\n  replication_instance_arn: arn:x", "leave one out"),
      ] {
        let file = try world.configured("dms:\n  \(section)\n")
        let outcome = try await world.run(["reload"] + World.window + World.endpoints + file)
        #expect(outcome.status == 78, "\(section): \(outcome.transcript)")
        #expect(outcome.errors.contains(words), "\(section): \(outcome.transcript)")
      }
      #expect(try world.calls() == [])
    }
  }
}
