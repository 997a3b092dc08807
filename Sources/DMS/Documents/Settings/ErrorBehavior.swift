/// The section `ErrorBehavior` of task settings, as far as a full load uses it.
///
/// DMS's defaults log a bad row and go on, and suspend a bad table and go on; the task then still ends as if all were well.
public struct ErrorBehavior: Codable, Hashable, Sendable {
  /// A row that cannot be converted or loaded.
  public var dataErrorPolicy: RowPolicy
  /// A row with a value too long for its column.
  public var dataTruncationErrorPolicy: RowPolicy
  /// What follows when there were too many such rows.
  public var dataErrorEscalationPolicy: TablePolicy
  /// A table that cannot be loaded.
  public var tableErrorPolicy: TablePolicy
  /// How often a task restarts itself after an error of its environment; -1 for DMS's own numbers, 0 for never.
  public var recoverableErrorCount: Int
  /// Whether a mapping that finds no table is an error.
  public var failOnNoTablesCaptured: Bool

  /// What to do about a row.
  public enum RowPolicy: String, Codable, Sendable, CaseIterable {
    /// Leave the row out.
    case ignoreRecord = "IGNORE_RECORD"
    /// Leave the row out and write to the log; the default.
    case logError = "LOG_ERROR"
    /// Stop loading the table, go on with the others.
    case suspendTable = "SUSPEND_TABLE"
    /// Stop the task.
    case stopTask = "STOP_TASK"
  }

  /// What to do about a table.
  public enum TablePolicy: String, Codable, Sendable, CaseIterable {
    /// Stop loading the table, go on with the others; the default.
    case suspendTable = "SUSPEND_TABLE"
    /// Stop the task.
    case stopTask = "STOP_TASK"
  }

  enum CodingKeys: String, CodingKey {
    case dataErrorPolicy = "DataErrorPolicy"
    case dataTruncationErrorPolicy = "DataTruncationErrorPolicy"
    case dataErrorEscalationPolicy = "DataErrorEscalationPolicy"
    case tableErrorPolicy = "TableErrorPolicy"
    case recoverableErrorCount = "RecoverableErrorCount"
    case failOnNoTablesCaptured = "FailOnNoTablesCaptured"
  }
}
