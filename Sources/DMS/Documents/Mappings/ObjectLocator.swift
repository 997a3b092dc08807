/// The `object-locator` of a rule: which schema, table or column it speaks of, in the source's own spelling.
///
/// `%` stands for any characters, `_` for one, `[_]` for an underscore itself.
public struct ObjectLocator: Codable, Hashable, Sendable {
  /// `schema-name`.
  public var schemaName: String
  /// `table-name`.
  public var tableName: String?
  /// `column-name`.
  public var columnName: String?

  enum CodingKeys: String, CodingKey {
    case schemaName = "schema-name"
    case tableName = "table-name"
    case columnName = "column-name"
  }

  /// Makes a locator.
  public init(schemaName: String, tableName: String? = nil, columnName: String? = nil) {
    self.schemaName = schemaName
    self.tableName = tableName
    self.columnName = columnName
  }
}
