/// What was made of CSV files.
public struct SnapshotImportReport: Sendable, Encodable {
  /// How it ended.
  public enum Status: String, Sendable, Codable {
    /// Every row is in the snapshot, or was deleted later on.
    case success = "SUCCESS"
    /// Bad rows were left out.
    case partial = "PARTIAL"
  }

  /// The snapshot.
  public let manifest: SnapshotManifest
  /// One entry a table.
  public let tables: [Table]
  /// The bad rows that were left out.
  public let rejected: [Rejected]
  /// Where they are listed; nil without any.
  public let rejectedPath: String?
  /// The file for `repair` with the deleted rows that production still has; nil without any.
  public let deletesPath: String?

  /// PARTIAL when bad rows were left out.
  public var status: Status { rejected.isEmpty ? .success : .partial }

  /// What was made of one table's files. `rows = snapshot_rows + later_deleted + deletes + rejected`.
  public struct Table: Sendable, Encodable {
    /// The table's plain name.
    public let table: String
    /// How many files it has.
    public let files: Int
    /// Rows of the files.
    public internal(set) var rows = 0
    /// Rows of the snapshot: inserted, or changed, or whatever they were.
    public internal(set) var snapshotRows = 0
    /// Rows that were inserted or changed, and deleted later on: they are left out, since a replay would bring them back.
    public internal(set) var laterDeleted = 0
    /// Rows that say that one was deleted.
    public internal(set) var deletes = 0
    /// Deleted rows that production still has, and that are written for `repair`.
    public internal(set) var deletesInProduction = 0
    /// Deleted rows that production has no more.
    public internal(set) var deletesGone = 0
    /// Deleted rows of which production has a newer version: they are left alone.
    public internal(set) var deletesNewerInProduction = 0
    /// Of the rows for `repair` those whose deletion says no version.
    public internal(set) var deletesWithoutVersion = 0
    /// Bad rows that were left out.
    public internal(set) var rejected = 0

    private enum CodingKeys: String, CodingKey {
      case table, files, rows, deletes, rejected
      case snapshotRows = "snapshot_rows"
      case laterDeleted = "later_deleted"
      case deletesInProduction = "deletes_in_production"
      case deletesGone = "deletes_gone"
      case deletesNewerInProduction = "deletes_newer_in_production"
      case deletesWithoutVersion = "deletes_without_version"
    }
  }

  /// A bad row.
  public struct Rejected: Sendable, Encodable, Hashable {
    /// The table's plain name.
    public let table: String
    /// The file's path.
    public let file: String
    /// The line on which it begins, from 1.
    public let line: Int
    /// The column whose value is bad; nil where the row as a whole is.
    public let column: String?
    /// What is wrong.
    public let reason: String

    /// `load/ORDERS/LOAD00000001.csv, line 12, column amount`.
    public var place: String { "\(file), line \(line)" + (column.map { ", column \($0)" } ?? "") }
  }

  private enum CodingKeys: String, CodingKey {
    case status, tables, rejected
    case manifest = "snapshot"
    case rejectedPath = "rejected_file"
    case deletesPath = "deletes_file"
  }

  /// One object.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(status, forKey: .status)
    try container.encode(manifest, forKey: .manifest)
    try container.encode(tables, forKey: .tables)
    try container.encode(rejected, forKey: .rejected)
    try container.encode(rejectedPath, forKey: .rejectedPath)
    try container.encode(deletesPath, forKey: .deletesPath)
  }
}
