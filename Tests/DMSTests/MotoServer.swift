import Foundation
import TestSupport

/// The AWS emulator on a free port of the loopback interface: one for all tests of the process.
enum MotoServer {
  /// What keeps it running. Its shell waits for the end of this pipe, which comes when this process ends, in whatever way.
  private struct Running: Sendable {
    let process: Process
    let lifeline: Pipe
    let endpoint: String
  }

  private static let started = Task { try await start() }

  /// Calls the body with the server's URL.
  static func run(_ body: (_ endpoint: String) async throws -> Void) async throws {
    try await Lane.working.turn { try await body(started.value.endpoint) }
  }

  private static func start() async throws -> Running {
    let log = FileManager.default.temporaryDirectory.appending(path: "moto-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: log) }
    let process = Process()
    let lifeline = Pipe()
    process.executableURL = URL(filePath: "/bin/sh")
    // In a process group of its own: moto_server may be a script with the server as its child. KILL, since the threads that
    // children are started from may block the other signals, and children inherit that.
    let script = #"""
      python3 -c 'import os, sys; os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])' moto_server -H 127.0.0.1 -p 0 \
        </dev/null >"$1" 2>&1 &
      cat >/dev/null
      kill -s KILL -- -$!
      """#
    process.arguments = ["-c", script, "moto", log.path]
    process.standardInput = lifeline
    try process.run()
    let needed = "the URL of moto_server, which these tests need (pip install 'moto[server]' awscli),"
    let endpoint = try await eventually(needed) {
      let said = (try? String(contentsOf: log, encoding: .utf8)) ?? ""
      return said.firstMatch(of: /http:\/\/127\.0\.0\.1:[0-9]+(?=\s)/).map { String($0.output) }
    }
    return Running(process: process, lifeline: lifeline, endpoint: endpoint)
  }
}
