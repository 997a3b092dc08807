/// What a task runs on.
public enum TaskRunner: Hashable, Sendable {
  /// A replication instance that is there already.
  case instance(arn: String)
  /// DMS Serverless: AWS provisions what it takes for this one replication.
  case serverless(ComputeConfig)

  /// Whether AWS provisions what it runs on.
  public var isServerless: Bool { kind == .serverless }

  /// The kind of resource that stands for a task on it.
  public var kind: TaskKind {
    switch self {
    case .instance: .task
    case .serverless: .serverless
    }
  }
}

/// The two kinds of resources that load tables; everything that is said about a task holds for both.
public enum TaskKind: Hashable, Sendable {
  /// A replication task on an instance.
  case task
  /// A replication config of DMS Serverless, and the replication that it describes.
  case serverless

  /// The kind that an ARN speaks of: `arn:aws:dms:REGION:ACCOUNT:replication-config:ID` or `…:task:ID`.
  public init(arn: String) {
    let parts = arn.split(separator: ":", omittingEmptySubsequences: false)
    self = parts.count > 5 && parts[5] == "replication-config" ? .serverless : .task
  }

  /// What to call it: `task`, `serverless replication`.
  public var noun: String {
    switch self {
    case .task: "task"
    case .serverless: "serverless replication"
    }
  }

  /// How somebody stops it by hand.
  public func stopCommand(arn: String) -> String {
    switch self {
    case .task: "aws dms stop-replication-task --replication-task-arn \(arn)"
    case .serverless: "aws dms stop-replication --replication-config-arn \(arn)"
    }
  }

  /// How somebody deletes it by hand.
  public func deleteCommand(arn: String) -> String {
    switch self {
    case .task: "aws dms delete-replication-task --replication-task-arn \(arn)"
    case .serverless: "aws dms delete-replication-config --replication-config-arn \(arn)"
    }
  }
}
