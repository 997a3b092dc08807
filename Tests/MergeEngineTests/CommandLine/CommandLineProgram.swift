import Foundation

/// The built command, run as a child process of its own: what a user types, and what they get.
struct CommandLineProgram {
  /// What a run of the program left behind.
  struct Outcome: Sendable {
    /// The exit status; for a program that a signal killed, 128 and the signal.
    let status: Int32
    let output: String
    let errors: String

    /// Both streams, for what must stand in neither.
    var everything: String { output + errors }

    /// stdout as the one JSON object it has to be.
    func json() throws -> JSONValue { try JSONValue(text: output) }
  }

  /// There is no executable beside the test runner.
  struct NotBuilt: Error {}

  private let process = Process()
  private let directory: URL
  private let ended: AsyncStream<Void>

  /// The process's id, for as long as it runs.
  var processID: Int32 { process.processIdentifier }

  /// Starts the program in an empty folder, with nothing of the caller's environment that could name a database.
  ///
  /// - Parameters:
  ///   - files: what lies in the folder, by name.
  ///   - terminal: where stdout goes, instead of what ``outcome()`` returns.
  ///   - shell: a script that ends by starting `"$0" "$@"`, for what only a shell can prepare, as limits.
  init(
    _ arguments: [String],
    environment: [String: String] = [:],
    files: [String: String] = [:],
    terminal: PseudoTerminal? = nil,
    through shell: String? = nil
  ) throws {
    directory = FileManager.default.temporaryDirectory.appending(path: "merge-engine-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    for (name, text) in files { try Data(text.utf8).write(to: directory.appending(path: name)) }
    // Files rather than pipes: no output is too much for them, and nobody has to read meanwhile.
    for name in ["output", "errors"] { try Data().write(to: directory.appending(path: name)) }
    let program = try Self.executable()
    process.executableURL = shell == nil ? program : URL(filePath: "/bin/sh")
    process.arguments = shell.map { ["-c", $0, program.path] + arguments } ?? arguments
    process.currentDirectoryURL = directory
    process.standardInput = FileHandle.nullDevice
    process.standardOutput =
      if let terminal { terminal.programSide } else {
        try FileHandle(forWritingTo: directory.appending(path: "output"))
      }
    process.standardError = try FileHandle(forWritingTo: directory.appending(path: "errors"))
    let inherited = ProcessInfo.processInfo.environment.filter { ["PATH", "LD_LIBRARY_PATH"].contains($0.key) }
    process.environment =
      inherited
      .merging(["HOME": directory.path, "LC_ALL": "C.UTF-8"]) { $1 }
      .merging(environment) { $1 }
    let (stream, continuation) = AsyncStream<Void>.makeStream()
    ended = stream
    process.terminationHandler = { _ in continuation.finish() }
    try process.run()
  }

  /// Waits for the end.
  func outcome() async throws -> Outcome {
    for await _ in ended {}
    defer { try? FileManager.default.removeItem(at: directory) }
    let signal: Int32 = process.terminationReason == .uncaughtSignal ? 128 : 0
    return Outcome(
      status: signal + process.terminationStatus,
      output: try String(contentsOf: directory.appending(path: "output"), encoding: .utf8),
      errors: try String(contentsOf: directory.appending(path: "errors"), encoding: .utf8)
    )
  }

  /// What stdout has so far.
  func outputSoFar() throws -> String {
    String(decoding: try Data(contentsOf: directory.appending(path: "output")), as: UTF8.self)
  }

  /// Waits until stdout has so many lines.
  func waitForLines(_ count: Int) async throws -> [String] {
    for _ in 0..<3000 {
      let lines = try outputSoFar().split(separator: "\n", omittingEmptySubsequences: false).dropLast()
      if lines.count >= count { return lines.map(String.init) }
      try await Task.sleep(for: .milliseconds(20))
    }
    throw NotWritten(lineCount: count)
  }

  /// The lines did not come within a minute.
  struct NotWritten: Error {
    let lineCount: Int
  }

  /// Sends a signal, as `kill` does.
  func send(_ signal: Int32) {
    kill(process.processIdentifier, signal)
  }

  /// Runs the program from start to end.
  static func run(
    _ arguments: [String],
    environment: [String: String] = [:],
    files: [String: String] = [:],
    through shell: String? = nil
  ) async throws -> Outcome {
    try await CommandLineProgram(arguments, environment: environment, files: files, through: shell).outcome()
  }

  /// The test runner lies in the folder that the products are built into; on macOS some levels below it.
  private static func executable() throws -> URL {
    let runner = URL(fileURLWithPath: CommandLine.arguments[0])
    let starts = [runner] + Bundle.allBundles.map(\.bundleURL)
    for start in starts {
      var folder = start.deletingLastPathComponent()
      while folder.path != "/" {
        let candidate = folder.appending(path: "merge-engine")
        var isDirectory: ObjCBool = false
        let exists = unsafe FileManager.default.fileExists(atPath: candidate.path, isDirectory: &isDirectory)
        if exists, !isDirectory.boolValue, FileManager.default.isExecutableFile(atPath: candidate.path) {
          return candidate
        }
        folder.deleteLastPathComponent()
      }
    }
    throw NotBuilt()
  }
}
