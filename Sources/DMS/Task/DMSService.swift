/// The calls to DMS that a reload needs.
///
/// Each is one run of the `aws` command, which follows pages and retries by itself. Every unknown field of an answer is
/// passed over.
public struct DMSService: Sendable {
  /// How the service is reached.
  public var command: AWSCommand

  /// Resources whose tags are asked for at once. Arbitrary: AWS names no bound.
  private static let resourcesPerTagCall = 20

  /// Makes a service.
  public init(command: AWSCommand) { self.command = command }

  // MARK: - Connections

  /// Starts a test of the connection between an instance and an endpoint. It goes on after the call.
  public func testConnection(instanceARN: String, endpointARN: String) async throws -> EndpointConnection {
    let request = APIMessages.ConnectionReference(instanceARN: instanceARN, endpointARN: endpointARN)
    return try await command.call(
      "test-connection",
      request,
      for: endpointARN,
      as: APIMessages.ConnectionAnswer.self
    ).connection
  }

  /// The connection between an instance and an endpoint, or `nil` if it was never tested.
  public func connection(instanceARN: String, endpointARN: String) async throws -> EndpointConnection? {
    // One filter, and the instance compared here: an emulator counts only the last of several.
    let request = APIMessages.Describe(filters: [
      APIMessages.Filter(name: "endpoint-arn", values: [endpointARN])
    ])
    let list = try await command.call(
      "describe-connections",
      request,
      for: endpointARN,
      as: APIMessages.ConnectionList.self
    )
    return list.connections.first { $0.replicationInstanceARN == instanceARN && $0.endpointARN == endpointARN }
  }

  // MARK: - Tasks, on an instance or serverless

  /// Makes a task. It is `creating` for a while and can be started when it is `ready`; one that is serverless is `created`.
  public func createTask(_ task: NewTask) async throws -> ReplicationTask {
    let subject = task.identifier.description
    switch task.runner.kind {
    case .task:
      return try await command.call("create-replication-task", task, for: subject, as: APIMessages.TaskAnswer.self).task
    case .serverless:
      return try await command.call(
        "create-replication-config",
        task,
        for: subject,
        as: ServerlessMessages.ConfigAnswer.self
      ).config.task
    }
  }

  /// The task of that ARN.
  ///
  /// - Throws: ``AWSError`` of kind `notFound` if there is none, also where the answer is an empty list.
  public func task(arn: String) async throws -> ReplicationTask {
    let found =
      switch TaskKind(arn: arn) {
      case .task: try await tasks(where: "replication-task-arn", is: arn).first { $0.arn == arn }
      case .serverless: try await replication(configARN: arn)
      }
    guard let found else { throw notFound(arn) }
    return found
  }

  /// The task of that name on an instance, or `nil`.
  public func task(identifier: TaskIdentifier) async throws -> ReplicationTask? {
    do {
      return try await tasks(where: "replication-task-id", is: identifier.description).first {
        $0.identifier.lowercased() == identifier.description.lowercased()
      }
    } catch let error as AWSError where error.kind == .notFound {
      return nil
    }
  }

  /// Tasks that carry a tag.
  ///
  /// The API has no filter for tags, so every task whose name begins with the prefix is asked for its own.
  public func tasks(taggedWith tag: ResourceTag, identifierPrefix: String = "", kind: TaskKind = .task) async throws
    -> [ReplicationTask]
  {
    let all = try await all(kind)
    let candidates = all.filter { $0.identifier.lowercased().hasPrefix(identifierPrefix.lowercased()) }
    var found: Set<String> = []
    for start in stride(from: 0, to: candidates.count, by: Self.resourcesPerTagCall) {
      let arns = candidates[start..<min(start + Self.resourcesPerTagCall, candidates.count)].map(\.arn)
      let answer = try await command.call(
        "list-tags-for-resource",
        APIMessages.ResourceList(arns: arns),
        as: APIMessages.TagList.self
      )
      for entry in answer.tags where entry.key == tag.key && entry.value == tag.value {
        // With one resource in the question some answers leave out whose tag it is.
        if let arn = entry.resourceARN ?? (arns.count == 1 ? arns[0] : nil) { found.insert(arn) }
      }
    }
    let tagged = candidates.filter { found.contains($0.arn) }
    guard kind == .serverless else { return tagged }
    // The list of configs says nothing of their states.
    var replications: [ReplicationTask] = []
    for config in tagged { replications.append(try await task(arn: config.arn)) }
    return replications
  }

  /// Starts a task for the first time.
  public func startTask(arn: String) async throws -> ReplicationTask {
    let request = APIMessages.Start(reference: .init(arn: arn))
    switch TaskKind(arn: arn) {
    case .task:
      return try await command.call("start-replication-task", request, for: arn, as: APIMessages.TaskAnswer.self).task
    case .serverless:
      return try await replicationCall("start-replication", request, arn)
    }
  }

  /// Stops a running task.
  public func stopTask(arn: String) async throws -> ReplicationTask {
    let request = APIMessages.Reference(arn: arn)
    switch TaskKind(arn: arn) {
    case .task:
      return try await command.call("stop-replication-task", request, for: arn, as: APIMessages.TaskAnswer.self).task
    case .serverless:
      return try await replicationCall("stop-replication", request, arn)
    }
  }

  /// Deletes a task that does not run. It is `deleting` for a while.
  public func deleteTask(arn: String) async throws -> ReplicationTask {
    let request = APIMessages.Reference(arn: arn)
    switch TaskKind(arn: arn) {
    case .task:
      return try await command.call("delete-replication-task", request, for: arn, as: APIMessages.TaskAnswer.self).task
    case .serverless:
      return try await command.call(
        "delete-replication-config",
        request,
        for: arn,
        as: ServerlessMessages.ConfigAnswer.self
      ).config.task
    }
  }

  /// What the task did with each table.
  public func tableStatistics(taskARN: String) async throws -> [TableStatistics] {
    let operation =
      switch TaskKind(arn: taskARN) {
      case .task: "describe-table-statistics"
      case .serverless: "describe-replication-table-statistics"
      }
    return try await command.call(
      operation,
      APIMessages.Reference(arn: taskARN),
      for: taskARN,
      as: APIMessages.TableStatisticsList.self
    ).tables
  }

  private func all(_ kind: TaskKind) async throws -> [ReplicationTask] {
    switch kind {
    case .task:
      let request = APIMessages.DescribeTasks(filters: nil, withoutSettings: true)
      return try await command.call("describe-replication-tasks", request, as: APIMessages.TaskList.self).tasks
    case .serverless:
      return try await command.call(
        "describe-replication-configs",
        APIMessages.Describe(filters: nil),
        as: ServerlessMessages.ConfigList.self
      ).configs.map(\.task)
    }
  }

  /// The replication of a config; a config that was never started has one that is `created`, or none that is listed.
  private func replication(configARN arn: String) async throws -> ReplicationTask? {
    let request = APIMessages.Describe(filters: [.init(name: "replication-config-arn", values: [arn])])
    do {
      let list = try await command.call(
        "describe-replications",
        request,
        for: arn,
        as: ServerlessMessages.ReplicationList.self
      )
      if let found = list.replications.first(where: { $0.config.arn == arn }) { return found.task }
    } catch let error as AWSError where error.kind == .notFound {
      // The config may be there all the same.
    }
    return try await command.call(
      "describe-replication-configs",
      request,
      for: arn,
      as: ServerlessMessages.ConfigList.self
    ).configs.first { $0.arn == arn }?.task
  }

  private func replicationCall(_ operation: String, _ request: some Encodable, _ arn: String) async throws
    -> ReplicationTask
  {
    try await command.call(operation, request, for: arn, as: ServerlessMessages.ReplicationAnswer.self).replication.task
  }

  private func tasks(where filter: String, is value: String) async throws -> [ReplicationTask] {
    let request = APIMessages.DescribeTasks(
      filters: [APIMessages.Filter(name: filter, values: [value])],
      withoutSettings: true
    )
    return try await command.call(
      "describe-replication-tasks",
      request,
      for: value,
      as: APIMessages.TaskList.self
    ).tasks
  }

  private func notFound(_ arn: String) -> AWSError {
    AWSError(
      kind: .notFound,
      command: "\(command.executable) dms describe-replication\(TaskKind(arn: arn) == .task ? "-task" : "")s",
      subject: arn,
      message: "there is no such \(TaskKind(arn: arn).noun)",
      advice: "somebody deleted it, or the credentials belong to another account or region than the ARN"
    )
  }
}
