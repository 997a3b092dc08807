/// How bad a finding is.
public enum Grade: String, Codable, Sendable, CaseIterable, Comparable {
  /// The task will fail, or load other rows than meant.
  case error
  /// It can lose or change data, depending on what the tables hold.
  case warning
  /// Worth knowing.
  case note

  /// Errors come first.
  public static func < (first: Grade, second: Grade) -> Bool { first.rank < second.rank }

  private var rank: Int {
    switch self {
    case .error: 0
    case .warning: 1
    case .note: 2
    }
  }
}
