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

  struct TaskReference: Encodable {
    let arn: String

    enum CodingKeys: String, CodingKey { case arn = "ReplicationTaskArn" }
  }

  struct StartTask: Encodable {
    let arn: String
    let type: String

    enum CodingKeys: String, CodingKey {
      case arn = "ReplicationTaskArn"
      case type = "StartReplicationTaskType"
    }
  }

  struct TableStatisticsList: Decodable {
    let tables: [TableStatistics]

    enum CodingKeys: String, CodingKey { case tables = "TableStatistics" }
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

  struct DescribeConnections: Encodable {
    let filters: [Filter]

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
