/// A call that would be made, for showing it to somebody beforehand.
public struct PlannedCall: Sendable, Encodable {
  /// As `aws dms` spells it: `start-replication-task`.
  public let operation: String
  /// The request, with the two documents in it unfolded, which the API takes as texts within the JSON.
  public let request: JSONNode

  private init(_ operation: String, _ request: some Encodable) throws {
    self.operation = operation
    var node = try OrderedJSONEncoder().node(request)
    let members = node.members?.map { member in
      guard Self.documents.contains(member.name), case .string(let text) = member.node.value,
        let document = try? JSONParser.parse(Array(text.utf8))
      else { return member }
      return JSONNode.Member(name: member.name, node: document)
    }
    if let members { node.value = .object(members) }
    self.request = node
  }

  /// The members of requests that are JSON as text.
  private static let documents: Set = ["TableMappings", "ReplicationTaskSettings", "ReplicationSettings"]

  /// The calls of a load from its first to its last.
  ///
  /// Descriptions are asked for again and again; each stands here once. The task's ARN is known only when it has been made.
  public static func load(_ task: NewTask, isTaskDeleted: Bool) throws -> [PlannedCall] {
    let arn = "(the ARN of \(task.identifier))"
    var calls: [PlannedCall]
    switch task.runner {
    case .instance(let instance): calls = try onInstance(task, arn: arn, instanceARN: instance)
    case .serverless: calls = try serverless(task, arn: arn)
    }
    if !isTaskDeleted { calls.removeLast() }
    return calls
  }

  private static func onInstance(_ task: NewTask, arn: String, instanceARN: String) throws -> [PlannedCall] {
    let reference = APIMessages.Reference(arn: arn, kind: .task)
    let description = APIMessages.DescribeTasks(
      filters: [.init(name: "replication-task-arn", values: [arn])],
      withoutSettings: true
    )
    var calls: [PlannedCall] = []
    for endpoint in [task.sourceEndpointARN, task.targetEndpointARN] {
      let filters = [APIMessages.Filter(name: "endpoint-arn", values: [endpoint])]
      let pair = APIMessages.ConnectionReference(instanceARN: instanceARN, endpointARN: endpoint)
      calls += [
        try .init("describe-connections", APIMessages.Describe(filters: filters)),
        try .init("test-connection", pair),
      ]
    }
    return calls + [
      try .init("create-replication-task", task),
      try .init("describe-replication-tasks", description),
      try .init("start-replication-task", APIMessages.Start(reference: reference)),
      try .init("describe-replication-tasks", description),
      try .init("describe-table-statistics", reference),
      try .init("delete-replication-task", reference),
    ]
  }

  /// Connections are not tested beforehand: that takes an instance, and a serverless replication does it itself.
  private static func serverless(_ task: NewTask, arn: String) throws -> [PlannedCall] {
    let reference = APIMessages.Reference(arn: arn, kind: .serverless)
    let description = APIMessages.Describe(filters: [.init(name: "replication-config-arn", values: [arn])])
    return [
      try .init("create-replication-config", task),
      try .init("describe-replications", description),
      try .init("start-replication", APIMessages.Start(reference: reference)),
      try .init("describe-replications", description),
      try .init("describe-replication-table-statistics", reference),
      try .init("delete-replication-config", reference),
    ]
  }
}
