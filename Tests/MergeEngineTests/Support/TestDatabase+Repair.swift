import Foundation
import Libpq
import MergeEngine
import TestSupport

/// A file of differences of a test, gone with it.
final class DifferencesFile {
  let path: String

  init(suffix: String = ".jsonl") {
    path = FileManager.default.temporaryDirectory.appending(path: "differences-\(UUID().uuidString)\(suffix)").path
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
  }

  /// What is in it.
  var text: String {
    get { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }
    set { try? Data(newValue.utf8).write(to: URL(filePath: path)) }
  }

  /// All lines, the first and the last among them.
  var lines: [String] {
    get { text.split(separator: "\n").map(String.init) }
    set { text = newValue.map { $0 + "\n" }.joined() }
  }

  /// The differences: all lines but the first and the last.
  func differences() throws -> [JSONValue] { try lines.dropFirst().dropLast().map { try JSONValue(text: $0) } }

  /// Kind and key `k` of every difference, sorted.
  func found() throws -> [String] {
    try differences().map { "\($0["kind"].text ?? "?") \($0["key"]["k"].text ?? "?")" }.sorted()
  }
}

extension TestDatabase {
  /// Verifies into a file.
  @discardableResult
  func verify(into file: DifferencesFile, _ change: (inout VerifyOptions) -> Void = { _ in }) async throws
    -> VerifyReport
  {
    try await verify {
      $0.outputPath = file.path
      change(&$0)
    }
  }

  /// Repairs.
  @discardableResult
  func repair(_ file: DifferencesFile, _ change: (inout RepairOptions) -> Void = { _ in }) async throws -> RepairReport
  {
    try await repairing(file, change).value
  }

  /// The same, while the test goes on.
  func repairing(_ file: DifferencesFile, as role: String? = nil, _ change: (inout RepairOptions) -> Void = { _ in })
    throws
    -> Task<RepairReport, any Error>
  {
    var options = RepairOptions(path: file.path)
    change(&options)
    let target = try role.map { try ConnectionTarget(connectionString(role: $0)) } ?? target
    let repair = Repair(target: target, options: options, logger: .silent)
    return Task { try await onItsOwnThread { try repair.run() } }
  }
}

/// Whether an error is a blocker with these words.
func isBlocked(_ error: any Error, _ words: String...) -> Bool {
  guard case MergeFailure.blocked(let findings) = error else { return false }
  let text = findings.map(\.message).joined(separator: "\n")
  return words.allSatisfy(text.contains)
}
