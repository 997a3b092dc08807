import Foundation
import Subprocess

/// The program as scripts call it.
enum Command {
  struct Outcome {
    let status: Int
    let output: String
    let error: String

    var json: [String: Any]? {
      (try? JSONSerialization.jsonObject(with: Data(output.utf8))) as? [String: Any]
    }
  }

  /// Ended by a signal, or not built.
  struct Failure: Error { let what: String }

  static func call(_ arguments: String..., database: TestDatabase? = nil) async throws -> Outcome {
    try await call(arguments, database: database)
  }

  static func call(_ arguments: [String], database: TestDatabase? = nil) async throws -> Outcome {
    guard let runner = ProcessInfo.processInfo.arguments.first else { throw Failure(what: "there is no test runner") }
    let program = URL(filePath: runner).deletingLastPathComponent().appending(path: "merge-engine").path
    let connection = database.map { ["--database", $0.connectionString] } ?? []
    let result = try await Subprocess.run(
      .path(.init(program)),
      arguments: .init(arguments + connection),
      workingDirectory: "/",
      output: .string(limit: 1 << 20),
      error: .string(limit: 1 << 20)
    )
    guard case .exited(let code) = result.terminationStatus else { throw Failure(what: "\(result.terminationStatus)") }
    return Outcome(status: Int(code), output: result.standardOutput, error: result.standardError)
  }
}
