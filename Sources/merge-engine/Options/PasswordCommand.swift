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
  /// How long it may take.
  var timeLimitSeconds = 30.0

  /// - Parameters:
  ///   - typed: a command for the shell.
  ///   - words: a program and its arguments, from the file; the typed command wins.
  /// - Returns: nil without either.
  /// - Throws: ``MergeFailure/usage(_:)`` for a command without a word.
  init?(typed: String?, words: [String]?) throws {
    guard typed != nil || words != nil else { return nil }
    self.words = typed.map { ["/bin/sh", "-c", $0] } ?? words ?? []
    guard typed?.isEmpty != true, self.words.first?.isEmpty == false else {
      throw MergeFailure.usage("the password command is empty: name a program that prints the password.")
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
    process.arguments = ["--"] + words
    process.environment = ProcessInfo.processInfo.environment.filter { !Self.secrets.contains($0.key) }
    process.standardInput = FileHandle.nullDevice
    let output = PipeReader()
    let errors = PipeReader()
    process.standardOutput = output.pipe
    process.standardError = errors.pipe
    do {
      try process.run()
    } catch {
      throw Self.failure("could not be started: \(error.localizedDescription)")
    }
    output.start()
    errors.start()
    guard let end = process.waitForEnd(within: timeLimitSeconds) else {
      kill(process.processIdentifier, SIGKILL)
      throw Self.failure("did not end within \(Int(timeLimitSeconds)) s, and was stopped")
    }
    guard end == .exited(0) else {
      let said = errors.firstLine.map { ": \($0)" } ?? ""
      throw Self.failure("ended with status \(end.status)\(said)")
    }
    guard let password = output.firstLine, !password.isEmpty else { throw Self.failure("printed nothing") }
    return password
  }

  private static let secrets: Set = ["DATABASE_URL", "PGPASSWORD"]

  private static func failure(_ what: String) -> PostgresError {
    PostgresError(.connecting, message: "the password command \(what)", operation: "asking for a password")
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
