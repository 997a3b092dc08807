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
  /// What it is about.
  public let kind: Kind
  /// The table without its schema; nil when the finding is about the whole run.
  public let table: String?
  /// What is the matter and what to do, a sentence each, in the words of the command.
  package let message: String

  /// Makes a finding.
  package init(grade: Grade, kind: Kind = .other, table: String?, message: String) {
    self.grade = grade
    self.kind = kind
    self.table = table
    self.message = message
  }

  /// Reads what was recorded, by an earlier version perhaps, which knew no kinds.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    grade = try container.decode(Grade.self, forKey: .grade)
    kind = try container.decodeIfPresent(Kind.self, forKey: .kind) ?? .other
    table = try container.decodeIfPresent(String.self, forKey: .table)
    message = try container.decode(String.self, forKey: .message)
  }

  static func blocker(_ kind: Kind, _ table: String?, _ message: String) -> Finding {
    Finding(grade: .blocker, kind: kind, table: table, message: message)
  }

  /// One of no kind of its own.
  static func blocker(_ table: String?, _ message: String) -> Finding { .blocker(.other, table, message) }

  static func warning(_ kind: Kind, _ table: String?, _ message: String) -> Finding {
    Finding(grade: .warning, kind: kind, table: table, message: message)
  }

  /// One of no kind of its own.
  static func warning(_ table: String?, _ message: String) -> Finding { .warning(.other, table, message) }
}
