/// Answers of the API that speak of serverless replications; read as the tasks that they are.
enum ServerlessMessages {
  /// A config: what is to be provisioned. It has no state of its own.
  struct Config: Decodable {
    let identifier: String
    let arn: String

    enum CodingKeys: String, CodingKey {
      case identifier = "ReplicationConfigIdentifier"
      case arn = "ReplicationConfigArn"
    }

    /// The replication that nobody has started yet.
    var task: ReplicationTask { ReplicationTask(identifier: identifier, arn: arn, status: .created) }
  }

  struct ConfigAnswer: Decodable {
    let config: Config

    enum CodingKeys: String, CodingKey { case config = "ReplicationConfig" }
  }

  struct ConfigList: Decodable {
    let configs: [Config]

    enum CodingKeys: String, CodingKey { case configs = "ReplicationConfigs" }
  }

  /// A replication: a config at work.
  struct Replication: Decodable {
    let config: Config
    let status: TaskStatus
    let stopReason: String?
    let failureMessages: [String]?
    let statistics: TaskStatistics?
    let provisioning: Provisioning?

    /// How far AWS is with what it runs on.
    struct Provisioning: Decodable {
      let state: String?

      enum CodingKeys: String, CodingKey { case state = "ProvisionState" }
    }

    private enum CodingKeys: String, CodingKey {
      case status = "Status"
      case stopReason = "StopReason"
      case failureMessages = "FailureMessages"
      case statistics = "ReplicationStats"
      case provisioning = "ProvisionData"
    }

    init(from decoder: any Decoder) throws {
      config = try Config(from: decoder)
      let container = try decoder.container(keyedBy: CodingKeys.self)
      status = try container.decode(TaskStatus.self, forKey: .status)
      stopReason = try container.decodeIfPresent(String.self, forKey: .stopReason)
      failureMessages = try container.decodeIfPresent([String].self, forKey: .failureMessages)
      statistics = try container.decodeIfPresent(TaskStatistics.self, forKey: .statistics)
      provisioning = try container.decodeIfPresent(Provisioning.self, forKey: .provisioning)
    }

    var task: ReplicationTask {
      var task = config.task
      task.status = status
      task.stopReason = stopReason
      task.lastFailureMessage = failureMessages.flatMap { $0.isEmpty ? nil : $0.joined(separator: "; ") }
      task.statistics = statistics
      task.provisionState = provisioning?.state
      return task
    }
  }

  struct ReplicationAnswer: Decodable {
    let replication: Replication

    enum CodingKeys: String, CodingKey { case replication = "Replication" }
  }

  struct ReplicationList: Decodable {
    let replications: [Replication]

    enum CodingKeys: String, CodingKey { case replications = "Replications" }
  }
}
