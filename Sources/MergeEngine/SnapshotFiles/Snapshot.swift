import Foundation

/// Staging tables as files in a folder: what `snapshot save` made.
package struct Snapshot: Sendable {
  /// The folder.
  package let directory: URL
  /// What is in it.
  package let manifest: SnapshotManifest

  /// Opens a snapshot; its files are not looked at yet.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` when there is no manifest, or none that this engine understands.
  package init(directory: URL) throws(MergeFailure) {
    self.directory = directory
    manifest = try SnapshotDirectory(url: directory).readManifest()
  }

  /// Reads every file from its first byte to its last: length, SHA-256, and the structure of every row.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` with one finding for every file that is not as it was saved.
  package func check() throws {
    _ = try checked(pieceRows: .max, tables: manifest.tables, stop: StopSignal())
  }

  /// - Parameters:
  ///   - pieceRows: rows to a piece of a file, at most.
  ///   - tables: the ones of the manifest to look at.
  ///   - stop: ends it early, since many files take their time.
  /// - Throws: ``MergeFailure/blocked(_:)``; `CancellationError` when it was stopped.
  func checked(pieceRows: Int, tables: [SnapshotManifest.Table], stop: StopSignal) throws -> CheckedSnapshot {
    var files: [SnapshotFile] = []
    var findings: [Finding] = []
    for table in tables {
      do {
        let url = SnapshotDirectory(url: directory).fileURL(table.file)
        files.append(try SnapshotFileCheck(table: table, url: url).run(pieceRows: pieceRows, stop))
      } catch let damage as SnapshotFileCheck.Damage {
        findings.append(.blocker(.snapshot, manifest.label(table), damage.description))
      }
    }
    guard findings.isEmpty else { throw MergeFailure.blocked(findings) }
    return CheckedSnapshot(manifest: manifest, files: files)
  }
}
