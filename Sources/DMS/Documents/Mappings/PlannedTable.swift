/// A table that is to be loaded, as the user names it.
public struct PlannedTable: Hashable, Sendable, Codable {
  /// The source table; upper-cased as Oracle does unless it stands in double quotes.
  public var name: String
  /// The source schema, where it is not the plan's.
  public var schema: String?
  /// The column that the window speaks of.
  public var versionColumn: String
  /// The staging table, where it is not the source table's name in lower case.
  public var targetName: String?
  /// `load-order` of the selection rule.
  public var loadOrder: Int?
  /// Read in several segments at once.
  public var parallelLoad: ParallelLoad?
  /// Large objects of this table.
  public var lobSettings: LobSettings?

  /// Makes a planned table.
  public init(
    name: String,
    schema: String? = nil,
    versionColumn: String = "updated_at",
    targetName: String? = nil,
    loadOrder: Int? = nil,
    parallelLoad: ParallelLoad? = nil,
    lobSettings: LobSettings? = nil
  ) {
    self.name = name
    self.schema = schema
    self.versionColumn = versionColumn
    self.targetName = targetName
    self.loadOrder = loadOrder
    self.parallelLoad = parallelLoad
    self.lobSettings = lobSettings
  }
}
