/// One entry of a selection rule's `filters`.
///
/// A row is loaded if **every** filter of the rule takes it; a filter takes it if **any** of its conditions holds. So two
/// bounds belong into two filters, or into one `between`.
public struct SourceFilter: Codable, Hashable, Sendable {
  /// `filter-type`: always `source`.
  public var filterType = "source"
  /// `column-name`.
  public var columnName: String
  /// `filter-conditions`, joined by OR.
  public var conditions: [Condition]

  enum CodingKeys: String, CodingKey {
    case filterType = "filter-type"
    case columnName = "column-name"
    case conditions = "filter-conditions"
  }

  /// Makes a filter of one condition.
  public init(columnName: String, condition: Condition) {
    self.columnName = columnName
    conditions = [condition]
  }

  /// Makes a filter that takes any of these values.
  public init(columnName: String, anyOf values: [String]) {
    self.columnName = columnName
    conditions = values.map { Condition(filterOperator: .equal, value: $0) }
  }

  /// One comparison with the column.
  public struct Condition: Codable, Hashable, Sendable {
    /// `filter-operator`.
    public var filterOperator: FilterOperator
    /// `value`, for operators with one.
    public var value: String?
    /// `start-value`, for the two `between` operators.
    public var startValue: String?
    /// `end-value`, for the two `between` operators.
    public var endValue: String?

    enum CodingKeys: String, CodingKey {
      case filterOperator = "filter-operator"
      case value
      case startValue = "start-value"
      case endValue = "end-value"
    }

    /// `between`, both ends included.
    public static func between(_ bounds: ClosedRange<SourceTime>) -> Condition {
      Condition(
        filterOperator: .between,
        startValue: bounds.lowerBound.description,
        endValue: bounds.upperBound.description
      )
    }

    /// A comparison with one time.
    public static func comparison(_ filterOperator: FilterOperator, _ time: SourceTime) -> Condition {
      Condition(filterOperator: filterOperator, value: time.description)
    }
  }
}
