import Foundation

/// Makes an ``AWSError`` of what `aws` wrote to standard error.
///
/// Version 1 ends with 255 where version 2 ends with 252 to 255, and their texts are the same; so only the text is read.
/// A service's error reads `An error occurred (CODE) when calling the OPERATION operation[ (reached max retries: N)]: TEXT`.
struct AWSErrorReader {
  let command: String
  let subject: String?

  func error(standardError: String, exitStatus: Int?) -> AWSError {
    let text = Self.oneLine(standardError)
    if let (code, operation, message) = Self.serviceError(in: text) {
      return serviceError(code: code, operation: operation, message: message, exitStatus: exitStatus)
    }
    let lower = text.lowercased()
    let known = Self.texts.first { entry in entry.signs.contains { lower.contains($0) } }
    let fallback = exitStatus == 2 || exitStatus == 252 ? Self.commandUnfit : Self.unknown
    let (kind, advice) = known.map { ($0.kind, $0.advice) } ?? fallback
    // Usage texts are pages long; the part that matters is at the end.
    let isUsage = kind == .commandUnfit
    return AWSError(
      kind: kind,
      command: command,
      subject: subject,
      message: text.isEmpty ? "it said nothing" : Self.shortened(isUsage ? Self.afterUsage(text) : text),
      advice: advice,
      exitStatus: exitStatus
    )
  }

  // MARK: - Texts of the command itself

  private struct Text {
    let kind: AWSError.Kind
    let signs: [String]
    let advice: String
  }

  private static let unknown = (AWSError.Kind.other, "run the same command by hand, with --debug to see more")

  private static let commandUnfit = (
    AWSError.Kind.commandUnfit, "update the AWS CLI; `aws --version` shows which version this is"
  )

  private static let signInAgain = "sign in again (`aws sso login`, or whatever gives you the credentials), then repeat"

  /// Signs in lower case. The first entry that fits counts, so the more exact ones come first.
  private static let texts: [Text] = [
    Text(
      kind: .expiredToken,
      signs: [
        "token has expired", "sso session associated with this profile has expired", "error loading sso token",
        "error when retrieving token from sso", "sso token",
        "credentials were refreshed, but the refreshed credentials are",
      ],
      advice: signInAgain
    ),
    Text(
      kind: .noCredentials,
      signs: [
        "unable to locate credentials", "partial credentials found", "unable to locate authorization token",
        "error when retrieving credentials", "eof when reading a line",
      ],
      advice:
        "run `aws configure` or `aws sso login`, or set AWS_PROFILE; `aws sts get-caller-identity` shows who you are"
    ),
    Text(
      kind: .unknownProfile,
      signs: ["the config profile ("],
      advice: "`aws configure list-profiles` shows the profiles there are; check AWS_PROFILE"
    ),
    Text(
      kind: .noRegion,
      signs: ["you must specify a region"],
      advice:
        "set AWS_REGION and AWS_DEFAULT_REGION, or a region in the profile, to the region of the replication instance"
    ),
    Text(
      kind: .wrongRegion,
      signs: ["doesn't match a supported format", "invalid endpoint: https://dms."],
      advice: "write the region as in the ARNs, for example eu-central-1"
    ),
    Text(
      kind: .unreachable,
      signs: [
        "could not connect to the endpoint url", "connect timeout on endpoint url", "read timeout on endpoint url",
        "connection was closed before", "failed to connect to proxy", "ssl validation failed",
        "name or service not known",
      ],
      advice: "check the network, the proxy and the endpoint URL, and that the region in it exists"
    ),
    Text(
      kind: .invalidInput,
      signs: [
        "parameter validation failed", "error parsing parameter", "bad value for --", "unable to load paramfile",
      ],
      advice: "check the identifiers, ARNs and the endpoint URL that were given"
    ),
    Text(
      kind: .commandUnfit,
      signs: ["invalid choice", "unknown options", "unrecognized arguments", "unknown parameter in input"],
      advice: commandUnfit.1
    ),
  ]

  // MARK: - Errors of the service

  /// Kinds by code. Codes that are not here are looked at by their endings.
  private static let kinds: [String: AWSError.Kind] = [
    "ExpiredToken": .expiredToken, "ExpiredTokenException": .expiredToken, "RequestExpired": .expiredToken,
    "UnrecognizedClientException": .badCredentials, "InvalidClientTokenId": .badCredentials,
    "SignatureDoesNotMatch": .badCredentials, "InvalidSignatureException": .badCredentials,
    "IncompleteSignature": .badCredentials, "AuthFailure": .badCredentials,
    "MissingAuthenticationToken": .noCredentials,
    "AccessDenied": .accessDenied, "AccessDeniedException": .accessDenied, "AccessDeniedFault": .accessDenied,
    "UnauthorizedOperation": .accessDenied, "KMSAccessDeniedFault": .accessDenied,
    "KMSKeyNotAccessibleFault": .accessDenied, "OptInRequired": .accessDenied,
    "Throttling": .throttled, "ThrottlingException": .throttled, "RequestLimitExceeded": .throttled,
    "TooManyRequestsException": .throttled, "SlowDown": .throttled, "RequestThrottled": .throttled,
    "ResourceNotFoundFault": .notFound, "ResourceNotFoundException": .notFound,
    "InvalidResourceStateFault": .invalidState, "ResourceAlreadyExistsFault": .alreadyExists,
    "ResourceQuotaExceededFault": .quotaExceeded, "StorageQuotaExceededFault": .quotaExceeded,
    "InsufficientResourceCapacityFault": .quotaExceeded, "LimitExceededException": .quotaExceeded,
    "InvalidParameterValueException": .invalidInput, "InvalidParameterCombinationException": .invalidInput,
    "ValidationException": .invalidInput, "ValidationError": .invalidInput, "SerializationException": .invalidInput,
    "InternalFailure": .serviceFailure, "InternalError": .serviceFailure, "InternalServerError": .serviceFailure,
    "ServiceUnavailable": .serviceFailure, "ServiceUnavailableException": .serviceFailure,
    "UnknownOperationException": .commandUnfit,
  ]

  private func serviceError(code: String, operation: String, message: String, exitStatus: Int?) -> AWSError {
    var kind = Self.kinds[code] ?? (Int(code).map { $0 >= 500 } == true ? .serviceFailure : .other)
    // A resource is not found where another region was asked than the one in its ARN.
    if message.contains("Credential should be scoped to a valid region") { kind = .wrongRegion }
    return AWSError(
      kind: kind,
      command: command,
      subject: subject,
      code: code,
      message: Self.shortened(message),
      advice: advice(kind, operation: operation, message: message),
      exitStatus: exitStatus
    )
  }

  private func advice(_ kind: AWSError.Kind, operation: String, message: String) -> String {
    switch kind {
    case .expiredToken: return Self.signInAgain
    case .badCredentials:
      return
        "AWS does not know these credentials, or this machine's clock is wrong; `aws sts get-caller-identity` shows who "
        + "you are"
    case .noCredentials: return "run `aws configure` or `aws sso login`, or set AWS_PROFILE"
    case .accessDenied:
      return "ask for a policy that allows \(Self.deniedAction(in: message) ?? "dms:\(operation)") on it"
    case .wrongRegion: return "give the region that the ARNs name"
    case .throttled:
      return "wait a minute and repeat; AWS_RETRY_MODE=adaptive and AWS_MAX_ATTEMPTS=10 make `aws` more patient"
    case .notFound:
      return
        "check the ARN, and that the region and account in it are those of the credentials: elsewhere it does not exist"
    case .invalidState: return "check the task's state, wait until it is ready, stopped or failed, and repeat"
    case .alreadyExists: return "choose another identifier, or continue with the one that exists"
    case .quotaExceeded: return "delete what is no longer needed, or ask AWS for a higher quota"
    case .invalidInput: return "check what was given; `dms lint` checks mapping and settings documents"
    case .serviceFailure: return "repeat in a few minutes; status.aws.amazon.com reports outages"
    case .commandUnfit: return Self.commandUnfit.1
    default: return Self.unknown.1
    }
  }

  private static func serviceError(in text: String) -> (code: String, operation: String, message: String)? {
    guard let start = text.range(of: "An error occurred (") else { return nil }
    var rest = text[start.upperBound...]
    guard let codeEnd = rest.range(of: ") when calling the ") else { return nil }
    let code = String(rest[..<codeEnd.lowerBound])
    rest = rest[codeEnd.upperBound...]
    guard let operationEnd = rest.range(of: " operation") else { return nil }
    let operation = String(rest[..<operationEnd.lowerBound])
    rest = rest[operationEnd.upperBound...]
    guard let messageStart = rest.range(of: ": ", options: [], range: rest.startIndex..<rest.endIndex) else {
      return (code, operation, String(rest))
    }
    // "(reached max retries: 4): TEXT" has a colon of its own.
    let retries = rest.prefix(upTo: messageStart.lowerBound)
    if retries.contains("(reached max retries"), let end = rest.range(of: "): ") {
      return (code, operation, String(rest[end.upperBound...]))
    }
    return (code, operation, String(rest[messageStart.upperBound...]))
  }

  /// `dms:CreateReplicationTask` from `… is not authorized to perform: dms:CreateReplicationTask on resource: …`.
  private static func deniedAction(in message: String) -> String? {
    guard let start = message.range(of: "not authorized to perform: ") else { return nil }
    let action = message[start.upperBound...].prefix { $0 != " " && $0 != "," }
    return action.contains(":") ? String(action) : nil
  }

  // MARK: - Form

  private static func oneLine(_ text: String) -> String {
    text.split { $0.isNewline }.map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
      .joined(separator: " ")
  }

  private static func afterUsage(_ text: String) -> String {
    text.range(of: "aws: ", options: .backwards).map { String(text[$0.upperBound...]) } ?? text
  }

  /// Pages of HTML and lists of every command are of no use in a message; 500 characters are arbitrary.
  private static func shortened(_ text: String) -> String { text.count > 500 ? text.prefix(500) + "…" : text }
}
