/// Something about a table that a DBA should know before it is merged.
public struct Finding: Sendable, Codable, Hashable {
  /// Whether the merge can go on.
  public enum Grade: String, Sendable, Codable {
    /// The table can't be merged; nothing is written.
    case blocker
    /// It can be merged, with the effect described.
    case warning
  }

  /// Whether the merge can go on.
  public let grade: Grade
  /// The table without its schema; nil when the finding is about the whole run.
  public let table: String?
  /// What is the matter and what to do, a sentence each.
  public let message: String

  /// Makes a finding.
  public init(grade: Grade, table: String?, message: String) {
    self.grade = grade
    self.table = table
    self.message = message
  }

  static func blocker(_ table: String?, _ message: String) -> Finding {
    Finding(grade: .blocker, table: table, message: message)
  }

  static func warning(_ table: String?, _ message: String) -> Finding {
    Finding(grade: .warning, table: table, message: message)
  }
}
