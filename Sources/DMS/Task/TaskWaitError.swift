/// What was waited for did not come.
public enum TaskWaitError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The task went into a state from which the wanted one does not follow.
  case unexpected(ReplicationTask, wanted: String)
  /// The time was over. The task, where there is one, is as it was last seen.
  case timeOut(ReplicationTask?, wanted: String, limit: Duration)
  /// A connection test failed.
  case connectionFailed(EndpointConnection)

  /// What happened, to which task, in the service's words, and what to do next.
  public var description: String {
    switch self {
    case .unexpected(let task, let wanted):
      "\(task.kind.noun) \(task.identifier) is \(task.status) and will not become \(wanted)\(Self.words(of: task)); look at its log, delete "
        + "it with `\(task.kind.deleteCommand(arn: task.arn))`, and run the reload again"
    case .timeOut(let task, let wanted, let limit):
      if let task {
        "\(task.kind.noun) \(task.identifier) was still \(task.status) after \(limit.components.seconds) s and not \(wanted)"
          + "\(Self.words(of: task)); it continues in AWS: check it there, and wait longer or stop it"
      } else {
        "gave up waiting for \(wanted) after \(limit.components.seconds) s; check it in AWS, and wait longer or try again"
      }
    case .connectionFailed(let connection):
      "the replication instance \(connection.replicationInstanceIdentifier ?? connection.replicationInstanceARN ?? "?") cannot "
        + "connect to the endpoint \(connection.endpointIdentifier ?? connection.endpointARN ?? "?") (\(connection.status)): "
        + "\(connection.lastFailureMessage ?? "no reason was given"); check the endpoint's host, user, password and network"
    }
  }

  private static func words(of task: ReplicationTask) -> String {
    task.lastFailureMessage.map { ": \($0)" } ?? ""
  }
}
