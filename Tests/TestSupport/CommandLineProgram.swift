import ChildEnvironment
import Foundation

/// The built command, or another program, run as a child process of its own: what a user types, and what they get.
public final class CommandLineProgram: Sendable {
  /// What a run of the program left behind.
  public struct Outcome: Sendable {
    /// The exit status; for a program that a signal killed, 128 and the signal.
    public let status: Int32
    /// What it wrote to stdout.
    public let output: String
    /// What it wrote to stderr.
    public let errors: String

    /// Both streams, for what must stand in neither.
    public var everything: String { output + errors }

    /// Everything it said, for a failed expectation.
    public var transcript: String { "exit \(status)\n\(output)\n\(errors)" }

    /// stdout as the one JSON object it has to be.
    public func json() throws -> JSONValue { try JSONValue(text: output) }

    /// Whether stdout is what a command without a result leaves there: nothing, or with `--json` the one object that says why.
    public func hasNoResult(json isJSON: Bool) throws -> Bool {
      guard isJSON else { return output.isEmpty }
      let object = try json()
      return object["exit_status"].integer == Int(status) && object["findings"] != .null
        && ["BLOCKED", "FAILED", "ABORTED"].contains(object["status"].text)
    }
  }

  /// There is no executable beside the test runner.
  struct NotBuilt: Error {}

  private let process = Process()
  private let directory: URL

  /// The process's id, for as long as it runs.
  public var processID: Int32 { process.processIdentifier }

  /// Whether it has not ended.
  public var isRunning: Bool { process.end == nil }

  /// Starts the program in an empty folder, with nothing of the caller's environment that could name a database.
  ///
  /// - Parameters:
  ///   - executable: another program than the built command.
  ///   - files: what lies in the folder, by name.
  ///   - terminal: where stdout goes, instead of what ``outcome()`` returns.
  ///   - errorTerminal: where stderr goes, likewise.
  ///   - shell: a script that ends by starting `"$0" "$@"`, for what only a shell can prepare, as limits.
  public init(
    _ arguments: [String],
    executable: URL? = nil,
    environment: [String: String] = [:],
    files: [String: String] = [:],
    terminal: PseudoTerminal? = nil,
    errorTerminal: PseudoTerminal? = nil,
    through shell: String? = nil
  ) throws {
    directory = FileManager.default.temporaryDirectory.appending(path: "merge-engine-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    for (name, text) in files { try Data(text.utf8).write(to: directory.appending(path: name)) }
    // Files rather than pipes: no output is too much for them, and nobody has to read meanwhile.
    for name in ["output", "errors"] { try Data().write(to: directory.appending(path: name)) }
    let streams = try ["output", "errors"].map { try FileHandle(forWritingTo: directory.appending(path: $0)) }
    defer { for stream in streams { try? stream.close() } }
    let program = try executable ?? Self.built()
    process.executableURL = shell == nil ? program : URL(filePath: "/bin/sh")
    process.arguments = shell.map { ["-c", $0, program.path] + arguments } ?? arguments
    process.currentDirectoryURL = directory
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = terminal?.programSide ?? streams[0]
    process.standardError = errorTerminal?.programSide ?? streams[1]
    let inherited = ProcessInfo.processInfo.environment.filter { ["PATH", "LD_LIBRARY_PATH"].contains($0.key) }
    process.environment =
      inherited
      .merging(["HOME": directory.path, "LC_ALL": "C.UTF-8"]) { $1 }
      .merging(environment) { $1 }
    try process.run()
  }

  deinit {
    if isRunning { process.terminate() }
    try? FileManager.default.removeItem(at: directory)
  }

  /// Waits for the end.
  public func outcome() async throws -> Outcome {
    while true {
      if let end = process.end {
        return try Outcome(status: end.status, output: said("output"), errors: said("errors"))
      }
      try await Task.sleep(for: .milliseconds(10))
    }
  }

  /// What stdout has so far.
  public func outputSoFar() throws -> String { try said("output") }

  /// What stderr has so far.
  public func errorsSoFar() throws -> String { try said("errors") }

  private func said(_ name: String) throws -> String {
    String(decoding: try Data(contentsOf: directory.appending(path: name)), as: UTF8.self)
  }

  /// Waits until stdout has so many lines.
  public func waitForLines(_ count: Int) async throws -> [String] {
    try await eventually("line \(count)") {
      let lines = try outputSoFar().split(separator: "\n", omittingEmptySubsequences: false).dropLast()
      return lines.count >= count ? lines.map(String.init) : nil
    }
  }

  /// Sends a signal, as `kill` does.
  public func send(_ signal: Int32) {
    kill(process.processIdentifier, signal)
  }

  /// Runs the program from start to end.
  public static func run(
    _ arguments: [String],
    environment: [String: String] = [:],
    files: [String: String] = [:],
    through shell: String? = nil
  ) async throws -> Outcome {
    try await Lane.working.turn {
      try await CommandLineProgram(arguments, environment: environment, files: files, through: shell).outcome()
    }
  }

  /// What `MERGE_ENGINE_TEST_PROGRAM` says, as an optimised build of the same sources, which starts seven times as fast.
  /// Else what lies beside the test runner, in the folder that the products are built into; on macOS some levels above.
  public static func built() throws -> URL {
    if let path = ProcessInfo.processInfo.environment["MERGE_ENGINE_TEST_PROGRAM"] { return URL(filePath: path) }
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
