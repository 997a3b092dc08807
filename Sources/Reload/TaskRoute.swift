/// Where a task runs, and between which endpoints.
public struct TaskRoute: Sendable, Hashable {
  /// The source endpoint.
  public var sourceEndpointARN: String
  /// The target endpoint.
  public var targetEndpointARN: String
  /// The replication instance.
  public var replicationInstanceARN: String

  /// Makes a route.
  public init(sourceEndpointARN: String, targetEndpointARN: String, replicationInstanceARN: String) {
    self.sourceEndpointARN = sourceEndpointARN
    self.targetEndpointARN = targetEndpointARN
    self.replicationInstanceARN = replicationInstanceARN
  }
}
