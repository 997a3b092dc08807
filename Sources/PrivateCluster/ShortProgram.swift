import ChildEnvironment
import Foundation
import Subprocess

/// Programs that say one line and end.
enum ShortProgram {
  /// Runs the program at `path`.
  ///
  /// - Returns: what it printed, without the white space around; nil if it could not be run or ended with another
  ///   status than 0.
  /// - Throws: only `CancellationError`.
  static func output(of path: String, _ arguments: [String]) async throws -> String? {
    let result = try? await run(
      .path(.init(path)),
      arguments: .init(arguments),
      environment: .custom(
        Dictionary(
          uniqueKeysWithValues: ChildEnvironment.allowed().map { (Environment.Key(stringLiteral: $0.key), $0.value) }
        )
      ),
      output: .string(limit: 64 * 1024),
      error: .discarded
    )
    try Task.checkCancellation()
    guard let result, result.terminationStatus.isSuccess else { return nil }
    return result.standardOutput.trimmingCharacters(in: .whitespacesAndNewlines)
  }
}
