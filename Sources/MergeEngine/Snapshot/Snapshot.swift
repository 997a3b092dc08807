import Foundation

/// Staging tables as files in a folder: what `snapshot save` made.
public struct Snapshot: Sendable {
  /// The folder.
  public let directory: URL
  /// What is in it.
  public let manifest: SnapshotManifest

  /// Opens a snapshot; its files are not looked at yet.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` when there is no manifest, or none that this engine understands.
  public init(directory: URL) throws(MergeFailure) {
    self.directory = directory
    manifest = try SnapshotDirectory(url: directory).readManifest()
  }

  /// Reads every file from its first byte to its last: length, SHA-256, and the structure of every row.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` with one finding for every file that is not as it was saved.
  public func check() throws(MergeFailure) {
    _ = try checked(pieceRows: .max)
  }

  /// - Parameters:
  ///   - pieceRows: rows to a piece of a file, at most.
  ///   - tables: the tables to look at; nil for all.
  func checked(pieceRows: Int, tables: [String]? = nil) throws(MergeFailure) -> CheckedSnapshot {
    var files: [SnapshotFile] = []
    var findings: [Finding] = []
    for name in tables ?? [] where !manifest.tables.contains(where: { $0.name == name }) {
      let known = manifest.tables.map(\.name).joined(separator: ", ")
      findings.append(.blocker(name, "the snapshot \(directory.path) has no table \(name). It has: \(known)."))
    }
    for table in manifest.tables where tables?.contains(table.name) ?? true {
      do {
        let url = SnapshotDirectory(url: directory).fileURL(table.file)
        files.append(try SnapshotFileCheck(table: table, url: url).run(pieceRows: pieceRows))
      } catch {
        findings.append(.blocker(table.name, error.description))
      }
    }
    guard findings.isEmpty else { throw .blocked(findings) }
    return CheckedSnapshot(manifest: manifest, files: files)
  }
}

/// A snapshot whose files were found to be as they were saved.
struct CheckedSnapshot: Sendable {
  let manifest: SnapshotManifest
  /// The files of the tables that were looked at.
  let files: [SnapshotFile]

  func file(of table: String) -> SnapshotFile? { files.first { $0.table.name == table } }
}
