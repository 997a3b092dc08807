/// A replication task as the service describes it.
public struct ReplicationTask: Codable, Hashable, Sendable {
  /// The name that it was given.
  public var identifier: String
  /// Its ARN, which ends in a generated id, not in the name.
  public var arn: String
  /// Its state.
  public var status: TaskStatus
  /// `full-load`, `cdc` or both.
  public var migrationType: String?
  /// Why it stopped; not there when it did not.
  public var stopReason: String?
  /// The last error's words; stays after a restart.
  public var lastFailureMessage: String?
  /// When it was made.
  public var creationDate: AWSTimestamp?
  /// When it was last started.
  public var startDate: AWSTimestamp?
  /// Counters.
  public var statistics: TaskStatistics?
  /// The source endpoint.
  public var sourceEndpointARN: String?
  /// The target endpoint.
  public var targetEndpointARN: String?
  /// The replication instance.
  public var replicationInstanceARN: String?
  /// The mapping document, as text.
  public var tableMappings: String?
  /// The settings document as the service completed it, as text; not there when it was not asked for.
  public var settings: String?
  /// How far AWS is with what a serverless replication runs on; nil on an instance. Not in the description of a task.
  public var provisionState: String?

  /// What it is.
  public var kind: TaskKind { TaskKind(arn: arn) }

  enum CodingKeys: String, CodingKey {
    case identifier = "ReplicationTaskIdentifier"
    case arn = "ReplicationTaskArn"
    case status = "Status"
    case migrationType = "MigrationType"
    case stopReason = "StopReason"
    case lastFailureMessage = "LastFailureMessage"
    case creationDate = "ReplicationTaskCreationDate"
    case startDate = "ReplicationTaskStartDate"
    case statistics = "ReplicationTaskStats"
    case sourceEndpointARN = "SourceEndpointArn"
    case targetEndpointARN = "TargetEndpointArn"
    case replicationInstanceARN = "ReplicationInstanceArn"
    case tableMappings = "TableMappings"
    case settings = "ReplicationTaskSettings"
  }

  /// Makes a description.
  public init(identifier: String, arn: String, status: TaskStatus) {
    self.identifier = identifier
    self.arn = arn
    self.status = status
  }
}
