import ChildEnvironment
import Foundation
import Libpq
import MergeEngine
import Synchronization

/// A command whose first line of output is the password of a connection: an IAM token, an entry of a secret store.
///
/// It gets the environment, which holds the credentials that such commands need, without what the database's own secrets
/// may stand in. The password is kept nowhere, and is in no message.
struct PasswordCommand: Sendable {
  /// The program and its arguments.
  let words: [String]
  /// The option that gives it, without its dashes: which of the two sides asks.
  let option: String

  /// How long it may take.
  var timeLimitSeconds = 30.0

  /// - Parameters:
  ///   - typed: a command for the shell.
  ///   - words: a program and its arguments, from the file; the typed command wins.
  ///   - option: the option that was typed, without its dashes; the file's key is the same with low lines.
  /// - Returns: nil without either.
  /// - Throws: ``MergeFailure/usage(_:)`` and ``MergeFailure/configuration(_:)`` for a command without a word.
  init?(typed: String?, words: [String]?, option: String) throws {
    guard typed != nil || words != nil else { return nil }
    self.option = option
    self.words = typed.map { ["/bin/sh", "-c", $0] } ?? words ?? []
    if typed?.isEmpty == true {
      throw MergeFailure.usage("--\(option) is empty: name a command that prints the password.")
    }
    guard self.words.first?.isEmpty == false else {
      let key = option.replacing("-", with: "_")
      throw MergeFailure.configuration(["\(key) is empty: name a program that prints the password, and its arguments."])
    }
  }

  /// Runs the command for each connection.
  var source: @Sendable () throws(PostgresError) -> String {
    { () throws(PostgresError) in try run() }
  }

  /// Runs the command and waits for its end.
  private func run() throws(PostgresError) -> String {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["--"] + groupLeader + words
    process.environment = ProcessInfo.processInfo.environment.filter { !Self.secrets.contains($0.key) }
    process.standardInput = FileHandle.nullDevice
    let output = PipeReader()
    let errors = PipeReader()
    process.standardOutput = output.pipe
    process.standardError = errors.pipe
    let began = ContinuousClock.now
    do {
      try process.run()
    } catch {
      throw failure("could not be started: \(error.localizedDescription)")
    }
    output.start()
    errors.start()
    let end = process.waitForEnd(within: timeLimitSeconds + 1)
    if end == nil { kill(process.processIdentifier, SIGKILL) }
    // It kills itself with its group.
    guard let end, end.status != 128 + SIGKILL || ContinuousClock.now - began < .seconds(timeLimitSeconds) else {
      throw failure("did not end within \(Int(timeLimitSeconds)) s, and was stopped")
    }
    guard end == .exited(0) else {
      let said = errors.firstLine.map { ": \($0)" } ?? ""
      throw failure("ended with status \(end.status)\(said)")
    }
    guard let password = output.firstLine else { throw failure("printed no password on its first line") }
    return password
  }

  /// What ends the command after its time, with all that it has started: a pipe's other half would live on.
  private var groupLeader: [String] {
    #if os(Linux)
      ["timeout", "--signal=KILL", "\(timeLimitSeconds)"]
    #else
      []
    #endif
  }

  /// What errors say was being done.
  static let operation = "asking for a password"

  private static let secrets: Set = ["DATABASE_URL", "PGPASSWORD"]

  private func failure(_ what: String) -> PostgresError {
    PostgresError(.connecting, message: "the command of --\(option) \(what)", operation: Self.operation)
  }
}

/// What a child process writes, read while it runs, so that it never waits for a full pipe.
private final class PipeReader: Sendable {
  let pipe = Pipe()
  private let bytes = Mutex<Data>(Data())
  private let isAtEnd = DispatchSemaphore(value: 0)

  /// More than any password or message needs.
  private static let byteLimit = 1 << 20

  func start() {
    let handle = pipe.fileHandleForReading
    Thread.detachNewThread { [self] in
      while let piece = try? handle.read(upToCount: 4096), !piece.isEmpty {
        bytes.withLock { if $0.count < Self.byteLimit { $0.append(piece) } }
      }
      isAtEnd.signal()
    }
  }

  /// Without its line break; nil if there is none.
  ///
  /// A grandchild may hold the pipe open: what came within a second is what there is.
  var firstLine: String? {
    _ = isAtEnd.wait(timeout: .now() + 1)
    let text = bytes.withLock { String(decoding: $0, as: UTF8.self) }
    return text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false).first
      .map { $0.hasSuffix("\r") ? String($0.dropLast()) : String($0) }
      .flatMap { $0.isEmpty ? nil : $0 }
  }
}
