/// The `rule-type` of a mapping rule.
public enum RuleKind: String, Codable, Sendable, CaseIterable {
  /// Which tables, which rows.
  case selection
  /// What they are called, and what their columns are, on the target.
  case transformation
  /// How a table is loaded.
  case tableSettings = "table-settings"
}
