/// A rule of type `table-settings`: how one table, named exactly, is loaded.
public struct TableSettingsRule: Codable, Hashable, Sendable {
  /// `rule-type`.
  public var ruleType = RuleKind.tableSettings
  /// `rule-id`, a number written as text, unique in the document.
  public var ruleID: String
  /// `rule-name`, unique in the document.
  public var ruleName: String
  /// `object-locator`; no wildcards.
  public var objectLocator: ObjectLocator
  /// `parallel-load`.
  public var parallelLoad: ParallelLoad?
  /// `lob-settings`.
  public var lobSettings: LobSettings?

  enum CodingKeys: String, CodingKey {
    case ruleType = "rule-type"
    case ruleID = "rule-id"
    case ruleName = "rule-name"
    case objectLocator = "object-locator"
    case parallelLoad = "parallel-load"
    case lobSettings = "lob-settings"
  }
}
