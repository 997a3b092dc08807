import Foundation
import Libpq
import PrivateCluster
import Testing

/// A private server with the fixture's production tables and staging, and the simulator of DMS that loads into it.
final class World {
  struct Timeout: Error, CustomStringConvertible {
    let description: String
  }

  /// Which `aws` command is used.
  enum Command {
    /// The real one.
    case real
    /// The one beside the simulator, which starts ten times as fast.
    case short
  }

  let database: String
  let endpoint: String
  /// One line of JSON a call to the simulator.
  let journal: URL
  private let simulator: Program
  private let command: Command
  private let folder: URL

  static let repository = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  static let window = ["--from", "2025-01-01", "--to", "2025-02-01"]
  static let route = [
    "--source-schema", "SOURCE_SCHEMA",
    "--source-endpoint-arn", "arn:aws:dms:us-east-1:123456789012:endpoint:SOURCE",
    "--target-endpoint-arn", "arn:aws:dms:us-east-1:123456789012:endpoint:TARGET",
    "--replication-instance-arn", "arn:aws:dms:us-east-1:123456789012:rep:INSTANCE",
    "--poll", "0.1",
  ]

  /// Makes a world, lends it to `body`, and ends it.
  ///
  /// - Parameter simulator: more arguments for the simulator, as `--fail`.
  static func with(
    _ command: Command = .short,
    simulator: [String] = [],
    _ body: (World) async throws -> Void
  ) async throws {
    try await PrivateCluster.with { cluster in
      let world = try await World(cluster, command, simulator)
      try await body(world)
    }
  }

  private init(_ cluster: PrivateCluster, _ command: Command, _ arguments: [String]) async throws {
    database = cluster.connectionString()
    self.command = command
    folder = FileManager.default.temporaryDirectory.appending(path: "reload-world-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    journal = folder.appending(path: "journal")
    let script = Self.repository.appending(path: "Tests/DMSSimulator/simulator.py")
    let options =
      [
        script.path, "--database", database, "--port", "0", "--seconds", "0.3", "--delay", "0.1", "--end-with-parent",
        "--journal", journal.path,
      ] + arguments
    simulator = try Program(
      URL(filePath: "/usr/bin/env"),
      ["python3"] + options,
      environment: ProcessInfo.processInfo.environment
    )
    endpoint = try await Self.address(of: simulator)
    let connection = try Connection(to: ConnectionTarget(database), applicationName: "test") { _ in }
    let production = Self.repository.appending(path: "Fixtures/dms/oracle/production.sql")
    try connection.execute(.uncheckedFromServer(String(contentsOf: production, encoding: .utf8)), "production")
    let made = try await run(["init", "--quiet"])
    guard made.status == 0 else { throw Timeout(description: made.transcript) }
  }

  deinit {
    simulator.signal(SIGTERM)
    try? FileManager.default.removeItem(at: folder)
  }

  private static func address(of simulator: Program) async throws -> String {
    try await eventually("the simulator's address") {
      guard let range = simulator.output.firstRange(of: "http://"), simulator.output.hasSuffix("\n") else { return nil }
      return simulator.output[range.lowerBound...].trimmingCharacters(in: .newlines)
    }
  }

  /// Asks until there is an answer, for a minute at most.
  static func eventually<Value>(_ what: String, _ ask: () throws -> Value?) async throws -> Value {
    let deadline = ContinuousClock.now + .seconds(60)
    while .now < deadline {
      if let value = try ask() { return value }
      try await Task.sleep(for: .milliseconds(20))
    }
    throw Timeout(description: "\(what) did not come within a minute")
  }

  // MARK: - The program

  func start(_ arguments: [String], environment changes: [String: String] = [:]) throws -> Program {
    let program = try #require(Bundle.main.executableURL).deletingLastPathComponent().appending(path: "merge-engine")
    return try Program(program, arguments, environment: environment.merging(changes) { $1 })
  }

  func run(_ arguments: [String], environment changes: [String: String] = [:]) async throws -> Program.Outcome {
    try await start(arguments, environment: changes).wait()
  }

  /// `reload` for January, over the endpoints that the simulator knows.
  func reload(_ more: [String] = [], environment changes: [String: String] = [:]) async throws -> Program.Outcome {
    try await run(["reload"] + Self.window + Self.route + more, environment: changes)
  }

  /// `reload --resume`
  func resume(_ more: [String] = []) async throws -> Program.Outcome {
    try await run(["reload", "--resume", "--poll", "0.1"] + more)
  }

  /// Nothing in it can reach AWS, whatever the machine's own configuration says.
  private var environment: [String: String] {
    let nowhere = "http://127.0.0.1:9"
    var environment = ProcessInfo.processInfo.environment
    for name in ["AWS_PROFILE", "AWS_SESSION_TOKEN", "PGHOST", "PGDATABASE", "PGUSER", "PGSERVICE"] {
      environment[name] = nil
    }
    let own = [
      "DATABASE_URL": database, "AWS_ENDPOINT_URL_DATABASE_MIGRATION_SERVICE": endpoint, "AWS_ENDPOINT_URL": endpoint,
      "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "secret-key", "AWS_DEFAULT_REGION": "us-east-1",
      "AWS_REGION": "us-east-1", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
      "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1", "HTTP_PROXY": nowhere, "HTTPS_PROXY": nowhere,
      "http_proxy": nowhere, "https_proxy": nowhere, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "NO_COLOR": "1",
    ]
    environment.merge(own) { $1 }
    if command == .short {
      let short = Self.repository.appending(path: "Tests/DMSSimulator/bin").path
      environment["PATH"] = short + ":" + (environment["PATH"] ?? "")
    }
    return environment
  }

  // MARK: - The database

  func connect() throws -> Connection {
    try Connection(to: ConnectionTarget(database), applicationName: "test") { _ in }
  }

  /// The first field of the first row, as text; empty for NULL and for no row.
  func text(_ sql: SQL) throws -> String {
    let rows = try connect().query("SELECT (\(sql))::text", "asking")
    return rows.count > 0 ? rows.text(0, 0) ?? "" : ""
  }

  func integer(_ sql: SQL) throws -> Int { Int(try text(sql)) ?? -1 }

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
    let row = try connect().query(
      "SELECT status::text, coalesce(notes, '') FROM admin.merge_summary ORDER BY id DESC LIMIT 1",
      "asking"
    )
    return row.count > 0 ? (row.text(0, 0) ?? "", row.text(0, 1) ?? "") : ("", "")
  }

  /// What was said about the latest run.
  func annotation(_ key: StaticString) throws -> String {
    try text(
      "SELECT parameters -> 'annotations' ->> \(Literal(key.description)) FROM admin.merge_summary ORDER BY id DESC LIMIT 1"
    )
  }

  /// The calls that the simulator has seen, in their order.
  func calls() throws -> [String] {
    try String(contentsOf: journal, encoding: .utf8).split(separator: "\n").compactMap { line in
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
      return object?["call"] as? String
    }
  }
}
