/// The `lob-settings` of a table-settings rule: how large objects of one table travel.
public struct LobSettings: Codable, Hashable, Sendable {
  /// `mode`.
  public var mode: Mode
  /// `bulk-max-size` in kilobytes, a number written as text; needed by `limited`.
  public var bulkMaxSize: String?

  /// How large objects travel.
  public enum Mode: String, Codable, Sendable, CaseIterable {
    /// In bulk, each cut off at `bulk-max-size`.
    case limited
    /// Whole, one by one.
    case unlimited
    /// As the task settings say.
    case none
  }

  enum CodingKeys: String, CodingKey {
    case mode
    case bulkMaxSize = "bulk-max-size"
  }

  /// In bulk, each cut off at that many kilobytes.
  public static func limited(kilobytes: Int) -> LobSettings { LobSettings(mode: .limited, bulkMaxSize: "\(kilobytes)") }

  /// Whole, one by one: slow, nothing lost.
  public static let unlimited = LobSettings(mode: .unlimited)
}
