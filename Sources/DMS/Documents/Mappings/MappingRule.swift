/// A rule of a mapping document.
public enum MappingRule: Hashable, Sendable {
  /// Which tables, which rows.
  case selection(SelectionRule)
  /// Their names on the target.
  case transformation(TransformationRule)
  /// How a table is loaded.
  case tableSettings(TableSettingsRule)
}

extension MappingRule: Codable {
  private enum CodingKeys: String, CodingKey {
    case ruleType = "rule-type"
  }

  /// Reads the rule that `rule-type` announces.
  public init(from decoder: any Decoder) throws {
    switch try decoder.container(keyedBy: CodingKeys.self).decode(RuleKind.self, forKey: .ruleType) {
    case .selection: self = .selection(try SelectionRule(from: decoder))
    case .transformation: self = .transformation(try TransformationRule(from: decoder))
    case .tableSettings: self = .tableSettings(try TableSettingsRule(from: decoder))
    }
  }

  /// Writes the rule itself, without a wrapper.
  public func encode(to encoder: any Encoder) throws {
    switch self {
    case .selection(let rule): try rule.encode(to: encoder)
    case .transformation(let rule): try rule.encode(to: encoder)
    case .tableSettings(let rule): try rule.encode(to: encoder)
    }
  }
}
