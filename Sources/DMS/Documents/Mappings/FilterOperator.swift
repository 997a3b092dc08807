/// The `filter-operator` of a condition. There is no operator for "less than" or "greater than" without equality.
public enum FilterOperator: String, Codable, Sendable, CaseIterable {
  /// At most `value`.
  case atMost = "lte"
  /// At most `value`; another name for `lte`.
  case smallerOrEqual = "ste"
  /// At least `value`.
  case atLeast = "gte"
  /// Equal to `value`.
  case equal = "eq"
  /// Not equal to `value`.
  case notEqual = "noteq"
  /// From `start-value` to `end-value`, both included.
  case between
  /// Outside `start-value` to `end-value`.
  case notBetween = "notbetween"
  /// NULL.
  case null
  /// Not NULL.
  case notNull = "notnull"

  /// The keys of a condition that the operator needs.
  var neededKeys: [String] {
    switch self {
    case .atMost, .smallerOrEqual, .atLeast, .equal, .notEqual: ["value"]
    case .between, .notBetween: ["start-value", "end-value"]
    case .null, .notNull: []
    }
  }

  /// Whether the operator says what a row must not be; a filter may hold only one such condition.
  var isNegative: Bool { self == .notEqual || self == .notBetween || self == .notNull }
}
