import DMS

/// Where a task runs, and between which endpoints.
public struct TaskRoute: Sendable, Hashable {
  /// The source endpoint.
  public var sourceEndpointARN: String
  /// The target endpoint.
  public var targetEndpointARN: String
  /// A replication instance, or what AWS provisions.
  public var runner: TaskRunner

  /// Makes a route.
  public init(sourceEndpointARN: String, targetEndpointARN: String, runner: TaskRunner) {
    self.sourceEndpointARN = sourceEndpointARN
    self.targetEndpointARN = targetEndpointARN
    self.runner = runner
  }
}
