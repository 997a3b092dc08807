import Foundation

/// Which snapshot a run replays, as it is recorded with the run's parameters.
package struct SnapshotReference: Sendable, Codable, Hashable {
  /// The snapshot's id.
  package let id: String
  /// The folder it was read from.
  package let directory: String
  /// When it was taken, UTC, ISO 8601.
  package let takenAt: String

  init(_ snapshot: Snapshot) {
    id = snapshot.manifest.id
    directory = snapshot.directory.standardizedFileURL.path
    takenAt = snapshot.manifest.takenAt
  }
}
