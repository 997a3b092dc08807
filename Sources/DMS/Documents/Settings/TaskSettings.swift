/// The task-settings document of a DMS task; what it leaves out, the service fills in.
///
/// Format: <https://docs.aws.amazon.com/dms/latest/userguide/CHAP_Tasks.CustomizingTasks.TaskSettings.html>.
public struct TaskSettings: Codable, Hashable, Sendable {
  /// Where to, and large objects.
  public var targetMetadata: TargetMetadata
  /// Target tables and sizes.
  public var fullLoadSettings: FullLoadSettings
  /// CloudWatch.
  public var logging: LoggingSettings
  /// What stops a task.
  public var errorBehavior: ErrorBehavior
  /// DMS's own comparison.
  public var validationSettings: ValidationSettings

  enum CodingKeys: String, CodingKey {
    case targetMetadata = "TargetMetadata"
    case fullLoadSettings = "FullLoadSettings"
    case logging = "Logging"
    case errorBehavior = "ErrorBehavior"
    case validationSettings = "ValidationSettings"
  }

  /// The document as text, keys in DMS's usual order, with a newline at the end.
  public func document() throws -> String { try OrderedJSONEncoder().document(self) }
}
