/// The section `Logging` of task settings.
///
/// `CloudWatchLogGroup` and `CloudWatchLogStream` are not here: the service fills them in and refuses a task that sets them.
public struct LoggingSettings: Codable, Hashable, Sendable {
  /// Whether the task writes to CloudWatch.
  public var enableLogging: Bool
  /// How much each part of DMS writes.
  public var logComponents: [Component]

  /// One part of DMS and how much it writes.
  public struct Component: Codable, Hashable, Sendable {
    /// The part, for example `SOURCE_UNLOAD`.
    public var id: String
    /// How much it writes.
    public var severity: Severity

    enum CodingKeys: String, CodingKey {
      case id = "Id"
      case severity = "Severity"
    }
  }

  /// How much is written.
  public enum Severity: String, Codable, Sendable, CaseIterable {
    /// Errors only.
    case error = "LOGGER_SEVERITY_ERROR"
    /// Warnings too.
    case warning = "LOGGER_SEVERITY_WARNING"
    /// Information too.
    case info = "LOGGER_SEVERITY_INFO"
    /// AWS's choice.
    case standard = "LOGGER_SEVERITY_DEFAULT"
    /// For debugging.
    case debug = "LOGGER_SEVERITY_DEBUG"
    /// Everything; fills disks.
    case detailedDebug = "LOGGER_SEVERITY_DETAILED_DEBUG"
  }

  enum CodingKeys: String, CodingKey {
    case enableLogging = "EnableLogging"
    case logComponents = "LogComponents"
  }
}
