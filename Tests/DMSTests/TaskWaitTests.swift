import DMS
import Synchronization
import TestSupport
import Testing

@Suite(.inTurn) struct TaskWaitTests {
  private func wait(_ aws: FakeAWS, limit: Duration? = nil) -> TaskWait<InstantClock> {
    TaskWait(service: aws.service, clock: InstantClock(), interval: .seconds(15), limit: limit)
  }

  private let throttled =
    "\nAn error occurred (ThrottlingException) when calling the DescribeReplicationTasks operation: Rate exceeded\n"
  private let lost =
    "\nAn error occurred (ResourceNotFoundFault) when calling the DescribeReplicationTasks operation: No Tasks found\n"

  @Test func aNewTaskIsWaitedForUntilItIsReady() async throws {
    let aws = try FakeAWS([FakeAWS.described("creating"), FakeAWS.described("creating"), FakeAWS.described("ready")])
    let task = try await wait(aws).untilReady(arn: "arn:task:1")
    #expect(task.status == .ready)
    #expect(aws.calls == 3)
  }

  @Test func aNewTaskThatFailsInsteadIsAnErrorWithItsMessage() async throws {
    let failed = FakeAWS.described("failed", more: #", "LastFailureMessage": "no such endpoint""#)
    let aws = try FakeAWS([FakeAWS.described("creating"), failed])
    let error = await #expect(throws: TaskWaitError.self) { try await wait(aws).untilReady(arn: "arn:task:1") }
    #expect(error?.description.contains("reload-1 is failed") == true)
    #expect(error?.description.contains("no such endpoint") == true)
  }

  @Test(arguments: ["stopped", "failed"])
  func everyEndEndsTheWaitAndWordsThatNobodyKnowsDoNot(_ end: String) async throws {
    let states = ["ready", "starting", "running", "reticulating", end].map { FakeAWS.described($0) }
    let aws = try FakeAWS(states)
    let seen = Mutex<[String]>([])
    let task = try await wait(aws).untilAtAnEnd(arn: "arn:task:1") { task in
      seen.withLock { $0.append(task.status.rawValue) }
    }
    #expect(task.status.rawValue == end)
    #expect(seen.withLock { $0 } == ["ready", "starting", "running", "reticulating", end])
  }

  @Test func throttlingInBetweenIsPassedOver() async throws {
    let aws = try FakeAWS([
      FakeAWS.described("running"), FakeAWS.failing(throttled), FakeAWS.failing(throttled),
      FakeAWS.described("stopped"),
    ])
    #expect(try await wait(aws).untilAtAnEnd(arn: "arn:task:1").status == .stopped)
  }

  @Test func throttlingWithoutEndEndsTheWait() async throws {
    let aws = try FakeAWS([FakeAWS.failing(throttled)])
    let error = await #expect(throws: AWSError.self) { try await wait(aws).untilAtAnEnd(arn: "arn:task:1") }
    #expect(error?.kind == .throttled)
    #expect(aws.calls == 9)
  }

  @Test func aTaskThatSomebodyDeletedEndsTheWaitAtOnce() async throws {
    let aws = try FakeAWS([FakeAWS.described("running"), FakeAWS.failing(lost)])
    let error = await #expect(throws: AWSError.self) { try await wait(aws).untilAtAnEnd(arn: "arn:task:1") }
    #expect(error?.kind == .notFound)
    #expect(aws.calls == 2)
  }

  @Test func startingForEverEndsWithATimeOutThatNamesTheTask() async throws {
    let aws = try FakeAWS([FakeAWS.described("starting")])
    let error = await #expect(throws: TaskWaitError.self) {
      try await wait(aws, limit: .seconds(60)).untilAtAnEnd(arn: "arn:task:1")
    }
    #expect(error?.description.contains("reload-1 was still starting after 60 s") == true)
    #expect(aws.calls == 5)
  }

  @Test func aDeletedTaskIsWaitedForUntilTheServiceDoesNotKnowIt() async throws {
    let aws = try FakeAWS([FakeAWS.described("deleting"), FakeAWS.failing(lost)])
    try await wait(aws).untilGone(arn: "arn:task:1")
    #expect(aws.calls == 2)
  }

  private func connection(_ status: String, more: String = "") -> String {
    """
    {"ReplicationInstanceArn": "\(TestAWS.instance)", "EndpointArn": "\(TestAWS.source)", "Status": "\(status)"\(more)}
    """
  }

  private func listed(_ status: String, more: String = "") -> FakeAWS.Answer {
    FakeAWS.Answer(output: "{\"Connections\": [\(connection(status, more: more))]}")
  }

  @Test func aConnectionThatWasTestedWellIsNotTestedAgain() async throws {
    let aws = try FakeAWS([listed("successful")])
    let result = try await wait(aws).connectionTest(instanceARN: TestAWS.instance, endpointARN: TestAWS.source)
    #expect(result.isSuccessful)
    #expect(aws.calls == 1)
  }

  @Test func aConnectionThatFailsIsAnErrorInTheServicesWords() async throws {
    let aws = try FakeAWS([
      FakeAWS.Answer(output: #"{"Connections": []}"#),
      FakeAWS.Answer(output: "{\"Connection\": \(connection("testing"))}"),
      listed("testing"),
      listed(
        "failed",
        more: #", "LastFailureMessage": "ORA-01017: invalid username/password", "EndpointIdentifier": "oracle""#
      ),
    ])
    let error = await #expect(throws: TaskWaitError.self) {
      try await wait(aws).connectionTest(instanceARN: TestAWS.instance, endpointARN: TestAWS.source)
    }
    #expect(error?.description.contains("ORA-01017") == true)
    #expect(error?.description.contains("endpoint oracle") == true)
  }
}
