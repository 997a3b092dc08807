import ChildEnvironment
import Foundation
import Logging
import MergeEngine

/// `--on-end COMMAND`: tells somebody how a run has ended, by mail, chat or pager. What becomes of it changes nothing.
struct OnEndCommand: Sendable {
  private let command: String
  private let logger: Logger

  /// Longer than this nobody is kept waiting. Arbitrary.
  private static let timeLimitSeconds = 60.0
  /// How long it may clean up when it is ended. Arbitrary.
  private static let graceSeconds = 5.0

  init(_ command: String, logger: Logger) {
    self.command = command
    self.logger = logger
  }

  /// Runs the command by the shell, with the run's JSON on stdin; what it prints goes to stderr.
  func tell(_ report: RunReport, exitStatus: ExitStatus) {
    tell(report, status: report.status.rawValue, exitStatus: exitStatus, runID: report.runID)
  }

  /// The same of a run that did not begin, or of which nobody knows the end: it has no number here.
  func tell(_ json: some Encodable, status: String, exitStatus: ExitStatus, runID: Int? = nil) {
    do {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      let status = try run(
        try encoder.encode(json) + Data("\n".utf8),
        [
          "MERGE_ENGINE_STATUS": status, "MERGE_ENGINE_EXIT_STATUS": "\(exitStatus.rawValue)",
          "MERGE_ENGINE_RUN_ID": runID.map { "\($0)" } ?? "",
        ]
      )
      if status != 0 { warn("ended with status \(status)") }
    } catch {
      warn("could not be run: \(error.localizedDescription)")
    }
  }

  private func run(_ input: Data, _ variables: [String: String]) throws -> Int32 {
    let process = Process()
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = ["-c", command]
    process.environment = ChildEnvironment.allowed().merging(variables) { $1 }
    process.standardOutput = FileHandle.standardError
    process.standardError = FileHandle.standardError
    // A file rather than a pipe: a command that does not read it ends nobody by SIGPIPE.
    let file = try unlinkedFile(input)
    process.standardInput = file
    try process.run()
    if let end = process.waitForEnd(within: Self.timeLimitSeconds) { return end.status }
    process.terminate()
    if process.waitForEnd(within: Self.graceSeconds) == nil { kill(process.processIdentifier, SIGKILL) }
    throw TookTooLong()
  }

  private struct TookTooLong: LocalizedError {
    var errorDescription: String? { "it took longer than \(Int(OnEndCommand.timeLimitSeconds)) seconds and was killed" }
  }

  private func unlinkedFile(_ content: Data) throws -> FileHandle {
    let url = FileManager.default.temporaryDirectory.appending(path: "merge-engine-\(UUID().uuidString)")
    guard FileManager.default.createFile(atPath: url.path, contents: content, attributes: [.posixPermissions: 0o600])
    else { throw CocoaError(.fileWriteUnknown) }
    defer { try? FileManager.default.removeItem(at: url) }
    return try FileHandle(forReadingFrom: url)
  }

  /// Does what may fail before there is a report; whoever is to be told is told of the failure, in the command's last words.
  static func isTold<Value>(_ command: OnEndCommand?, _ body: () async throws -> Value) async throws -> Value {
    do {
      return try await body()
    } catch {
      guard let command else { throw error }
      throw UntoldFailure(error: error, command: command)
    }
  }

  private func warn(_ what: String) {
    logger.warning("the command of --on-end \(what); this does not change the run")
  }
}

/// Why a run did not begin, or broke off, and who is to hear of it.
struct UntoldFailure: Error {
  let error: any Error
  let command: OnEndCommand
}
