import Foundation

/// A `merge-engine` of its own process, which can be killed.
final class MergeProcess {
  private let process = Process()
  private let errors = Pipe()

  /// The program that was built beside the tests.
  private static var executable: URL {
    URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "merge-engine")
  }

  init(_ arguments: [String], database: String) throws {
    process.executableURL = Self.executable
    process.arguments = arguments + ["--quiet"]
    process.environment = ["DATABASE_URL": database, "PATH": "/usr/bin:/bin"]
    process.currentDirectoryURL = FileManager.default.temporaryDirectory
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = errors
    try process.run()
  }

  var isRunning: Bool { process.isRunning }

  func send(_ signal: Int32) {
    kill(process.processIdentifier, signal)
  }

  /// Waits for the end.
  ///
  /// - Returns: the exit status, or -9 for a killed process, and what it said on stderr.
  func wait() -> (status: Int32, errors: String) {
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    let isSignal = process.terminationReason == .uncaughtSignal
    return (isSignal ? -process.terminationStatus : process.terminationStatus, text)
  }
}
