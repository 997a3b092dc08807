/// What is known about the target tables, for the findings that need it.
///
/// Names are the target's (PostgreSQL's); the lint applies the document's own transformations before it compares.
public struct KnownSchema: Codable, Hashable, Sendable {
  /// The tables.
  public var tables: [Table]
  /// The tables that DMS would validate, which are not staging's; nil where they are not known.
  public var validated: [Table]?

  /// Makes a description.
  public init(tables: [Table], validated: [Table]? = nil) {
    self.tables = tables
    self.validated = validated
  }

  /// A table.
  public struct Table: Codable, Hashable, Sendable {
    /// Its schema, where tables of several are known; nil where the document's own word for it is taken.
    public var schema: String?
    /// Its name.
    public var name: String
    /// Its columns, without those that the staging table has for itself.
    public var columns: [Column]

    /// Makes a table.
    public init(schema: String? = nil, name: String, columns: [Column]) {
      self.schema = schema
      self.name = name
      self.columns = columns
    }

    /// The name by which it is told of.
    var fullName: String { schema.map { "\($0).\(name)" } ?? name }
  }

  /// A column.
  public struct Column: Codable, Hashable, Sendable {
    /// Its name.
    public var name: String
    /// Its type as PostgreSQL's `format_type` prints it: `numeric(10,2)`, `timestamp without time zone`, ...
    public var type: String
    /// The type on the Oracle side, as Oracle writes it (`NUMBER(10,2)`), where it is known.
    public var sourceType: String?
    /// Whether it belongs to the primary key.
    public var isKey: Bool?
    /// The collation of a text, where it is known.
    public var collation: String?

    /// Makes a column.
    public init(
      name: String,
      type: String,
      sourceType: String? = nil,
      isKey: Bool? = nil,
      collation: String? = nil
    ) {
      self.name = name
      self.type = type
      self.sourceType = sourceType
      self.isKey = isKey
      self.collation = collation
    }
  }

  /// The tables that rows for a schema may go to.
  func tables(in schema: String) -> [Table] { tables.filter { $0.schema == nil || $0.schema == schema } }

  func table(_ name: String, in schema: String) -> Table? { tables(in: schema).first { $0.name == name } }

  /// The table of a target name, or of that name in lower case: that nothing lower-cases it is said once for all tables.
  func table(meantBy target: String, in schema: String) -> Table? {
    table(target, in: schema) ?? table(target.lowercased(), in: schema)
  }
}
