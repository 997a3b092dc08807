import ChildEnvironment
import Foundation
import Libpq
import PrivateCluster

/// A streaming standby of a private server, whose replay can be held up.
///
/// It lives in its primary's folder, and vanishes with it at the latest.
final class StandbyServer {
  /// By what name the primary knows it.
  static let name = "standby_one"

  private var process: Process?
  private let logFile: String
  private let startProcess: () throws -> Process
  /// How to connect to it as the superuser; another name of the database may follow.
  let connectionString: String
  /// Which port is in its socket's name.
  let port: Int

  enum Failure: Error {
    case baseBackup(String)
    case start(String)
  }

  /// Copies the primary and starts the copy.
  ///
  /// - Parameters:
  ///   - name: what the primary knows it by.
  ///   - number: tells the standbys of one primary apart.
  init(of primary: PrivateCluster, name: String = StandbyServer.name, number: Int = 1) async throws {
    let directory = primary.directory + "/standby\(number)"
    let primaryConnection = primary.connectionString()
    let backup = try Self.program(
      primary,
      "pg_basebackup",
      ["-d", primaryConnection, "-D", directory, "-X", "stream", "-c", "fast", "-R", "--no-sync"],
      log: "basebackup.log"
    )
    guard backup.waitForEnd(within: 120) == .exited(0) else {
      throw Failure.baseBackup(Self.log(primary, "basebackup.log"))
    }
    // The port is a part of the socket's name alone.
    let port = primary.port + number
    self.port = port
    let conninfo = primaryConnection + " application_name=\(name)"
    logFile = primary.directory + "/standby\(number).log"
    startProcess = {
      try Self.program(
        primary,
        "postgres",
        [
          "-D", directory, "-c", "port=\(port)", "-c", "listen_addresses=", "-c", "primary_conninfo=\(conninfo)",
          "-c", "wal_receiver_status_interval=1s",
        ],
        log: "standby\(number).log"
      )
    }
    connectionString = "host='\(primary.socketDirectory)' port=\(port) user=postgres dbname=postgres"
    try await start()
  }

  /// Starts it, also after it was stopped.
  func start() async throws {
    let process = try startProcess()
    self.process = process
    let deadline = ContinuousClock.now + .seconds(60)
    while (try? execute("SELECT 1")) == nil {
      guard ContinuousClock.now < deadline, process.end == nil else {
        process.terminate()
        throw Failure.start((try? String(contentsOfFile: logFile, encoding: .utf8)) ?? "")
      }
      try await Task.sleep(for: .milliseconds(50))
    }
  }

  /// From now on it receives but does not apply.
  func pauseReplay() throws { try execute("SELECT pg_wal_replay_pause()") }

  /// Lets it catch up.
  func resumeReplay() throws { try execute("SELECT pg_wal_replay_resume()") }

  /// Makes it a primary.
  func promote() throws { try execute("SELECT pg_promote()") }

  /// Ends it at once.
  func stop() {
    guard let process, process.end == nil else { return }
    kill(process.processIdentifier, SIGQUIT)
    _ = process.waitForEnd(within: 60)
  }

  private func execute(_ sql: String) throws {
    let connection = try Connection(to: ConnectionTarget(connectionString), applicationName: "test") { _ in }
    _ = try connection.query(.uncheckedFromServer(sql), "talking to the standby")
  }

  /// Starts one of PostgreSQL's programs as the user that the primary runs as.
  static func program(_ primary: PrivateCluster, _ name: String, _ arguments: [String], log: String) throws -> Process {
    let process = Process()
    var command = [primary.binaries.path(name)] + arguments
    let owner = try FileManager.default.attributesOfItem(atPath: primary.directory)
    if geteuid() == 0, let user = owner[.ownerAccountID] as? NSNumber,
      let group = owner[.groupOwnerAccountID] as? NSNumber
    {
      command = ["/usr/bin/setpriv", "--reuid=\(user)", "--regid=\(group)", "--clear-groups", "--"] + command
    }
    process.executableURL = URL(fileURLWithPath: command[0])
    process.arguments = Array(command.dropFirst())
    process.currentDirectoryURL = URL(fileURLWithPath: primary.directory)
    let logFile = primary.directory + "/" + log
    try Data().write(to: URL(fileURLWithPath: logFile))
    let output = try FileHandle(forWritingTo: URL(fileURLWithPath: logFile))
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = output
    try process.run()
    return process
  }

  private static func log(_ primary: PrivateCluster, _ name: String) -> String {
    (try? String(contentsOfFile: primary.directory + "/" + name, encoding: .utf8)) ?? ""
  }
}
