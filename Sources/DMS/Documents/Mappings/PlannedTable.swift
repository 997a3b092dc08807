/// A table that is to be loaded, as the user names it.
public struct PlannedTable: Hashable, Sendable, Codable {
  /// The source table; upper-cased as Oracle does unless it stands in double quotes.
  public var name: String
  /// The source schema, where it is not the plan's.
  public var schema: String?
  /// The column that the window speaks of.
  public var versionColumn: String
  /// The schema on the target, as PostgreSQL spells it, where it is not the plan's.
  public var targetSchema: String?
  /// The staging table, where it is not the source table's name in lower case.
  public var targetName: String?
  /// `load-order` of the selection rule.
  public var loadOrder: Int?
  /// Read in several segments at once.
  public var parallelLoad: ParallelLoad?
  /// Large objects of this table.
  public var lobSettings: LobSettings?

  /// The only rows to load, by the values of the key's columns; nil for the plan's window.
  public var keyValues: [KeyValues]?

  /// Values of one column of a key; of several columns every combination of their values is loaded.
  public struct KeyValues: Hashable, Sendable, Codable {
    /// The column; upper-cased as Oracle does unless it stands in double quotes.
    public var column: String
    /// Its values, as a filter compares them.
    public var values: [String]

    /// Names a column's values.
    public init(column: String, values: [String]) {
      self.column = column
      self.values = values
    }
  }

  /// Makes a planned table.
  public init(
    name: String,
    schema: String? = nil,
    versionColumn: String = "updated_at",
    targetSchema: String? = nil,
    targetName: String? = nil,
    loadOrder: Int? = nil,
    parallelLoad: ParallelLoad? = nil,
    lobSettings: LobSettings? = nil
  ) {
    self.name = name
    self.schema = schema
    self.versionColumn = versionColumn
    self.targetSchema = targetSchema
    self.targetName = targetName
    self.loadOrder = loadOrder
    self.parallelLoad = parallelLoad
    self.lobSettings = lobSettings
  }
}
