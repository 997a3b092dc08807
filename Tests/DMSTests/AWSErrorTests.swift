import DMS
import Foundation
import TestSupport
import Testing

/// Texts as the `aws` command writes them, version 1 with 255 and version 2 with 252 to 255.
@Suite(.inTurn) struct AWSErrorTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let text: String
    let status: Int
    let kind: AWSError.Kind
    let advice: String

    init(_ text: String, _ kind: AWSError.Kind, status: Int = 255, advice: String) {
      (self.text, self.status, self.kind, self.advice) = (text, status, kind, advice)
    }

    var testDescription: String { "\(kind) from: \(text.prefix(60))" }
  }

  private static func service(_ code: String, _ message: String, retries: Int? = nil) -> String {
    let suffix = retries.map { " (reached max retries: \($0))" } ?? ""
    return "\nAn error occurred (\(code)) when calling the StartReplicationTask operation\(suffix): \(message)\n"
  }

  static let cases: [Case] = [
    Case(
      "Unable to locate credentials. You can configure credentials by running \"aws configure\".",
      .noCredentials,
      status: 255,
      advice: "aws configure"
    ),
    Case("Unable to locate credentials. You can configure…", .noCredentials, status: 253, advice: "AWS_PROFILE"),
    Case("Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY", .noCredentials, advice: "aws configure"),
    Case(
      "You must specify a region. You can also configure your region by running \"aws configure\".",
      .noRegion,
      advice: "AWS_REGION"
    ),
    Case("The config profile (missing) could not be found", .unknownProfile, advice: "list-profiles"),
    Case("Could not connect to the endpoint URL: \"http://127.0.0.1:5999/\"", .unreachable, advice: "endpoint URL"),
    Case("Connect timeout on endpoint URL: \"https://dms.example/\"", .unreachable, advice: "network"),
    Case("Failed to connect to proxy URL: \"http://127.0.0.1:9\"", .unreachable, advice: "proxy"),
    Case("Provided region_name 'us east' doesn't match a supported format.", .wrongRegion, advice: "eu-central-1"),
    Case(
      "The SSO session associated with this profile has expired or is otherwise invalid. To refresh this SSO session run "
        + "aws sso login with the corresponding profile.",
      .expiredToken,
      advice: "aws sso login"
    ),
    Case("Error loading SSO Token: Token for https://x does not exist", .expiredToken, advice: "aws sso login"),
    Case(
      "Parameter validation failed:\nUnknown parameter in input: \"Bogus\", must be one of: Filters",
      .invalidInput,
      advice: "ARN"
    ),
    Case(
      "Error parsing parameter '--cli-input-json': Unable to load paramfile file://missing.json: [Errno 2] …",
      .invalidInput,
      advice: "ARN"
    ),
    Case(
      "usage: aws [options]\naws: error: argument operation: Invalid choice, valid choices are:",
      .commandUnfit,
      status: 2,
      advice: "update the AWS CLI"
    ),
    Case(
      "aws: [ERROR]: argument operation: Found invalid choice 'frob'",
      .commandUnfit,
      status: 252,
      advice: "update the AWS CLI"
    ),
    Case("Unknown options: --frobnicate", .commandUnfit, status: 252, advice: "update the AWS CLI"),
    Case(
      service("ExpiredTokenException", "The security token included in the request is expired"),
      .expiredToken,
      status: 254,
      advice: "sign in"
    ),
    Case(
      service("UnrecognizedClientException", "The security token included in the request is invalid."),
      .badCredentials,
      advice: "get-caller-identity"
    ),
    Case(
      service(
        "AccessDeniedException",
        "User: arn:aws:iam::1:user/u is not authorized to perform: dms:StartReplicationTask on resource: arn:aws:dms:x "
          + "because no identity-based policy allows it"
      ),
      .accessDenied,
      status: 254,
      advice: "dms:StartReplicationTask on"
    ),
    Case(
      service("AccessDeniedException", "User: u is not authorized to perform: iam:PassRole on resource: r"),
      .accessDenied,
      advice: "iam:PassRole"
    ),
    Case(service("AccessDeniedFault", "Access denied."), .accessDenied, advice: "dms:StartReplicationTask"),
    Case(service("ThrottlingException", "Rate exceeded", retries: 4), .throttled, advice: "wait"),
    Case(
      service("ThrottlingException", "Rate exceeded", retries: 2),
      .throttled,
      status: 254,
      advice: "AWS_RETRY_MODE"
    ),
    Case(service("ResourceNotFoundFault", "Replication task could not be found."), .notFound, advice: "region"),
    Case(
      service("InvalidResourceStateFault", "Replication Task cannot be started, invalid state"),
      .invalidState,
      advice: "state"
    ),
    Case(
      service("ResourceAlreadyExistsFault", "The resource you are attempting to create already exists."),
      .alreadyExists,
      advice: "identifier"
    ),
    Case(service("ResourceQuotaExceededFault", "The quota for tasks was exceeded."), .quotaExceeded, advice: "quota"),
    Case(
      service("InvalidParameterValueException", "Invalid Table Mappings document"),
      .invalidInput,
      advice: "dms lint"
    ),
    Case(service("KMSKeyNotAccessibleFault", "The key is not accessible."), .accessDenied, advice: "policy"),
    Case(
      service("SignatureDoesNotMatch", "Credential should be scoped to a valid region."),
      .wrongRegion,
      advice: "region"
    ),
    Case(service("500", "<!doctype html> <html lang=en>", retries: 4), .serviceFailure, advice: "repeat"),
    Case(service("SomethingNewFault", "Nobody has seen this: before."), .other, advice: "--debug"),
    Case("Segmentation fault", .other, status: 139, advice: "--debug"),
    Case("", .other, advice: "--debug"),
  ]

  @Test(arguments: cases)
  func everyErrorTextBecomesAKindAndAnAdvice(_ example: Case) async throws {
    let aws = try FakeAWS([FakeAWS.failing(example.text, example.status)])
    let error = await #expect(throws: AWSError.self) { try await aws.service.startTask(arn: "arn:task:1") }
    #expect(error?.kind == example.kind)
    #expect(error?.exitStatus == example.status)
    #expect(error?.subject == "arn:task:1")
    #expect(error?.advice.contains(example.advice) == true, "\(error?.advice ?? "")")
    #expect(error?.description.contains("\n") == false)
  }

  @Test func theServicesWordsSurviveWithoutTheRetryNote() async throws {
    let aws = try FakeAWS([FakeAWS.failing(Self.service("ThrottlingException", "Rate exceeded", retries: 4))])
    let error = await #expect(throws: AWSError.self) { try await aws.service.startTask(arn: "arn:task:1") }
    #expect(error?.code == "ThrottlingException")
    #expect(error?.message == "Rate exceeded")
    #expect(error?.isTransient == true)
  }

  @Test func aMessageWithAColonIsNotCutAtIt() async throws {
    let aws = try FakeAWS([FakeAWS.failing(Self.service("SomethingNewFault", "Nobody has seen this: before."))])
    let error = await #expect(throws: AWSError.self) { try await aws.service.startTask(arn: "arn:task:1") }
    #expect(error?.message == "Nobody has seen this: before.")
  }

  @Test func aMissingCommandSaysThatItIsMissing() async throws {
    let command = TestAWS.command(executable: "no-such-aws-command", endpoint: "http://127.0.0.1:9")
    let error = await #expect(throws: AWSError.self) {
      try await DMSService(command: command).startTask(arn: "arn:task:1")
    }
    #expect(error?.kind == .commandMissing)
    #expect(error?.advice.contains("install the AWS CLI") == true)
  }

  @Test func anAnswerThatIsNotJSONIsABadAnswer() async throws {
    let aws = try FakeAWS([FakeAWS.Answer(output: "TASK\tarn\n")])
    let error = await #expect(throws: AWSError.self) { try await aws.service.startTask(arn: "arn:task:1") }
    #expect(error?.kind == .badAnswer)
  }

  @Test func theRealCommandSaysTheSameAboutCredentialsRegionProfileAndEndpoint() async throws {
    var command = TestAWS.command(endpoint: "http://127.0.0.1:9")
    func kind(_ changes: [String: String?]) async -> AWSError.Kind? {
      var changed = command
      changed.environment.merge(changes) { $1 }
      return await #expect(throws: AWSError.self) { try await DMSService(command: changed).task(arn: "arn:task:1") }?
        .kind
    }
    #expect(await kind(["AWS_ACCESS_KEY_ID": nil, "AWS_SECRET_ACCESS_KEY": nil]) == .noCredentials)
    #expect(await kind(["AWS_SECRET_ACCESS_KEY": nil]) == .noCredentials)
    #expect(await kind(["AWS_REGION": nil, "AWS_DEFAULT_REGION": nil]) == .noRegion)
    #expect(await kind(["AWS_PROFILE": "missing"]) == .unknownProfile)
    #expect(await kind([:]) == .unreachable)
    command.endpointURL = "127.0.0.1:9"
    #expect(await kind([:]) == .invalidInput)
  }
}
