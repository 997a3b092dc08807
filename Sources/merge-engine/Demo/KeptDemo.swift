import Foundation
import MergeEngine

/// Where the demo's server was left running, as a file in the user's own folders: there is one at most.
struct KeptDemo {
  /// By the XDG Base Directory Specification: state that should outlive the process.
  private static var file: URL? {
    let environment = ProcessInfo.processInfo.environment
    let folder =
      environment["XDG_STATE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
      ?? environment["HOME"].map { $0 + "/.local/state" }
    return folder.map { URL(filePath: $0).appending(path: "merge-engine/demo") }
  }

  /// The server's folder; nil if none was kept.
  static var directory: String? {
    guard let file, let text = try? String(contentsOf: file, encoding: .utf8) else { return nil }
    let path = text.trimmingCharacters(in: .whitespacesAndNewlines)
    return path.hasPrefix("/") ? path : nil
  }

  /// - Throws: ``MergeFailure/blocked(_:)`` when it can't be written.
  static func remember(_ directory: String) throws {
    guard let file else { throw MergeFailure.usage("--keep needs HOME or XDG_STATE_HOME, to find the server again.") }
    do {
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try AtomicFile(path: file.path).write(directory + "\n")
    } catch {
      throw MergeFailure.blocked([Finding(grade: .blocker, table: nil, message: "where the demo is kept: \(error)")])
    }
  }

  static func forget() {
    if let file { try? FileManager.default.removeItem(at: file) }
  }
}
