import Foundation
import Subprocess

/// The AWS emulator on a free port of the loopback interface, for as long as a test runs.
enum MotoServer {
  struct NotStarted: Error, CustomStringConvertible {
    let output: String
    var description: String {
      "moto_server did not start; these tests need it: pip install 'moto[server]' awscli. It said: \(output)"
    }
  }

  /// Starts a server, calls the body with its URL, and ends the server by its own process group.
  static func run(_ body: @escaping @Sendable (_ endpoint: String) async throws -> Void) async throws {
    var options = PlatformOptions()
    options.createSession = true
    options.teardownSequence = [.gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: .seconds(3))]
    let configuration = Configuration(
      executable: .name("moto_server"),
      arguments: ["-H", "127.0.0.1", "-p", "0"],
      platformOptions: options
    )
    do {
      _ = try await Subprocess.run(configuration, input: .none, output: .discarded, error: .sequence) { execution in
        var lines = execution.standardError.strings().makeAsyncIterator()
        var said = ""
        var endpoint: String?
        while endpoint == nil, let line = try await lines.next() {
          said += line
          endpoint = line.firstRange(of: "http://127.0.0.1:").map {
            line[$0.lowerBound...].trimmingCharacters(in: .whitespacesAndNewlines)
          }
        }
        guard let endpoint else { throw NotStarted(output: said) }
        // The server logs every request; unread, a full pipe would stop it.
        let drain = Task { [lines] in
          var rest = lines
          while try await rest.next() != nil {}
        }
        do {
          try await body(endpoint)
        } catch {
          await execution.teardown(using: options.teardownSequence)
          throw error
        }
        await execution.teardown(using: options.teardownSequence)
        drain.cancel()
      }
    } catch let error as SubprocessError where error.code == .executableNotFound {
      throw NotStarted(output: "the command is not in PATH")
    }
  }
}
