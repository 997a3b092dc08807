import Foundation
import PrivateCluster
import Subprocess

/// Runs SQL through psql and returns what it printed, without the white space around.
func psql(_ cluster: PrivateCluster, _ sql: String) async throws -> String {
  try await psql(cluster.binaries, cluster.connectionString(), sql)
}

/// The same with any connection string.
///
/// - Throws: `PsqlFailure` with what psql said.
func psql(_ binaries: PostgresBinaries, _ connectionString: String, _ sql: String) async throws -> String {
  let result = try await run(
    .path(.init(binaries.path("psql"))),
    arguments: ["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", connectionString, "-c", sql],
    output: .string(limit: 1 << 20),
    error: .string(limit: 1 << 20)
  )
  guard result.terminationStatus.isSuccess else { throw PsqlFailure(message: result.standardError) }
  return result.standardOutput.trimmingCharacters(in: .whitespacesAndNewlines)
}

struct PsqlFailure: Error {
  let message: String
}

/// What can be seen of a cluster from outside, and is left when it is gone.
struct Traces {
  let serverProcessID: Int32
  let directory: String

  init(of cluster: PrivateCluster) throws {
    let pidFile = try String(contentsOfFile: cluster.dataDirectory + "/postmaster.pid", encoding: .utf8)
    serverProcessID = pidFile.split(separator: "\n").first.flatMap { Int32($0) } ?? 0
    directory = cluster.directory
  }

  /// Reads what ``line`` is.
  init?(line: String) {
    let parts = line.split(separator: "\t").map(String.init)
    guard parts.count == 3, parts[0] == "traces", let processID = Int32(parts[1]) else { return nil }
    serverProcessID = processID
    directory = parts[2]
  }

  var line: String { "traces\t\(serverProcessID)\t\(directory)" }

  var serverRuns: Bool { serverProcessID > 0 && (kill(serverProcessID, 0) == 0 || errno == EPERM) }

  var directoryExists: Bool { FileManager.default.fileExists(atPath: directory) }

  /// Waits until server and folder are gone; gives up after 30 seconds.
  func vanish() async throws -> Bool {
    for _ in 0..<600 {
      if !serverRuns, !directoryExists { return true }
      try await Task.sleep(for: .milliseconds(50))
    }
    return false
  }
}
