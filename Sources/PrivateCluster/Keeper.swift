import Foundation
import Subprocess

/// The process that owns the server: it makes, starts and stops it, and cleans up when we are gone.
///
/// It is a child in a session of its own that reads its requests from a pipe of which we hold the only write end.
/// However we end, the kernel closes the pipe, and the keeper stops the server and removes the folder. The pipe is
/// close-on-exec from its first moment (swift-subprocess makes it with `pipe2`), so no other child of ours can keep it
/// open. The keeper's errors go to /dev/null and its answers to a pipe of its own: nothing of ours stays open while it
/// cleans up.
final class Keeper: Sendable {
  /// One request and who waits for its answer.
  private struct Request: Sendable {
    let text: String
    let answer: CheckedContinuation<[String], any Error>
  }

  private let requests: AsyncStream<Request>.Continuation

  /// Ends when the keeper process has ended.
  private let life: Task<Void, Never>

  /// Starts the process. That it could not be started is the answer to the first request.
  ///
  /// - Throws: ``PrivateClusterError/noUnprivilegedUser``.
  init(_ options: ClusterOptions, binaries: PostgresBinaries) async throws {
    let account = try await ServerAccount.forThisProcess()
    var platformOptions = PlatformOptions()
    platformOptions.createSession = true
    let shell = [
      "/bin/sh", "-c", KeeperScript.text, "merge-engine-keeper", binaries.directory, options.parentDirectory,
      options.locale, options.encoding,
    ]
    let command = account?.command(shell, options: &platformOptions) ?? shell
    let configuration = Configuration(
      executable: .path(.init(command[0])),
      arguments: .init(Array(command.dropFirst())),
      environment: .custom(Self.environment()),
      workingDirectory: "/",
      platformOptions: platformOptions
    )
    let (stream, continuation) = AsyncStream.makeStream(of: Request.self)
    requests = continuation
    // A task of its own: the process lives as long as this object, not as long as the task that started it.
    life = Task { await Self.live(configuration, requests: stream) }
  }

  deinit {
    requests.finish()
  }

  /// Makes the cluster's folder and returns its path.
  func createDirectory() async throws -> String {
    guard let directory = try await ask("create", step: "making the folder").first else {
      throw PrivateClusterError.stopped
    }
    return directory
  }

  /// Runs initdb; `password` is for `postgres` over TCP.
  func initialize(password: String?) async throws {
    if let password {
      guard !password.isEmpty, !password.contains(where: \.isNewline) else {
        throw PrivateClusterError.invalidOption("loopbackPassword is empty or has a line break")
      }
      try await append([password], toFile: "password")
    }
    try await ask("initialize", step: "initdb")
  }

  /// Copies a data folder that no server runs in, instead of running initdb.
  func copy(_ dataDirectory: String) async throws {
    try await ask("copy \(dataDirectory)", step: "copying \(dataDirectory)")
  }

  /// Adds lines to a file in the folder, as the server's user and seen by nobody else.
  func append(_ lines: [String], toFile file: String) async throws {
    let body = lines.map { ":\($0)\n" }.joined()
    try await ask("append \(file)\n\(body).", step: "writing \(file)")
  }

  /// Starts the server and waits until it accepts connections.
  func startServer() async throws {
    try await ask("start", step: "starting the server")
  }

  /// Ends the server with a signal, starts it and waits until it accepts connections.
  ///
  /// - Parameter signal: `QUIT` for what PostgreSQL calls an immediate shutdown, `INT` for a fast one.
  ///   <https://www.postgresql.org/docs/current/server-shutdown.html>
  func restartServer(signal: String) async throws {
    try await ask("restart \(signal)", step: "restarting the server")
  }

  /// Leaves the server running and its folder where it is, when we are gone too.
  func keep() async throws {
    try await ask("keep", step: "leaving the server running")
  }

  /// Takes over a server that was left running.
  func adopt(_ directory: String) async throws {
    try await ask("adopt \(directory)", step: "looking after the server in \(directory)")
  }

  /// Stops the server, removes the folder, and returns when both are gone.
  func end() async {
    requests.finish()
    await life.value
  }

  /// Sends one request, which is everything up to its last line, and returns the lines of the answer.
  ///
  /// - Throws: ``PrivateClusterError/stepFailed(step:output:)``, ``PrivateClusterError/stopped``.
  @discardableResult
  private func ask(_ text: String, step: String) async throws -> [String] {
    do {
      return try await withCheckedThrowingContinuation { answer in
        if case .terminated = requests.yield(Request(text: text + "\n", answer: answer)) {
          answer.resume(throwing: PrivateClusterError.stopped)
        }
      }
    } catch let refusal as Refusal {
      throw PrivateClusterError.stepFailed(step: step, output: refusal.output)
    }
  }

  /// The keeper's `failed`.
  private struct Refusal: Error {
    let output: String
  }

  /// Runs the process and carries requests and answers until the requests end.
  private static func live(_ configuration: Configuration, requests: AsyncStream<Request>) async {
    do {
      _ = try await run(configuration, input: .inputWriter, output: .sequence, error: .discarded) { keeper in
        var answers = keeper.standardOutput.strings().makeAsyncIterator()
        for await request in requests {
          // Nothing may be thrown out of this closure: swift-subprocess would answer with SIGKILL, and nobody would
          // clean up.
          do {
            _ = try await keeper.standardInputWriter.write(request.text)
            request.answer.resume(returning: try await readAnswer(&answers))
          } catch {
            request.answer.resume(throwing: error)
          }
        }
        try? await keeper.standardInputWriter.finish()
      }
    } catch {
      // The process could not be started. Requests before `end()` must still be answered.
      for await request in requests {
        request.answer.resume(throwing: Refusal(output: "the keeper: \(error)"))
      }
    }
  }

  /// Reads up to `done` or `failed`.
  ///
  /// - Throws: ``Refusal`` for `failed`; ``PrivateClusterError/stopped`` when the keeper is gone.
  private static func readAnswer(
    _ answers: inout SubprocessOutputSequence.StringSequence<UTF8>.AsyncIterator
  ) async throws -> [String] {
    var lines: [String] = []
    while let line = try await answers.next() {
      switch line {
      case "done": return lines
      case "failed": throw Refusal(output: lines.joined(separator: "\n"))
      default: lines.append(String(line.dropFirst(2)))
      }
    }
    throw PrivateClusterError.stopped
  }

  /// The little that initdb and the server need. No PG* variable of the user's, which some of them heed, and no secret.
  private static func environment() -> [Environment.Key: String] {
    let ours = ProcessInfo.processInfo.environment
    var environment: [Environment.Key: String] = [
      "PATH": ours["PATH"] ?? "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC",
    ]
    environment["LD_LIBRARY_PATH"] = ours["LD_LIBRARY_PATH"]
    return environment
  }
}
