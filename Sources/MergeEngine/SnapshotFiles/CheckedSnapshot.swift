/// A snapshot whose files were found to be as they were saved.
struct CheckedSnapshot: Sendable {
  let manifest: SnapshotManifest
  /// The files of the tables that were looked at.
  let files: [SnapshotFile]
}
