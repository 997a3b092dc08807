/// What can be chosen about the staging tables that ``Merger/initialise(_:)`` makes.
public struct StagingOptions: Sendable {
  /// Where the tables are.
  public var schemas = Schemas()
  /// The production tables to make staging for; nil for all that can be merged.
  public var tables: [String]?
  /// Which columns hold versions.
  public var columns = ColumnRules()
  /// Index the version column, for those who look into staging by it. A merge does not need it.
  public var indexesVersion = false
  /// Give staging the column `_dms_processing_status`, which merges then keep true. A merge does not need it.
  public var hasStatusColumn = false
  /// Leave staging out of the write-ahead log: faster to load, and empty after a crash of the server.
  public var isUnlogged = false

  /// Staging of tables that Citus has distributed is distributed as they are, its shards beside theirs.
  public var onNodes = false

  /// The defaults.
  public init() {}
}
