/// What a full-load task is made from.
public struct NewTask: Hashable, Sendable {
  /// Its name.
  public var identifier: TaskIdentifier
  /// The source endpoint.
  public var sourceEndpointARN: String
  /// The target endpoint.
  public var targetEndpointARN: String
  /// The replication instance.
  public var replicationInstanceARN: String
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
    replicationInstanceARN: String,
    tableMappings: String,
    settings: String,
    tags: [ResourceTag] = []
  ) {
    self.identifier = identifier
    self.sourceEndpointARN = sourceEndpointARN
    self.targetEndpointARN = targetEndpointARN
    self.replicationInstanceARN = replicationInstanceARN
    self.tableMappings = tableMappings
    self.settings = settings
    self.tags = tags
  }
}

extension NewTask: Encodable {
  private enum CodingKeys: String, CodingKey {
    case identifier = "ReplicationTaskIdentifier"
    case sourceEndpointARN = "SourceEndpointArn"
    case targetEndpointARN = "TargetEndpointArn"
    case replicationInstanceARN = "ReplicationInstanceArn"
    case migrationType = "MigrationType"
    case tableMappings = "TableMappings"
    case settings = "ReplicationTaskSettings"
    case tags = "Tags"
  }

  /// Writes the request of `CreateReplicationTask`.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(identifier.description, forKey: .identifier)
    try container.encode(sourceEndpointARN, forKey: .sourceEndpointARN)
    try container.encode(targetEndpointARN, forKey: .targetEndpointARN)
    try container.encode(replicationInstanceARN, forKey: .replicationInstanceARN)
    try container.encode("full-load", forKey: .migrationType)
    try container.encode(tableMappings, forKey: .tableMappings)
    try container.encode(settings, forKey: .settings)
    if !tags.isEmpty { try container.encode(tags, forKey: .tags) }
  }
}
