import ChildEnvironment
import Foundation
import Subprocess

/// The `aws` command as a way to call the DMS API: JSON in, JSON out, no shell.
///
/// Credentials, profiles, SSO, regions and retries are the command's own business, versions 1 and 2 alike. What is sent goes
/// through a file that only this user can read, so neither documents nor anything else stand in the process list.
public struct AWSCommand: Sendable {
  /// The executable: a name that is looked up in `PATH`, or a path.
  public var executable: String
  /// `--endpoint-url`; `nil` leaves it to the command and its environment.
  public var endpointURL: String?
  /// `--region`; `nil` leaves it to the command and its environment.
  public var region: String?
  /// `--profile`; `nil` leaves it to the command and its environment.
  public var profile: String?
  /// How long one call may take before it is ended, all of the command's own retries included.
  public var timeLimit: Duration
  /// Changes to what the command gets of the environment (``ChildEnvironment``); `nil` removes a variable.
  public var environment: [String: String?]

  /// The largest answer that is read. A described task carries both documents, and tables come by the thousand.
  private static let largestAnswer = 64 << 20
  private static let largestErrorText = 1 << 20

  /// Makes a command.
  public init(
    executable: String = "aws",
    endpointURL: String? = nil,
    region: String? = nil,
    profile: String? = nil,
    timeLimit: Duration = .seconds(120),
    environment: [String: String?] = [:]
  ) {
    self.executable = executable
    self.endpointURL = endpointURL
    self.region = region
    self.profile = profile
    self.timeLimit = timeLimit
    self.environment = environment
  }

  /// Calls one operation of the DMS API.
  ///
  /// - Parameters:
  ///   - operation: as the command spells it: `start-replication-task`.
  ///   - input: the request, its keys spelt as the API spells them.
  ///   - subject: what the call is for, to be named in errors.
  /// - Returns: the answer.
  /// - Throws: ``AWSError``; `CancellationError` when the task was cancelled, after the command was ended.
  public func call<Answer: Decodable>(
    _ operation: String,
    _ input: some Encodable,
    for subject: String? = nil,
    as type: Answer.Type = Answer.self
  ) async throws -> Answer {
    let folder = try PrivateFolder()
    defer { folder.remove() }
    let request = JSONWriter(isIndented: false, isASCIIOnly: true).text(try OrderedJSONEncoder().node(input))
    let file = try folder.write(request, to: "request.json")
    let bytes = try await run(arguments(operation, inputFile: file), operation: operation, subject: subject)
    do {
      // `aws` prints nothing at all where an answer has no members.
      return try JSONDecoder().decode(type, from: bytes.isEmpty ? Data("{}".utf8) : Data(bytes))
    } catch {
      throw AWSError(
        kind: .badAnswer,
        command: name(operation),
        subject: subject,
        message: "its answer cannot be read: \(Self.words(error))",
        advice: "run it by hand; `aws --version` shows which version it is"
      )
    }
  }

  /// What ``call(_:_:for:as:)`` runs, for showing it to somebody: `aws dms start-replication-task --cli-input-json …`.
  public func arguments(_ operation: String, inputFile: String) -> [String] {
    var arguments = ["dms", operation, "--cli-input-json", "file://\(inputFile)", "--output", "json"]
    if let endpointURL { arguments += ["--endpoint-url", endpointURL] }
    if let region { arguments += ["--region", region] }
    if let profile { arguments += ["--profile", profile] }
    return arguments
  }

  private func name(_ operation: String) -> String { "\(executable) dms \(operation)" }

  /// `--no-cli-pager` would end version 1; an empty `AWS_PAGER` is understood by both. A prompt would wait for ever.
  private var overrides: [String: String?] {
    let needed: [String: String?] = ["AWS_PAGER": "", "AWS_CLI_AUTO_PROMPT": "off", "PYTHONIOENCODING": "utf-8"]
    return needed.merging(environment) { $1 }
  }

  private var childEnvironment: [Environment.Key: String] {
    let values = overrides.reduce(into: ChildEnvironment.allowed()) { $0[$1.key] = $1.value }
    return Dictionary(uniqueKeysWithValues: values.map { (Environment.Key(stringLiteral: $0), $1) })
  }

  private func run(_ arguments: [String], operation: String, subject: String?) async throws -> [UInt8] {
    try refuseVariableWithoutEffect(operation, subject)
    var options = PlatformOptions()
    options.createSession = true  // so that a time limit ends the command's own children too
    options.teardownSequence = [.gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: .milliseconds(500))]
    let configuration = Configuration(
      executable: executable.contains("/") ? .path(.init(executable)) : .name(executable),
      arguments: Arguments(arguments),
      environment: .custom(childEnvironment),
      platformOptions: options
    )
    do {
      let result = try await limited(operation, subject) {
        try await Subprocess.run(
          configuration,
          input: .none,
          output: .bytes(limit: Self.largestAnswer),
          error: .string(limit: Self.largestErrorText)
        )
      }
      if result.terminationStatus.isSuccess { return result.standardOutput }
      let status: Int? = if case .exited(let code) = result.terminationStatus { Int(code) } else { nil }
      let reader = AWSErrorReader(command: name(operation), subject: subject)
      throw reader.error(standardError: result.standardError, exitStatus: status)
    } catch let error as SubprocessError {
      throw launchError(error, operation, subject: subject)
    }
  }

  /// Runs the call against the clock; whichever loses is cancelled, which ends the command.
  private func limited<Result: Sendable>(
    _ operation: String,
    _ subject: String?,
    call: @escaping @Sendable () async throws -> Result
  ) async throws -> Result {
    try await withThrowingTaskGroup(of: Result?.self) { group in
      group.addTask { try await call() }
      group.addTask {
        try await Task.sleep(for: timeLimit)
        return nil
      }
      defer { group.cancelAll() }
      let first = try await group.next()
      try Task.checkCancellation()
      if let result = first ?? nil { return result }
      throw AWSError(
        kind: .timedOut,
        command: name(operation),
        subject: subject,
        message: "it was stopped after \(timeLimit.components.seconds) s without an answer",
        advice:
          "check the network and the proxy; the request may still have been carried out, so check before repeating it"
      )
    }
  }

  private func launchError(_ error: SubprocessError, _ operation: String, subject: String?) -> any Error {
    if Task.isCancelled { return CancellationError() }
    let isMissing = error.code == .executableNotFound
    return AWSError(
      kind: isMissing ? .commandMissing : .other,
      command: name(operation),
      subject: subject,
      message: isMissing ? "there is no command \"\(executable)\"" : "\(error)",
      advice: isMissing
        ? "install the AWS CLI, version 1 or 2, and make sure that it is in PATH"
        : "run the same command by hand"
    )
  }

  /// `AWS_ENDPOINT_URL_DMS` looks right and is not read: who sets it to stay off the real service would not.
  private func refuseVariableWithoutEffect(_ operation: String, _ subject: String?) throws {
    let inherited = ProcessInfo.processInfo.environment
    let value = { (name: String) in environment[name] ?? inherited[name] }
    let effective = ["AWS_ENDPOINT_URL_DATABASE_MIGRATION_SERVICE", "AWS_ENDPOINT_URL"]
    guard endpointURL == nil, value("AWS_ENDPOINT_URL_DMS") != nil, !effective.contains(where: { value($0) != nil })
    else {
      return
    }
    throw AWSError(
      kind: .invalidInput,
      command: name(operation),
      subject: subject,
      message: "AWS_ENDPOINT_URL_DMS is set, but `aws` does not read it, so the call would go to the real service",
      advice: "set AWS_ENDPOINT_URL_DATABASE_MIGRATION_SERVICE instead, or give --endpoint-url"
    )
  }

  private static func words(_ error: any Error) -> String {
    guard let error = error as? DecodingError else { return "\(error)" }
    switch error {
    case .keyNotFound(let key, _): return "\"\(key.stringValue)\" is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
      let path = context.codingPath.map(\.stringValue).joined(separator: ".")
      return path.isEmpty ? context.debugDescription : "\(path): \(context.debugDescription)"
    @unknown default: return "\(error)"
    }
  }
}
