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
    let request = APIMessages.DescribeConnections(filters: [
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

  // MARK: - Tasks

  /// Makes a task. It is `creating` for a while and can be started when it is `ready`.
  public func createTask(_ task: NewTask) async throws -> ReplicationTask {
    try await command.call(
      "create-replication-task",
      task,
      for: task.identifier.description,
      as: APIMessages.TaskAnswer.self
    ).task
  }

  /// The task of that ARN.
  ///
  /// - Throws: ``AWSError`` of kind `notFound` if there is none, also where the answer is an empty list.
  public func task(arn: String) async throws -> ReplicationTask {
    let tasks = try await tasks(where: "replication-task-arn", is: arn)
    guard let task = tasks.first(where: { $0.arn == arn }) else { throw notFound(arn) }
    return task
  }

  /// The task of that name, or `nil`.
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
  public func tasks(taggedWith tag: ResourceTag, identifierPrefix: String = "") async throws -> [ReplicationTask] {
    let request = APIMessages.DescribeTasks(filters: nil, withoutSettings: true)
    let all = try await command.call("describe-replication-tasks", request, as: APIMessages.TaskList.self).tasks
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
    return candidates.filter { found.contains($0.arn) }
  }

  /// Starts a task for the first time.
  public func startTask(arn: String) async throws -> ReplicationTask {
    let request = APIMessages.StartTask(arn: arn, type: "start-replication")
    return try await command.call("start-replication-task", request, for: arn, as: APIMessages.TaskAnswer.self).task
  }

  /// Stops a running task.
  public func stopTask(arn: String) async throws -> ReplicationTask {
    let request = APIMessages.TaskReference(arn: arn)
    return try await command.call("stop-replication-task", request, for: arn, as: APIMessages.TaskAnswer.self).task
  }

  /// Deletes a task that does not run. It is `deleting` for a while.
  public func deleteTask(arn: String) async throws -> ReplicationTask {
    let request = APIMessages.TaskReference(arn: arn)
    return try await command.call("delete-replication-task", request, for: arn, as: APIMessages.TaskAnswer.self).task
  }

  /// What the task did with each table.
  public func tableStatistics(taskARN: String) async throws -> [TableStatistics] {
    let request = APIMessages.TaskReference(arn: taskARN)
    return try await command.call(
      "describe-table-statistics",
      request,
      for: taskARN,
      as: APIMessages.TableStatisticsList.self
    ).tables
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
      command: "\(command.executable) dms describe-replication-tasks",
      subject: arn,
      message: "there is no such task",
      advice: "somebody deleted it, or the credentials belong to another account or region than the ARN"
    )
  }
}
