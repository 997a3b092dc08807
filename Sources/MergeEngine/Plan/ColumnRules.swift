import Libpq

/// Which columns have a special part in the merge, and what staging calls otherwise than production, for all tables and for
/// single ones.
public struct ColumnRules: Sendable, Codable {
  /// The column that decides which row is newer.
  public var version = "updated_at"
  /// Columns that are written when a row is inserted and left alone when it is updated.
  public var insertOnly = ["created_at"]
  /// Names of staging that differ from production's only by case are taken for the same: what DMS makes of Oracle's capitals.
  public var foldsCase = false
  /// What single tables have instead, by production's table name.
  public var tables: [String: TableRules] = [:]

  /// The contract's names.
  public init() {}

  /// What one table has instead.
  public struct TableRules: Sendable, Codable {
    /// The version column.
    public var version: String?
    /// The insert-only columns.
    public var insertOnly: [String]?
    /// Staging columns that are not merged.
    public var ignore: [String]?
    /// The columns of the unique index that rows are matched by, in any order; nil for the primary key, or the only unique
    /// index over NOT NULL columns.
    public var key: [String]?
    /// The staging table, where its name is not production's.
    public var stagingTable: String?
    /// The names of staging's columns, by production's, where they differ.
    public var columns: [String: String]?

    /// Nothing special.
    public init() {}
  }

  /// The staging tables that the file names, by production's name.
  var stagingTables: [Identifier: Identifier] {
    tables.reduce(into: [:]) { names, entry in
      if let name = entry.value.stagingTable { names[Identifier(entry.key)] = Identifier(name) }
    }
  }
  func key(of table: String) -> [String]? { tables[table]?.key }
  func version(of table: String) -> Identifier { Identifier(tables[table]?.version ?? version) }
  func insertOnly(of table: String) -> Set<Identifier> {
    Set((tables[table]?.insertOnly ?? insertOnly).map { Identifier($0) })
  }
  func ignored(of table: String) -> Set<Identifier> { Set((tables[table]?.ignore ?? []).map { Identifier($0) }) }
}
