import Foundation
import Libpq
import PrivateCluster
import TestSupport
import Testing

/// A database with the fixture's production tables and staging, and the simulator of DMS that loads into it.
final class World {
  /// Which `aws` command is used.
  enum Command {
    /// The real one.
    case real
    /// The one beside the simulator, which starts ten times as fast.
    case short
  }

  let database: TestDatabase
  let endpoint: String
  /// One line of JSON a call to the simulator.
  let journal: URL
  private let simulator: CommandLineProgram
  private let hold: URL
  private let command: Command
  private let folder: URL

  static let repository = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  static let window = ["--from", "2025-01-01", "--to", "2025-02-01"]
  static let endpoints = [
    "--source-schema", "SOURCE_SCHEMA",
    "--source-endpoint-arn", "arn:aws:dms:us-east-1:123456789012:endpoint:SOURCE",
    "--target-endpoint-arn", "arn:aws:dms:us-east-1:123456789012:endpoint:TARGET",
    "--poll", "0.1",
  ]
  static let route =
    endpoints + ["--replication-instance-arn", "arn:aws:dms:us-east-1:123456789012:rep:INSTANCE"]

  private static let template = DatabaseTemplate("reload") { database in
    let production = repository.appending(path: "Fixtures/dms/oracle/production.sql")
    try database.run(String(contentsOf: production, encoding: .utf8))
    let made = try await database.call("init", "--status-column", "--quiet")
    try #require(made.status == 0, "\(made.transcript)")
  }

  /// Makes a world, lends it to `body`, and ends it.
  ///
  /// - Parameters:
  ///   - simulator: more arguments for the simulator, as `--fail`.
  ///   - holdsLoad: a load stands still behind its first rows until ``letLoadGoOn()``.
  static func with(
    _ command: Command = .short,
    simulator: [String] = [],
    holdsLoad: Bool = false,
    _ body: (World) async throws -> Void
  ) async throws {
    try await TestDatabase.with(copyOf: template) { database in
      try await body(World(database, command, simulator, holdsLoad: holdsLoad))
    }
  }

  private init(_ database: TestDatabase, _ command: Command, _ arguments: [String], holdsLoad: Bool) async throws {
    self.database = database
    self.command = command
    folder = FileManager.default.temporaryDirectory.appending(path: "reload-world-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    journal = folder.appending(path: "journal")
    let hold = folder.appending(path: "hold")
    self.hold = hold
    if holdsLoad { try Data().write(to: hold) }
    // Debian's psql is a script in Perl that looks for the server's own one.
    let psql = try await TestServer.shared().binaries.path("psql")
    let script = Self.repository.appending(path: "Tests/DMSSimulator/simulator.py")
    let options =
      [
        "python3", script.path, "--database", database.connectionString, "--port", "0", "--seconds", "0.3",
        "--delay", "0.1", "--end-with-parent", "--journal", journal.path, "--hold", hold.path, "--psql",
        FileManager.default.isExecutableFile(atPath: psql) ? psql : "psql",
      ] + arguments
    let simulator = try CommandLineProgram(
      options,
      executable: URL(filePath: "/usr/bin/env"),
      environment: ["PATH": Self.path]
    )
    self.simulator = simulator
    endpoint = try await eventually("the simulator's address") {
      let said = try simulator.outputSoFar()
      guard let range = said.firstRange(of: "http://"), said.hasSuffix("\n") else { return nil }
      return said[range.lowerBound...].trimmingCharacters(in: .newlines)
    }
  }

  deinit {
    simulator.send(SIGTERM)
    try? FileManager.default.removeItem(at: folder)
  }

  /// Ends a hold.
  func letLoadGoOn() throws { try FileManager.default.removeItem(at: hold) }

  // MARK: - The program

  func start(_ arguments: [String], environment changes: [String: String] = [:]) throws -> CommandLineProgram {
    try CommandLineProgram(arguments, environment: environment.merging(changes) { $1 })
  }

  func run(_ arguments: [String], environment changes: [String: String] = [:]) async throws
    -> CommandLineProgram.Outcome
  {
    try await start(arguments, environment: changes).outcome()
  }

  /// `reload` for January, over the endpoints that the simulator knows.
  func reload(_ more: [String] = [], environment changes: [String: String] = [:]) async throws
    -> CommandLineProgram.Outcome
  {
    try await run(["reload"] + Self.window + Self.route + more, environment: changes)
  }

  /// A path in the world's own folder, which is gone with it.
  func path(_ name: String) -> String { folder.appending(path: name).path }

  /// Writes a configuration file, and gives the option that names it.
  func configured(_ text: String) throws -> [String] {
    try text.write(toFile: path("reload.yaml"), atomically: true, encoding: .utf8)
    return ["--config", path("reload.yaml")]
  }

  /// `reload --resume`
  func resume(_ more: [String] = []) async throws -> CommandLineProgram.Outcome {
    try await run(["reload", "--resume", "--poll", "0.1"] + more)
  }

  /// Nothing in it can reach AWS, whatever the machine's own configuration says.
  private var environment: [String: String] {
    let nowhere = "http://127.0.0.1:9"
    var environment = [
      "DATABASE_URL": database.connectionString, "AWS_ENDPOINT_URL_DATABASE_MIGRATION_SERVICE": endpoint,
      "AWS_ENDPOINT_URL": endpoint,
      "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "secret-key", "AWS_DEFAULT_REGION": "us-east-1",
      "AWS_REGION": "us-east-1", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
      "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1", "HTTP_PROXY": nowhere, "HTTPS_PROXY": nowhere,
      "http_proxy": nowhere, "https_proxy": nowhere, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "NO_COLOR": "1",
    ]
    if command == .short {
      let short = Self.repository.appending(path: "Tests/DMSSimulator/bin").path
      environment["PATH"] = short + ":" + Self.path
    }
    return environment
  }

  /// The system's own Python first: a version manager's takes several times as long to start, and hundreds are started.
  private static let path = "/usr/bin:" + (ProcessInfo.processInfo.environment["PATH"] ?? "")

  // MARK: - The database

  /// The first field of the first row, as text; empty for NULL and for no row.
  func text(_ sql: String) throws -> String { try database.value(sql) ?? "" }

  /// Everything in production as one number.
  func productionFingerprint() throws -> String {
    try text(
      """
      SELECT md5(string_agg(row, ',' ORDER BY row)) FROM (
        SELECT c::text AS row FROM production.customers c UNION ALL SELECT o::text FROM production.orders o) AS rows
      """
    )
  }

  /// The latest run's status, and what was noted about it.
  func lastRun() throws -> (status: String, notes: String) {
    let latest = "FROM admin.merge_summary ORDER BY id DESC LIMIT 1"
    return (try text("SELECT status \(latest)"), try text("SELECT notes \(latest)"))
  }

  /// What was said about the latest run.
  func annotation(_ key: StaticString) throws -> String {
    try text(
      "SELECT parameters -> 'annotations' ->> '\(key)' FROM admin.merge_summary ORDER BY id DESC LIMIT 1"
    )
  }

  /// The calls that the simulator has seen, in their order.
  func calls() throws -> [String] {
    try String(contentsOf: journal, encoding: .utf8).split(separator: "\n").compactMap { line in
      try JSONValue(text: String(line))["call"].text
    }
  }

  /// What a call was asked for, each time that it was made.
  func requests(_ call: String) throws -> [JSONValue] {
    try String(contentsOf: journal, encoding: .utf8).split(separator: "\n").compactMap { line in
      let entry = try JSONValue(text: String(line))
      return entry["call"].text == call ? entry["request"] : nil
    }
  }
}
