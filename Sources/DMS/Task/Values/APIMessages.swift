/// Requests and answers of the API that are nothing but wrappers.
enum APIMessages {
  struct Filter: Encodable {
    let name: String
    let values: [String]

    enum CodingKeys: String, CodingKey {
      case name = "Name"
      case values = "Values"
    }
  }

  struct DescribeTasks: Encodable {
    let filters: [Filter]?
    let withoutSettings: Bool

    enum CodingKeys: String, CodingKey {
      case filters = "Filters"
      case withoutSettings = "WithoutSettings"
    }
  }

  struct TaskList: Decodable {
    let tasks: [ReplicationTask]

    enum CodingKeys: String, CodingKey { case tasks = "ReplicationTasks" }
  }

  struct TaskAnswer: Decodable {
    let task: ReplicationTask

    enum CodingKeys: String, CodingKey { case task = "ReplicationTask" }
  }

  /// Names a task on an instance, or a serverless replication by its config.
  struct Reference: Encodable {
    let arn: String
    let kind: TaskKind

    /// - Parameter kind: what the ARN is of, where it does not say so itself.
    init(arn: String, kind: TaskKind? = nil) {
      self.arn = arn
      self.kind = kind ?? TaskKind(arn: arn)
    }

    enum CodingKeys: String, CodingKey {
      case task = "ReplicationTaskArn"
      case config = "ReplicationConfigArn"
      case taskStart = "StartReplicationTaskType"
      case replicationStart = "StartReplicationType"
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(arn, forKey: kind == .task ? .task : .config)
    }
  }

  /// The same, to be started.
  struct Start: Encodable {
    let reference: Reference

    func encode(to encoder: any Encoder) throws {
      try reference.encode(to: encoder)
      var container = encoder.container(keyedBy: Reference.CodingKeys.self)
      try container.encode("start-replication", forKey: reference.kind == .task ? .taskStart : .replicationStart)
    }
  }

  struct TableStatisticsList: Decodable {
    let tables: [TableStatistics]

    private enum CodingKeys: String, CodingKey {
      case ofTask = "TableStatistics"
      case ofReplication = "ReplicationTableStatistics"
    }

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      let key: CodingKeys = container.contains(.ofReplication) ? .ofReplication : .ofTask
      tables = try container.decode([TableStatistics].self, forKey: key)
    }
  }

  struct ConnectionReference: Encodable {
    let instanceARN: String
    let endpointARN: String

    enum CodingKeys: String, CodingKey {
      case instanceARN = "ReplicationInstanceArn"
      case endpointARN = "EndpointArn"
    }
  }

  struct ConnectionAnswer: Decodable {
    let connection: EndpointConnection

    enum CodingKeys: String, CodingKey { case connection = "Connection" }
  }

  struct Describe: Encodable {
    let filters: [Filter]?

    enum CodingKeys: String, CodingKey { case filters = "Filters" }
  }

  struct ConnectionList: Decodable {
    let connections: [EndpointConnection]

    enum CodingKeys: String, CodingKey { case connections = "Connections" }
  }

  struct ResourceList: Encodable {
    let arns: [String]

    enum CodingKeys: String, CodingKey { case arns = "ResourceArnList" }
  }

  struct TagList: Decodable {
    let tags: [ResourceTag]

    enum CodingKeys: String, CodingKey { case tags = "TagList" }
  }
}
