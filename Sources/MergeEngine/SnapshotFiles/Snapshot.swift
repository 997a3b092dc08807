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
    _ = try checked(pieceRows: .max, stop: StopSignal())
  }

  /// - Parameters:
  ///   - pieceRows: rows to a piece of a file, at most.
  ///   - tables: the tables to look at; nil for all.
  ///   - stop: ends it early, since many files take their time.
  /// - Throws: ``MergeFailure/blocked(_:)``; `CancellationError` when it was stopped.
  func checked(pieceRows: Int, tables: [String]? = nil, stop: StopSignal) throws -> CheckedSnapshot {
    var files: [SnapshotFile] = []
    var findings: [Finding] = []
    for name in tables ?? [] where !manifest.tables.contains(where: { $0.name == name }) {
      let known = manifest.tables.map(\.name).joined(separator: ", ")
      findings.append(
        .blocker(.notFound, name, "the snapshot \(directory.path) has no table \(name). It has: \(known).")
      )
    }
    for table in manifest.tables where tables?.contains(table.name) ?? true {
      do {
        let url = SnapshotDirectory(url: directory).fileURL(table.file)
        files.append(try SnapshotFileCheck(table: table, url: url).run(pieceRows: pieceRows, stop))
      } catch let damage as SnapshotFileCheck.Damage {
        findings.append(.blocker(.snapshot, table.name, damage.description))
      }
    }
    guard findings.isEmpty else { throw MergeFailure.blocked(findings) }
    return CheckedSnapshot(manifest: manifest, files: files)
  }
}
