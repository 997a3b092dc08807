/// A call to AWS that did not succeed: what was being done, what went wrong, and what to do next.
public struct AWSError: Error, Hashable, Sendable, Codable, CustomStringConvertible {
  /// What went wrong, as far as a program can act on it.
  public enum Kind: String, Codable, Sendable, CaseIterable {
    /// There is no `aws` command.
    case commandMissing
    /// The `aws` command is too old, or got an option that it doesn't know.
    case commandUnfit
    /// The call took longer than its limit and was ended.
    case timedOut
    /// No credentials, or half of them.
    case noCredentials
    /// Credentials that AWS does not know.
    case badCredentials
    /// Credentials that are over.
    case expiredToken
    /// The profile is not in the configuration.
    case unknownProfile
    /// No region was given.
    case noRegion
    /// The region does not exist, or the resource lies in another one.
    case wrongRegion
    /// The credentials may not do this.
    case accessDenied
    /// Too many calls.
    case throttled
    /// The service cannot be reached.
    case unreachable
    /// The task, endpoint or instance does not exist.
    case notFound
    /// The task is in a state in which this cannot be done.
    case invalidState
    /// There is already one of that name.
    case alreadyExists
    /// The account has as many as it may have.
    case quotaExceeded
    /// The service refuses what it was given.
    case invalidInput
    /// The service failed.
    case serviceFailure
    /// `aws` succeeded, and its answer cannot be read.
    case badAnswer
    /// None of these.
    case other
  }

  /// What went wrong.
  public let kind: Kind
  /// What was called: `aws dms start-replication-task`.
  public let command: String
  /// What it was called for: the task, endpoint or table, where there is one.
  public let subject: String?
  /// The service's own code, for example `InvalidResourceStateFault`.
  public let code: String?
  /// The service's or the command's own words.
  public let message: String
  /// What to do next.
  public let advice: String
  /// The exit status of `aws`, if it ended by itself.
  public let exitStatus: Int?

  init(
    kind: Kind,
    command: String,
    subject: String? = nil,
    code: String? = nil,
    message: String,
    advice: String,
    exitStatus: Int? = nil
  ) {
    self.kind = kind
    self.command = command
    self.subject = subject
    self.code = code
    self.message = message
    self.advice = advice
    self.exitStatus = exitStatus
  }

  /// Whether the same call may well succeed a little later. Says nothing about whether it is safe to repeat.
  public var isTransient: Bool {
    switch kind {
    case .throttled, .unreachable, .timedOut, .serviceFailure: true
    default: false
    }
  }

  /// One line: command and subject, the words of the service, what to do.
  public var description: String {
    let place = subject.map { "\(command) (\($0))" } ?? command
    let words = code.map { "\($0): \(message)" } ?? message
    return "\(place): \(words); \(advice)"
  }
}
