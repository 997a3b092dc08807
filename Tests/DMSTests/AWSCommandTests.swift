import ChildEnvironment
import DMS
import Foundation
import TestSupport
import Testing

@Suite(.inTurn) struct AWSCommandTests {
  @Test func aRequestTravelsInAFileThatOnlyThisUserCanReadAndIsGoneAfterwards() async throws {
    let aws = try FakeAWS([
      FakeAWS.Answer(
        output: #"{"ReplicationTask": {"ReplicationTaskIdentifier": "reload-1", "#
          + #""ReplicationTaskArn": "arn:task:1", "Status": "creating", "SomethingNew": {"A": [1]}}}"#
      )
    ])
    let task = try await aws.service.createTask(
      TestAWS.newTask("reload-1", tags: [ResourceTag(key: "Run", value: "a,b=ü")])
    )
    #expect(task.status == .creating)

    let arguments = try aws.kept("arguments.0").split(separator: "\n").map(String.init)
    #expect(Array(arguments.prefix(3)) == ["dms", "create-replication-task", "--cli-input-json"])
    #expect(arguments.contains("--output") && arguments.contains("json"))
    #expect(arguments.suffix(2) == ["--endpoint-url", "http://127.0.0.1:9"])
    #expect(!arguments.contains { $0.contains("rules") || $0.contains("arn:") })

    let modes = try aws.kept("modes.0").split(separator: "\n")
    #expect(modes.contains { $0.hasPrefix("-rw-------") })
    #expect(modes.contains { $0.hasPrefix("drwx------") })
    let file = try aws.kept("file.0").trimmingCharacters(in: .newlines)
    #expect(!FileManager.default.fileExists(atPath: file))

    let bytes = try Data(contentsOf: aws.folder.appending(path: "request.0"))
    #expect(bytes.allSatisfy { $0 < 0x80 })
    let request = try JSONValue(data: bytes)
    #expect(request["MigrationType"].text == "full-load")
    #expect(request["TableMappings"].text == (try Fixture.text("generated/window-between.json")))
    #expect(request["Tags"] == .array([.object(["Key": .string("Run"), "Value": .string("a,b=ü")])]))
  }

  @Test func thePagerAndThePromptAreOffAndTheUsersOwnVariablesStay() async throws {
    let aws = try FakeAWS([FakeAWS.described("ready")])
    _ = try await aws.service.task(arn: "arn:task:1")
    let environment = try aws.kept("environment.0").split(separator: "\n").map(String.init)
    #expect(environment.contains("AWS_PAGER="))
    #expect(environment.contains("AWS_CLI_AUTO_PROMPT=off"))
    #expect(environment.contains("AWS_DEFAULT_REGION=us-east-1"))
    #expect(environment.contains { $0.hasPrefix("PATH=") })
  }

  @Test func ofTheEnvironmentTheCommandGetsWhatItNeedsAndNoSecretOfOurs() async throws {
    let secrets = ["DATABASE_URL", "PGPASSWORD", "PGHOST", "PGPASSFILE", "STAGING_DATABASE_URL", "SOME_TOKEN"]
    let needed = [
      "PATH", "HOME", "AWS_PROFILE", "AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY", "no_proxy", "LC_ALL", "TMPDIR",
    ]
    let all = Dictionary(uniqueKeysWithValues: (secrets + needed).map { ($0, "x") })
    #expect(ChildEnvironment.allowed(of: all).keys.sorted() == needed.sorted())

    // And the command has nothing that did not go through there.
    let aws = try FakeAWS([FakeAWS.described("ready")])
    _ = try await aws.service.task(arn: "arn:task:1")
    let shellsOwn: Set = ["PWD", "OLDPWD", "SHLVL", "_", "PYTHONIOENCODING"]
    let names = Set(try aws.kept("environment.0").split(separator: "\n").compactMap { $0.split(separator: "=").first })
      .subtracting(shellsOwn.map { Substring($0) }).map(String.init)
    let allowed = ChildEnvironment.allowed(of: Dictionary(uniqueKeysWithValues: names.map { ($0, "x") }))
    #expect(names.sorted() == allowed.keys.sorted())
  }

  @Test func regionAndProfileArePassedOnWhenGiven() async throws {
    let aws = try FakeAWS([FakeAWS.described("ready")])
    var command = aws.command()
    command.region = "eu-central-1"
    command.profile = "reload"
    _ = try await DMSService(command: command).task(arn: "arn:task:1")
    let arguments = try aws.kept("arguments.0").split(separator: "\n").map(String.init)
    #expect(arguments.suffix(4) == ["--region", "eu-central-1", "--profile", "reload"])
  }

  @Test func aCommandThatHangsIsEndedWithItsChildrenWhenItsTimeIsOver() async throws {
    let aws = try FakeAWS([FakeAWS.Answer(output: "{}", seconds: 600)])
    let error = await #expect(throws: AWSError.self) {
      try await DMSService(command: aws.command(timeLimit: .seconds(1))).startTask(arn: "arn:task:1")
    }
    #expect(error?.kind == .timedOut)
    #expect(error?.message.contains("1 s") == true)
    try await expectGone(aws)
  }

  @Test func cancellingEndsTheCommandAndThrowsCancellation() async throws {
    let aws = try FakeAWS([FakeAWS.Answer(output: "{}", seconds: 600)])
    let call = Task { try await aws.service.startTask(arn: "arn:task:1") }
    while !FileManager.default.fileExists(atPath: aws.path("pid")) { try await Task.sleep(for: .milliseconds(20)) }
    call.cancel()
    await #expect(throws: CancellationError.self) { try await call.value }
    try await expectGone(aws)
  }

  /// The fake command and the `sleep` that it started share a session; none of it may be left.
  private func expectGone(_ aws: FakeAWS) async throws {
    let pid = try aws.kept("pid").trimmingCharacters(in: .newlines)
    var isThere = true
    for _ in 0..<100 where isThere {
      isThere = try FileManager.default.contentsOfDirectory(atPath: "/proc").contains { entry in
        guard Int(entry) != nil, let stat = try? String(contentsOfFile: "/proc/\(entry)/stat", encoding: .utf8) else {
          return false
        }
        // After the name in parentheses: state, parent, group, session.
        let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
        return fields.count > 4 && String(fields[4]) == pid && fields[1] != "Z"
      }
      if isThere { try await Task.sleep(for: .milliseconds(50)) }
    }
    #expect(!isThere)
  }

  @Test func aVariableThatLooksRightAndIsNotReadIsRefusedBeforeAnyCall() async throws {
    let aws = try FakeAWS([FakeAWS.described("ready")])
    var command = aws.command()
    command.endpointURL = nil
    command.environment["AWS_ENDPOINT_URL"] = .some(nil)
    command.environment["AWS_ENDPOINT_URL_DATABASE_MIGRATION_SERVICE"] = .some(nil)
    command.environment["AWS_ENDPOINT_URL_DMS"] = "http://127.0.0.1:9"
    let error = await #expect(throws: AWSError.self) { try await DMSService(command: command).task(arn: "arn:task:1") }
    #expect(error?.advice.contains("AWS_ENDPOINT_URL_DATABASE_MIGRATION_SERVICE") == true)
    #expect(aws.calls == 0)
  }

  @Test func anEmptyListForAnARNIsATaskThatIsNotFound() async throws {
    let aws = try FakeAWS([FakeAWS.Answer(output: #"{"ReplicationTasks": []}"#)])
    let error = await #expect(throws: AWSError.self) { try await aws.service.task(arn: "arn:task:1") }
    #expect(error?.kind == .notFound)
  }

  @Test func timesAreReadInAllThreeForms() throws {
    let stop = try #require(AWSTimestamp("1590524772.505"))
    #expect(stop == AWSTimestamp("2020-05-26T20:26:12.505000+00:00"))
    #expect(stop == AWSTimestamp("2020-05-26T22:26:12.505+02:00"))
    #expect(stop == AWSTimestamp("2020-05-26T20:26:12.505000"))
    #expect(stop == AWSTimestamp("2020-05-26T20:26:12.505Z"))
    #expect(AWSTimestamp("yesterday") == nil)
    #expect(AWSTimestamp("2020-05-26T20:26:12 Europe/Berlin") == nil)
    let json =
      #"{"StartDate": 1590524772.505, "StopDate": "2020-05-26T20:26:12.505", "FreshStartDate": "2020-05-26T20:26:12.505Z"}"#
    let counters = try JSONDecoder().decode(TaskStatistics.self, from: Data(json.utf8))
    #expect(counters.startDate == stop && counters.stopDate == stop && counters.freshStartDate == stop)
  }

  @Test(arguments: ["", "1-reload", "reload-", "re--load", "re_load", "rélöad", String(repeating: "a", count: 256)])
  func taskNamesThatTheServiceRefusesAreRefusedHere(_ name: String) {
    #expect(throws: DocumentError.self) { try TaskIdentifier(name) }
  }

  @Test func taskNamesOfLettersDigitsAndHyphensAreTaken() throws {
    #expect(try TaskIdentifier("merge-engine-reload-12").description == "merge-engine-reload-12")
  }
}
