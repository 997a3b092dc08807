import DMS

/// Where a task runs, and between which endpoints.
package struct TaskRoute: Sendable, Hashable {
  /// The source endpoint.
  package var sourceEndpointARN: String
  /// The target endpoint.
  package var targetEndpointARN: String
  /// A replication instance, or what AWS provisions.
  package var runner: TaskRunner

  /// Makes a route.
  package init(sourceEndpointARN: String, targetEndpointARN: String, runner: TaskRunner) {
    self.sourceEndpointARN = sourceEndpointARN
    self.targetEndpointARN = targetEndpointARN
    self.runner = runner
  }
}
