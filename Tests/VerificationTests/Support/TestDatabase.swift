import Foundation
import Libpq
import Logging
import MergeEngine
import PrivateCluster
import Testing

/// A database of its own for one test, with a connection to look into it.
final class TestDatabase {
  /// What the engine and other connections of a test connect to.
  let connectionString: String
  let target: ConnectionTarget
  let connection: Connection

  /// Connects to a database that is there.
  init(connectionString: String) throws {
    self.connectionString = connectionString
    target = try ConnectionTarget(connectionString)
    connection = try Connection(to: target, applicationName: "test") { _ in }
  }

  /// Makes a database, runs `body` with it, and drops it.
  static func with(_ body: (TestDatabase) async throws -> Void) async throws {
    await TestCluster.slots.take()
    let result: Result<Void, any Error>
    do {
      try await inTurn(body)
      result = .success(())
    } catch {
      result = .failure(error)
    }
    await TestCluster.slots.give()
    try result.get()
  }

  private static func inTurn(_ body: (TestDatabase) async throws -> Void) async throws {
    let cluster = try await TestCluster.shared()
    let name = "test_\(UUID().uuidString.prefix(13).lowercased().replacing("-", with: "_"))"
    let administration = try TestDatabase(connectionString: cluster.connectionString())
    try administration.run("CREATE DATABASE \(name)")
    let result: Result<Void, any Error>
    do {
      try await body(TestDatabase(connectionString: cluster.connectionString(database: name)))
      result = .success(())
    } catch {
      result = .failure(error)
    }
    try administration.run("DROP DATABASE \(name) WITH (FORCE)")
    try result.get()
  }

  /// Another connection, as CDC has one.
  func connect() throws -> TestDatabase { try TestDatabase(connectionString: connectionString) }

  /// Runs one or several statements.
  @discardableResult
  func run(_ sql: String) throws -> Int {
    try connection.execute(.uncheckedFromServer(sql), "running a test's statements")
  }

  /// The rows of a query, each as the text of a record.
  func rows(_ query: String) throws -> [String] {
    let result = try connection.query(
      .uncheckedFromServer("SELECT r::text FROM (\(query)) AS r"),
      "querying for a test"
    )
    return (0..<result.count).compactMap { result.text($0, 0) }
  }

  /// The first value of a query as text; nil for NULL and for no row.
  func value(_ query: String) throws -> String? {
    try connection.query(.uncheckedFromServer("SELECT (\(query))::text"), "querying for a test").text(0, 0)
  }

  /// Makes the table `t` on both sides, staging with a status column and filled at a tenth of each block, so that a few
  /// rows make several batches.
  func makePair(production: String, staging: String) throws {
    try run(
      """
      CREATE SCHEMA production;
      CREATE SCHEMA staging;
      CREATE TABLE production.t (\(production));
      CREATE TABLE staging.t (\(staging), _dms_processing_status varchar(20) DEFAULT 'NEW') WITH (fillfactor = 10);
      """
    )
  }

  /// Merges with one worker.
  @discardableResult
  func merge(_ change: (inout MergeOptions) -> Void = { _ in }) async throws -> RunReport {
    try await merging(change).value
  }

  /// The same, while the test goes on.
  func merging(_ change: (inout MergeOptions) -> Void = { _ in }) -> Task<RunReport, any Error> {
    var options = MergeOptions()
    options.workers = 1
    change(&options)
    let run = MergeRun(target: target, options: options, logger: .silent)
    return Task { try await onItsOwnThread { try run.run() } }
  }

  /// Waits until all workers of a verification have done nothing for half a second: they wait for the second look.
  func waitForPause() async throws {
    let isPausing = """
      SELECT count(*) > 0 AND bool_and(state = 'idle' AND state_change < clock_timestamp() - interval '0.5 s')
      FROM pg_stat_activity
      WHERE datname = current_database() AND application_name LIKE 'merge-engine verify worker%'
      """
    while try value(isPausing) != "true" { try await Task.sleep(for: .milliseconds(20)) }
  }

  /// Waits until somebody waits for a lock.
  func waitForBlockedSession() async throws {
    while try value("SELECT count(*) FROM pg_locks WHERE NOT granted") == "0" {
      try await Task.sleep(for: .milliseconds(20))
    }
  }
}

/// Runs blocking work on a thread of its own, so that it doesn't hold a thread of the cooperative pool.
func onItsOwnThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
  try await withCheckedThrowingContinuation { continuation in
    let thread = Thread { continuation.resume(with: Result(catching: body)) }
    thread.start()
  }
}

extension Logger {
  /// Says nothing.
  static var silent: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }
}
