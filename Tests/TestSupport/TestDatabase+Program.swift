/// The program on a test's database.
extension TestDatabase {
  /// Runs it from start to end.
  public func call(
    _ words: String...,
    arguments: [String] = [],
    environment: [String: String] = [:],
    files: [String: String] = [:]
  ) async throws -> CommandLineProgram.Outcome {
    try await launch(words + arguments, environment: environment, files: files).outcome()
  }

  /// Starts it, and goes on.
  public func launch(
    _ arguments: [String],
    environment: [String: String] = [:],
    files: [String: String] = [:]
  ) throws -> CommandLineProgram {
    try CommandLineProgram(arguments + ["--database", connectionString], environment: environment, files: files)
  }
}
