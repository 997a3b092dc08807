/// A rule of type `selection`: a table and the rows of it that are loaded.
public struct SelectionRule: Codable, Hashable, Sendable {
  /// `rule-type`.
  public var ruleType = RuleKind.selection
  /// `rule-id`, a number written as text, unique in the document.
  public var ruleID: String
  /// `rule-name`, unique in the document.
  public var ruleName: String
  /// `object-locator`.
  public var objectLocator: ObjectLocator
  /// `rule-action`.
  public var ruleAction: Action
  /// `load-order`: in AWS's example the higher number is started first. Written as a number in text.
  public var loadOrder: String?
  /// `filters`, joined by AND. They act with `include` only, and only on exact names.
  public var filters: [SourceFilter]

  /// What a selection rule does with its tables.
  public enum Action: String, Codable, Sendable, CaseIterable {
    /// Load them.
    case include
    /// Don't load them.
    case exclude
    /// Load exactly this one table.
    case explicit
  }

  enum CodingKeys: String, CodingKey {
    case ruleType = "rule-type"
    case ruleID = "rule-id"
    case ruleName = "rule-name"
    case objectLocator = "object-locator"
    case ruleAction = "rule-action"
    case loadOrder = "load-order"
    case filters
  }
}
