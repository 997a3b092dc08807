import Foundation

/// The program on a test's database, and its JSON as Foundation has it.
enum Command {
  struct Outcome {
    let status: Int
    let output: String
    let error: String

    var json: [String: Any]? {
      (try? JSONSerialization.jsonObject(with: Data(output.utf8))) as? [String: Any]
    }
  }

  static func call(_ arguments: String..., database: TestDatabase? = nil) async throws -> Outcome {
    try await call(arguments, database: database)
  }

  static func call(_ arguments: [String], database: TestDatabase? = nil) async throws -> Outcome {
    let connection = database.map { ["--database", $0.connectionString] } ?? []
    let outcome = try await CommandLineProgram.run(arguments + connection)
    return Outcome(status: Int(outcome.status), output: outcome.output, error: outcome.errors)
  }
}
