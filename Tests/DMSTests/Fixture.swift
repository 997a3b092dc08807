import DMS
import Foundation

/// Files below `Fixtures/dms` of this repository.
enum Fixture {
  static let folder = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Fixtures/dms")

  static func bytes(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: folder.appending(path: path))) }

  static func text(_ path: String) throws -> String { String(decoding: try bytes(path), as: UTF8.self) }

  static func schema(_ path: String) throws -> KnownSchema? {
    let url = folder.appending(path: path)
    guard FileManager.default.fileExists(atPath: url.path(percentEncoded: false)) else { return nil }
    return try JSONDecoder().decode(KnownSchema.self, from: Data(contentsOf: url))
  }

  static func names(in path: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: path).path(percentEncoded: false))
      .sorted()
  }

  /// What a fixture file holds; with `DMS_FIXTURES=write` in the environment the file is written first, so that a changed
  /// expectation shows up in `git diff` and nowhere else.
  static func expected(_ path: String, insteadOf actual: String) throws -> String {
    if ProcessInfo.processInfo.environment["DMS_FIXTURES"] == "write" {
      try Data(actual.utf8).write(to: folder.appending(path: path))
    }
    return try text(path)
  }
}

extension LintReport {
  /// One line a finding: place, grade, code, path.
  var summary: String {
    findings.map { "\($0.line):\($0.column) \($0.grade.rawValue) \($0.code.rawValue) \($0.path)\n" }.joined()
  }
}
