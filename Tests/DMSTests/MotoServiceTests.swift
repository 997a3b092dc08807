import DMS
import Foundation
import Testing

/// The real `aws` command against an emulator, for the calls that it has.
///
/// It never makes a task `ready` nor ends one by itself and has no table statistics; those are tested with a fake command.
@Suite struct MotoServiceTests {
  @Test func aTaskIsMadeFoundStartedStoppedAndDeleted() async throws {
    try await MotoServer.run { endpoint in
      let service = DMSService(command: TestAWS.command(endpoint: endpoint))
      let tag = ResourceTag(key: "merge-engine:run", value: "12")
      let before = AWSTimestamp(Date())
      let made = try await service.createTask(TestAWS.newTask("reload-12", tags: [tag]))
      _ = try await service.createTask(
        TestAWS.newTask("reload-13", tags: [ResourceTag(key: "merge-engine:run", value: "13")])
      )
      _ = try await service.createTask(TestAWS.newTask("other"))
      #expect(made.identifier == "reload-12")
      #expect(made.status == .creating)
      #expect(made.migrationType == "full-load")
      #expect(made.tableMappings == (try Fixture.text("generated/window-between.json")))

      #expect(try await service.task(identifier: TaskIdentifier("reload-12"))?.arn == made.arn)
      #expect(try await service.task(identifier: TaskIdentifier("reload-14")) == nil)
      #expect(try await service.tasks(taggedWith: tag).map(\.arn) == [made.arn])
      #expect(try await service.tasks(taggedWith: tag, identifierPrefix: "other") == [])

      #expect(try await service.startTask(arn: made.arn).status == .running)
      let running = try await service.task(arn: made.arn)
      #expect(running.status == .running)
      let started = try #require(running.statistics?.startDate)
      #expect(abs(started.secondsSince1970 - before.secondsSince1970) < 120)

      _ = try await service.stopTask(arn: made.arn)
      let wait = TaskWait(service: service, clock: InstantClock())
      let stopped = try await wait.untilAtAnEnd(arn: made.arn)
      #expect(stopped.status == .stopped)
      // Stopped without a reason: exactly what must not pass for a good load.
      let verdict = FullLoadVerdict.judge(task: stopped, tables: [], expected: [], startedAt: before)
      #expect(verdict.problems.map(\.code).contains(.otherStopReason))

      #expect(try await service.deleteTask(arn: made.arn).status == .deleting)
      try await wait.untilGone(arn: made.arn)
      let error = await #expect(throws: AWSError.self) { try await service.task(arn: made.arn) }
      #expect(error?.kind == .notFound)
    }
  }

  @Test func theEmulatorsErrorsAreUnderstood() async throws {
    try await MotoServer.run { endpoint in
      let service = DMSService(command: TestAWS.command(endpoint: endpoint))
      let made = try await service.createTask(TestAWS.newTask("reload-1"))
      let again = await #expect(throws: AWSError.self) { try await service.createTask(TestAWS.newTask("reload-1")) }
      #expect(again?.kind == .alreadyExists)
      let notRunning = await #expect(throws: AWSError.self) { try await service.stopTask(arn: made.arn) }
      #expect(notRunning?.kind == .invalidState)
      let unknown = await #expect(throws: AWSError.self) { try await service.startTask(arn: made.arn + "x") }
      #expect(unknown?.kind == .notFound)
      let missing = await #expect(throws: AWSError.self) { try await service.tableStatistics(taskARN: made.arn) }
      #expect(missing?.kind == .serviceFailure)
    }
  }

  @Test func aConnectionIsTestedOnceAndThenKnown() async throws {
    try await MotoServer.run { endpoint in
      let service = DMSService(command: TestAWS.command(endpoint: endpoint))
      let (instance, source) = try await Self.makeInstanceAndEndpoint(service.command)
      #expect(try await service.connection(instanceARN: instance, endpointARN: source) == nil)
      let wait = TaskWait(service: service, clock: InstantClock())
      let first = try await wait.connectionTest(instanceARN: instance, endpointARN: source)
      #expect(first.isSuccessful)
      // The emulator answers a second test with an internal error, so this one was not made.
      let second = try await wait.connectionTest(instanceARN: instance, endpointARN: source)
      #expect(second.isSuccessful)
      let unknown = await #expect(throws: AWSError.self) {
        try await service.testConnection(instanceARN: TestAWS.instance, endpointARN: source)
      }
      #expect(unknown?.kind == .notFound)
    }
  }

  private struct Made: Decodable {
    struct Instance: Decodable { let ReplicationInstanceArn: String }
    struct Endpoint: Decodable { let EndpointArn: String }
    let ReplicationInstance: Instance?
    let Endpoint: Endpoint?
  }

  private static func makeInstanceAndEndpoint(_ command: AWSCommand) async throws -> (instance: String, source: String)
  {
    let instance: Made = try await command.call(
      "create-replication-instance",
      ["ReplicationInstanceIdentifier": "reload", "ReplicationInstanceClass": "dms.t3.medium"]
    )
    let endpoint: Made = try await command.call(
      "create-endpoint",
      ["EndpointIdentifier": "oracle", "EndpointType": "source", "EngineName": "oracle"]
    )
    return (
      try #require(instance.ReplicationInstance?.ReplicationInstanceArn), try #require(endpoint.Endpoint?.EndpointArn)
    )
  }
}
