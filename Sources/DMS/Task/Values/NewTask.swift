/// What a full-load task is made from.
public struct NewTask: Hashable, Sendable {
  /// Its name.
  public var identifier: TaskIdentifier
  /// The source endpoint.
  public var sourceEndpointARN: String
  /// The target endpoint.
  public var targetEndpointARN: String
  /// What it runs on.
  public var runner: TaskRunner
  /// The mapping document, as text.
  public var tableMappings: String
  /// The settings document, as text.
  public var settings: String
  /// Tags, by which the task is found again.
  public var tags: [ResourceTag]

  /// Makes a request.
  public init(
    identifier: TaskIdentifier,
    sourceEndpointARN: String,
    targetEndpointARN: String,
    runner: TaskRunner,
    tableMappings: String,
    settings: String,
    tags: [ResourceTag] = []
  ) {
    self.identifier = identifier
    self.sourceEndpointARN = sourceEndpointARN
    self.targetEndpointARN = targetEndpointARN
    self.runner = runner
    self.tableMappings = tableMappings
    self.settings = settings
    self.tags = tags
  }
}

extension NewTask: Encodable {
  private enum CodingKeys: String, CodingKey {
    case sourceEndpointARN = "SourceEndpointArn"
    case targetEndpointARN = "TargetEndpointArn"
    case tableMappings = "TableMappings"
    case tags = "Tags"
    // Of a task on an instance,
    case taskIdentifier = "ReplicationTaskIdentifier"
    case replicationInstanceARN = "ReplicationInstanceArn"
    case migrationType = "MigrationType"
    case taskSettings = "ReplicationTaskSettings"
    // and of a serverless replication.
    case configIdentifier = "ReplicationConfigIdentifier"
    case computeConfig = "ComputeConfig"
    case replicationType = "ReplicationType"
    case replicationSettings = "ReplicationSettings"
  }

  private static let fullLoad = "full-load"

  /// Writes the request of `CreateReplicationTask`, or of `CreateReplicationConfig`.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    let isTask = runner.kind == .task
    try container.encode(identifier.description, forKey: isTask ? .taskIdentifier : .configIdentifier)
    try container.encode(sourceEndpointARN, forKey: .sourceEndpointARN)
    try container.encode(targetEndpointARN, forKey: .targetEndpointARN)
    switch runner {
    case .instance(let arn): try container.encode(arn, forKey: .replicationInstanceARN)
    case .serverless(let compute): try container.encode(compute, forKey: .computeConfig)
    }
    try container.encode(Self.fullLoad, forKey: isTask ? .migrationType : .replicationType)
    try container.encode(tableMappings, forKey: .tableMappings)
    try container.encode(settings, forKey: isTask ? .taskSettings : .replicationSettings)
    if !tags.isEmpty { try container.encode(tags, forKey: .tags) }
  }
}
