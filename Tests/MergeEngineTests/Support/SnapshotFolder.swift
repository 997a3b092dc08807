import Foundation
import MergeEngine
import TestSupport

/// A place for a snapshot: a folder that is not there yet, and goes away with its test.
struct SnapshotFolder: ~Copyable {
  let url: URL
  private let parent: URL

  init() throws {
    parent = FileManager.default.temporaryDirectory.appending(path: "merge-engine-snapshot-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: parent, withIntermediateDirectories: true)
    url = parent.appending(path: "night")
  }

  deinit {
    try? FileManager.default.removeItem(at: parent)
  }

  var path: String { url.path }

  func file(_ name: String) -> URL { url.appending(path: name) }

  func bytes(_ name: String) throws -> Data { try Data(contentsOf: file(name)) }

  /// Writes a file anew, with other bytes.
  func change(_ name: String, _ change: (inout Data) throws -> Void) throws {
    var data = try bytes(name)
    try change(&data)
    try data.write(to: file(name))
  }

  /// Writes the manifest anew, with other text.
  func changeManifest(_ text: String, to replacement: String) throws {
    try change("manifest.json") { data in
      let old = String(decoding: data, as: UTF8.self)
      let new = old.replacing(text, with: replacement)
      guard new != old else { throw NothingToChange(text: text) }
      data = Data(new.utf8)
    }
  }

  struct NothingToChange: Error {
    let text: String
  }
}

extension TestDatabase {
  /// Takes a snapshot of staging.
  @discardableResult
  func save(_ folder: borrowing SnapshotFolder) async throws -> SnapshotManifest {
    let save = SnapshotSave(target: target, options: MergeOptions(), logger: .silent)
    let url = folder.url
    return try await onItsOwnThread { try save.run(into: url) }
  }

  /// Replays a snapshot, and checks what holds of every run.
  @discardableResult
  func replay(
    _ folder: borrowing SnapshotFolder,
    _ change: (inout MergeOptions) -> Void = { _ in }
  ) async throws -> RunReport {
    var options = MergeOptions()
    change(&options)
    let run = MergeRun(target: target, snapshot: try Snapshot(directory: folder.url), options: options, logger: .silent)
    return try await finish(
      RunningMerge(
        report: Task { try await onItsOwnThread { try run.run() } },
        adminSchema: options.schemas.admin
      )
    )
  }
}
