/// What was made of CSV files.
package struct SnapshotImportReport: Sendable, Encodable {
  /// How it ended.
  package enum Status: String, Sendable, Codable {
    /// Every row is in the snapshot, or was deleted later on.
    case success = "SUCCESS"
    /// Bad rows were left out.
    case partial = "PARTIAL"
  }

  /// The snapshot.
  package let manifest: SnapshotManifest
  /// One entry a table.
  package let tables: [Table]
  /// The bad rows that were left out.
  package let rejected: [Rejected]
  /// Where they are listed; nil without any.
  package let rejectedPath: String?
  /// The file for `repair` with the deleted rows that production still has; nil without any.
  package let deletesPath: String?

  /// PARTIAL when bad rows were left out.
  package var status: Status { rejected.isEmpty ? .success : .partial }

  /// What was made of one table's files. `rows = snapshot_rows + later_deleted + deletes + rejected`.
  package struct Table: Sendable, Encodable {
    /// The table's plain name.
    package let table: String
    /// How many files it has.
    package let files: Int
    /// Rows of the files.
    package internal(set) var rows = 0
    /// Rows of the snapshot: inserted, or changed, or whatever they were.
    package internal(set) var snapshotRows = 0
    /// Rows that were inserted or changed, and deleted later on: they are left out, since a replay would bring them back.
    package internal(set) var laterDeleted = 0
    /// Rows that say that one was deleted.
    package internal(set) var deletes = 0
    /// Deleted rows that production still has, and that are written for `repair`.
    package internal(set) var deletesInProduction = 0
    /// Deleted rows that production has no more.
    package internal(set) var deletesGone = 0
    /// Deleted rows of which production has a newer version: they are left alone.
    package internal(set) var deletesNewerInProduction = 0
    /// Of the rows for `repair` those whose deletion says no version.
    package internal(set) var deletesWithoutVersion = 0
    /// Bad rows that were left out.
    package internal(set) var rejected = 0

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
  package struct Rejected: Sendable, Encodable, Hashable {
    /// The table's plain name.
    package let table: String
    /// The file's path.
    package let file: String
    /// The line on which it begins, from 1.
    package let line: Int
    /// The column whose value is bad; nil where the row as a whole is.
    package let column: String?
    /// What is wrong.
    package let reason: String

    /// `load/ORDERS/LOAD00000001.csv, line 12, column amount`.
    package var place: String { "\(file), line \(line)" + (column.map { ", column \($0)" } ?? "") }
  }

  private enum CodingKeys: String, CodingKey {
    case status, tables, rejected
    case manifest = "snapshot"
    case rejectedPath = "rejected_file"
    case deletesPath = "deletes_file"
  }

  /// One object.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(status, forKey: .status)
    try container.encode(manifest, forKey: .manifest)
    try container.encode(tables, forKey: .tables)
    try container.encode(rejected, forKey: .rejected)
    try container.encode(rejectedPath, forKey: .rejectedPath)
    try container.encode(deletesPath, forKey: .deletesPath)
  }
}
