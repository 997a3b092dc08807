/// A table that a load should have filled, and what is in staging now.
public struct ExpectedTable: Codable, Hashable, Sendable {
  /// The schema on the source.
  public var sourceSchema: String
  /// The table on the source.
  public var sourceTable: String
  /// The staging schema.
  public var targetSchema: String
  /// The staging table.
  public var targetTable: String
  /// What to call it in results; `nil` for the target table's name.
  public var name: String?
  /// Rows in the staging table; `nil` if they were not counted.
  public var stagingRows: Int?
  /// Rows in the staging table whose version lies outside of what was asked for, padding included; `nil` if not counted.
  public var rowsOutsideWindow: Int?

  /// Makes an expectation.
  public init(
    sourceSchema: String,
    sourceTable: String,
    targetSchema: String,
    targetTable: String,
    name: String? = nil,
    stagingRows: Int? = nil,
    rowsOutsideWindow: Int? = nil
  ) {
    self.sourceSchema = sourceSchema
    self.sourceTable = sourceTable
    self.targetSchema = targetSchema
    self.targetTable = targetTable
    self.name = name
    self.stagingRows = stagingRows
    self.rowsOutsideWindow = rowsOutsideWindow
  }

  /// Whether statistics speak of this table. AWS does not say whether they have the source's names or the target's.
  func isMeant(by statistics: TableStatistics) -> Bool {
    let schema = statistics.schemaName.lowercased()
    let table = statistics.tableName.lowercased()
    return (schema == sourceSchema.lowercased() && table == sourceTable.lowercased())
      || (schema == targetSchema.lowercased() && table == targetTable.lowercased())
      || (schema == sourceSchema.lowercased() && table == targetTable.lowercased())
      || (schema == targetSchema.lowercased() && table == sourceTable.lowercased())
  }
}
