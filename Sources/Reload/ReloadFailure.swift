import DMS

/// Why a reload ended before its time.
package enum ReloadFailure: Error, Sendable, CustomStringConvertible {
  /// The load is not good; nothing of it was merged.
  case badLoad(task: String, problems: [LoadProblem])
  /// The task did not get as far as an end that could be judged; nothing was merged.
  case taskFailed(task: String?, reason: String)
  /// DMS did not compare Oracle and production as it was asked to; the merge before it stands.
  case validationFailed(task: String?, reason: String)
  /// AWS can't be reached, or refuses these credentials.
  case unreachable(AWSError, goOn: String?)
  /// Somebody asked to stop.
  case interrupted(goOn: String)
  /// There is no reload to go on with.
  case nothingToResume(String)
  /// Another reload loads into the same staging tables.
  case underWay(String)

  /// What happened, to which task and table, and what to do next; a line each.
  package var description: String {
    switch self {
    case .badLoad(let task, let problems):
      "the load of task \(task) is not good, and nothing of it was merged:\n"
        + problems.map { "  \($0)" }.joined(separator: "\n")
        + "\nLook at the task's log in CloudWatch and fix the cause; then run the reload again with --truncate. The task "
        + "is left in AWS; merge-engine cleanup deletes it."
    case .taskFailed(let task, let reason):
      (task.map { "task \($0): " } ?? "") + "\(reason)\nNothing was merged."
    case .validationFailed(let task, let reason):
      (task.map { "validation \($0): " } ?? "the validation: ")
        + "\(reason)\nThe merge is done, and stands. Validate again: "
        + "merge-engine reload --resume"
    case .unreachable(let error, let goOn): "\(error)" + (goOn.map { "\n\($0)" } ?? "")
    case .interrupted(let goOn), .nothingToResume(let goOn), .underWay(let goOn): goOn
    }
  }
}

extension AWSError {
  /// Whether it says that AWS itself, or these credentials, stand in the way, and not the task or what was asked for.
  var isAboutReachingAWS: Bool {
    switch kind {
    case .commandMissing, .commandUnfit, .timedOut, .noCredentials, .badCredentials, .expiredToken, .unknownProfile,
      .noRegion, .wrongRegion, .accessDenied, .throttled, .unreachable, .serviceFailure:
      true
    case .notFound, .invalidState, .alreadyExists, .quotaExceeded, .invalidInput, .badAnswer, .other: false
    }
  }
}
