import Libpq

/// Which columns have a special part in the merge, for all tables and for single ones.
public struct ColumnRules: Sendable, Codable {
  /// The column that decides which row is newer.
  public var version = "updated_at"
  /// Columns that are written when a row is inserted and left alone when it is updated.
  public var insertOnly = ["created_at"]
  /// What single tables have instead, by table name.
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

    /// Nothing special.
    public init() {}
  }

  func version(of table: String) -> Identifier { Identifier(tables[table]?.version ?? version) }
  func insertOnly(of table: String) -> Set<Identifier> {
    Set((tables[table]?.insertOnly ?? insertOnly).map { Identifier($0) })
  }
  func ignored(of table: String) -> Set<Identifier> { Set((tables[table]?.ignore ?? []).map { Identifier($0) }) }
}
