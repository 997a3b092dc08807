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
  private enum TaskKeys: String, CodingKey {
    case identifier = "ReplicationTaskIdentifier"
    case sourceEndpointARN = "SourceEndpointArn"
    case targetEndpointARN = "TargetEndpointArn"
    case replicationInstanceARN = "ReplicationInstanceArn"
    case migrationType = "MigrationType"
    case tableMappings = "TableMappings"
    case settings = "ReplicationTaskSettings"
    case tags = "Tags"
  }

  private enum ConfigKeys: String, CodingKey {
    case identifier = "ReplicationConfigIdentifier"
    case sourceEndpointARN = "SourceEndpointArn"
    case targetEndpointARN = "TargetEndpointArn"
    case computeConfig = "ComputeConfig"
    case replicationType = "ReplicationType"
    case tableMappings = "TableMappings"
    case settings = "ReplicationSettings"
    case tags = "Tags"
  }

  private static let fullLoad = "full-load"

  /// Writes the request of `CreateReplicationTask`, or of `CreateReplicationConfig`.
  public func encode(to encoder: any Encoder) throws {
    switch runner {
    case .instance(let arn):
      var container = encoder.container(keyedBy: TaskKeys.self)
      try container.encode(identifier.description, forKey: .identifier)
      try container.encode(sourceEndpointARN, forKey: .sourceEndpointARN)
      try container.encode(targetEndpointARN, forKey: .targetEndpointARN)
      try container.encode(arn, forKey: .replicationInstanceARN)
      try container.encode(Self.fullLoad, forKey: .migrationType)
      try container.encode(tableMappings, forKey: .tableMappings)
      try container.encode(settings, forKey: .settings)
      if !tags.isEmpty { try container.encode(tags, forKey: .tags) }
    case .serverless(let compute):
      var container = encoder.container(keyedBy: ConfigKeys.self)
      try container.encode(identifier.description, forKey: .identifier)
      try container.encode(sourceEndpointARN, forKey: .sourceEndpointARN)
      try container.encode(targetEndpointARN, forKey: .targetEndpointARN)
      try container.encode(compute, forKey: .computeConfig)
      try container.encode(Self.fullLoad, forKey: .replicationType)
      try container.encode(tableMappings, forKey: .tableMappings)
      try container.encode(settings, forKey: .settings)
      if !tags.isEmpty { try container.encode(tags, forKey: .tags) }
    }
  }
}
