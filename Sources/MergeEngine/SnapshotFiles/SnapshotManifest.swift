import Foundation

/// What a snapshot holds: the file `manifest.json` beside the tables' files.
///
/// It is written last, so a folder without one is an unfinished snapshot. It says everything that a replay has to know
/// without the staging tables, and nothing about who took it or how to connect.
public struct SnapshotManifest: Sendable, Codable {
  /// The form of manifest and files; readers refuse a higher one than ``currentFormatVersion``.
  public var formatVersion = plainFormatVersion
  /// The version of merge-engine that took the snapshot.
  public var engineVersion: String
  /// What progress of a replay is recorded under: a UUID.
  public let id: String
  /// When the snapshot was taken, by this machine's clock: UTC, ISO 8601.
  public let takenAt: String
  /// The server's version, as `15.18`.
  public let serverVersion: String
  /// The encoding of texts in the files: UTF8, or SQL_ASCII for whatever bytes the database holds.
  public let encoding: String
  /// The schema the tables were in; of several pairs of schemas the first one's.
  public let stagingSchema: String
  /// The window of the load, if the admin tables knew it beyond doubt.
  public let window: Window?
  /// The tables, by name.
  public let tables: [Table]

  /// The highest form that this engine reads: tables of several pairs of schemas, whose names may be the same.
  public static let currentFormatVersion = 2
  /// The form of a snapshot of one pair of schemas, which older engines read too.
  public static let plainFormatVersion = 1

  /// The window of a load: that of `reload`, or `--from` and `--to` of the merge after which nothing was loaded.
  public struct Window: Sendable, Codable, Hashable {
    /// The first version in it.
    public let from: String?
    /// The first version after it.
    public let to: String?
  }

  /// A table's file.
  public struct Table: Sendable, Codable {
    /// The plain table name.
    public let name: String
    /// The schemas of the table and of the one that it is merged into; nil in snapshots of earlier versions, which are of one pair.
    public internal(set) var pair: SchemaPair?
    /// The file's name in the folder.
    public let file: String
    /// The file's length.
    public let byteCount: Int
    /// Rows in the file.
    public let rowCount: Int
    /// SHA-256 of the file, in hexadecimal digits.
    public let sha256: String
    /// The columns in the order of the file's fields.
    public let columns: [Column]
    /// The columns that rows are matched by; empty where neither production nor staging has a primary key.
    public let key: [String]
    /// The staging table's own primary key; empty if it had none.
    public let primaryKey: [String]
    /// The column that decides which row is newer; nil if the table has none of that name.
    public let versionColumn: String?

    private enum CodingKeys: String, CodingKey {
      case name, pair, file
      case byteCount = "bytes"
      case rowCount = "rows"
      case sha256, columns, key
      case primaryKey = "primary_key"
      case versionColumn = "version_column"
    }
  }

  /// A column of a table's file.
  public struct Column: Sendable, Codable {
    /// Its name.
    public let name: String
    /// Its type as SQL has it, as `numeric(10,2)`; a domain by its own name.
    public let type: String
    /// The type of the file's values without length or precision, as `numeric`: that under a domain, and `text` for a type
    /// without a binary form.
    public let baseType: String
    /// The base type's modifier (length, precision, scale) as the server counts it; -1 for none.
    public let modifier: Int
    /// The base type's number in the database it comes from, for types whose binary form holds such numbers.
    public let typeNumber: UInt32?
    /// What values of the base type consist of, where it does not come with the server (``TypeDefinitions``); nil in snapshots of earlier
    /// versions, too.
    public internal(set) var typeDefinition: String?
    /// Whether the column takes no NULL.
    public let isNotNull: Bool

    private enum CodingKeys: String, CodingKey {
      case name, type
      case typeDefinition = "type_definition"
      case baseType = "base_type"
      case modifier
      case typeNumber = "type_oid"
      case isNotNull = "not_null"
    }
  }

  private enum CodingKeys: String, CodingKey {
    case formatVersion = "format_version"
    case engineVersion = "engine_version"
    case id = "snapshot_id"
    case takenAt = "taken_at"
    case serverVersion = "server_version"
    case encoding
    case stagingSchema = "staging_schema"
    case window, tables
  }
}

extension SnapshotManifest {
  /// The schema that a table was in.
  func stagingSchema(of table: Table) -> String { table.pair?.staging ?? stagingSchema }

  /// The pairs of schemas as they are named in options, `staging=production`, each once; of an earlier version's snapshot the staging
  /// schema alone.
  package var pairNames: [String] {
    var names: [String] = []
    for table in tables {
      let name = table.pair?.name ?? stagingSchema
      if !names.contains(name) { names.append(name) }
    }
    return names
  }

  /// Tables are known by their schema too, since two pairs may each have one of the same name.
  package var isOfSeveralPairs: Bool { Set(tables.map(stagingSchema(of:))).count > 1 }

  /// What a table is called: with production's schema where there are several pairs.
  package func label(_ table: Table) -> String {
    isOfSeveralPairs ? "\(table.pair?.production ?? stagingSchema).\(table.name)" : table.name
  }
}

extension SnapshotManifest.Column {
  /// The length of the column's values in the file, where the type has but one; -1 otherwise.
  ///
  /// A value of another length can't be of the type, so that a file that belongs to another table, or whose manifest was
  /// changed by hand, is found out before a server sees it.
  var valueByteCount: Int { Self.valueByteCounts[baseType] ?? -1 }

  /// By the names that `format_type` gives; the lengths are those of the types' send functions.
  private static let valueByteCounts = [
    "boolean": 1, "smallint": 2, "integer": 4, "bigint": 8, "oid": 4, "real": 4, "double precision": 8, "money": 8,
    "date": 4, "time without time zone": 8, "time with time zone": 12, "timestamp without time zone": 8,
    "timestamp with time zone": 8, "interval": 16, "uuid": 16, "macaddr": 6, "macaddr8": 8, "point": 16,
  ]
}
