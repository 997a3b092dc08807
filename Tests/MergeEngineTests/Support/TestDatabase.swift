import Foundation
import Libpq
import Logging
import MergeEngine
import PrivateCluster
import Testing

/// A database of its own for one test, with a connection to look into it.
///
/// ```swift
/// try await TestDatabase.with { database in
///   try database.run("CREATE SCHEMA staging; …")
///   let report = try await database.merge { $0.batchRows = 100 }
///   #expect(try database.rows("TABLE production.orders ORDER BY 1") == ["(1,open)"])
/// }
/// ```
final class TestDatabase {
  /// What the engine and other connections of a test connect to.
  let connectionString: String
  let target: ConnectionTarget
  /// The test's own connection.
  let connection: Connection

  /// How a database differs from the server's default, UTF-8 in the locale C.UTF-8.
  enum Encoding: String, CaseIterable {
    case utf8 = ""
    case utf8InC = "TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
    case latin1 = "TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
    case sqlASCII = "TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"
  }

  /// Connects to a database that is there.
  init(connectionString: String) throws {
    self.connectionString = connectionString
    target = try ConnectionTarget(connectionString)
    connection = try Connection(to: target, applicationName: "test") { _ in }
  }

  /// Makes a database, runs `body` with it, and drops it.
  static func with(
    _ encoding: Encoding = .utf8,
    _ body: (TestDatabase) async throws -> Void
  ) async throws {
    await TestCluster.slots.take()
    do {
      try await inTurn(encoding, body)
    } catch {
      await TestCluster.slots.give()
      throw error
    }
    await TestCluster.slots.give()
  }

  private static func inTurn(_ encoding: Encoding, _ body: (TestDatabase) async throws -> Void) async throws {
    let cluster = try await TestCluster.shared()
    let name = "test_\(UUID().uuidString.prefix(13).lowercased().replacing("-", with: "_"))"
    let administration = try TestDatabase(connectionString: cluster.connectionString())
    try administration.run("CREATE DATABASE \(name) \(encoding.rawValue)")
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

  // MARK: The server

  /// Whether the server was built with ICU. Some servers of the test matrix are not.
  func hasICU() throws -> Bool {
    // The default has turned round with 16.
    try count(
      """
      SELECT count(*) FROM pg_config
      WHERE name = 'CONFIGURE'
        AND (setting LIKE '%--with-icu%'
             OR current_setting('server_version_num')::int >= 160000 AND setting NOT LIKE '%--without-icu%')
      """
    ) > 0
  }

  /// Whether the server was built with libxml. Some servers of the test matrix are not.
  func hasXML() throws -> Bool {
    try count("SELECT count(*) FROM pg_config WHERE name = 'CONFIGURE' AND setting LIKE '%libxml%'") > 0
  }

  // MARK: SQL

  /// Runs one or several statements.
  ///
  /// - Returns: how many rows the last of them changed.
  @discardableResult
  func run(_ sql: String) throws -> Int {
    try connection.execute(.uncheckedFromServer(sql), "running a test's statements")
  }

  /// The rows of a query, each as the text of a record: `(1,open,"2025-01-01 00:00:00")`.
  func rows(_ query: String) throws -> [String] {
    let result = try connection.query(
      .uncheckedFromServer("SELECT r::text FROM (\(query)) AS r"),
      "querying for a test"
    )
    return (0..<result.count).compactMap { result.text($0, 0) }
  }

  /// The first value of a query as text; nil for NULL and for no row.
  func value(_ query: String) throws -> String? {
    let result = try connection.query(.uncheckedFromServer("SELECT (\(query))::text"), "querying for a test")
    return result.text(0, 0)
  }

  /// The first value of a query as a number; 0 for NULL and for no row.
  func count(_ query: String) throws -> Int { try value(query).flatMap { Int($0) } ?? 0 }

  /// Loads CSV with a header, which names the columns.
  func copy(csv: String, into table: String) throws {
    let columns = csv.prefix { !$0.isNewline }
    let sql = "COPY \(table) (\(columns)) FROM STDIN (FORMAT csv, HEADER)"
    _ = try connection.copyIn(.uncheckedFromServer(sql), "loading a fixture") { stream in
      let bytes = Array(csv.utf8)
      // Safe: UInt8 has no padding.
      unsafe try stream.write(bytes.span.bytes)
    }
  }

  /// Rows of only one of two tables or queries, as text, so that types without equality can be compared too.
  func difference(_ left: String, _ right: String) throws -> [String] {
    func texts(_ source: String) -> String { "SELECT t::text AS t FROM (\(source)) AS t" }
    func only(_ side: String, _ one: String, _ other: String) -> String {
      "SELECT '\(side)' AS side, d.t FROM (\(texts(one)) EXCEPT ALL \(texts(other))) AS d"
    }
    return try rows("\(only("left", left, right)) UNION ALL \(only("right", right, left)) LIMIT 10")
  }
}

extension TestDatabase {
  /// Makes the table `name` on both sides, staging with a status column and filled at a tenth of each block, so that
  /// a few rows make several batches.
  ///
  /// - Parameters:
  ///   - production: the production table's columns and constraints.
  ///   - staging: the staging table's columns.
  func makePair(_ name: String = "t", production: String, staging: String) throws {
    try run(
      """
      CREATE SCHEMA IF NOT EXISTS production;
      CREATE SCHEMA IF NOT EXISTS staging;
      CREATE TABLE production.\(name) (\(production));
      CREATE TABLE staging.\(name) (\(staging), _dms_processing_status varchar(20) DEFAULT 'NEW')
      WITH (fillfactor = 10);
      """
    )
  }

  /// Merges, and checks what holds of every run: counts that add up and agree with the admin tables.
  @discardableResult
  func merge(
    stop: StopSignal = StopSignal(),
    _ change: (inout MergeOptions) -> Void = { _ in }
  ) async throws -> RunReport {
    try await finish(start(stop: stop, change))
  }

  /// Begins a merge that runs beside the test.
  func start(
    stop: StopSignal = StopSignal(),
    _ change: (inout MergeOptions) -> Void = { _ in }
  ) -> RunningMerge {
    var options = MergeOptions()
    change(&options)
    let run = MergeRun(target: target, options: options, logger: .silent, stop: stop)
    return RunningMerge(
      report: Task { try await onItsOwnThread { try run.run() } },
      adminSchema: options.schemas.admin
    )
  }

  /// A merge that was begun.
  struct RunningMerge {
    let report: Task<RunReport, any Error>
    let adminSchema: String
  }

  /// Waits for the end of a merge, and checks it as ``merge(stop:_:)`` does.
  func finish(_ merge: RunningMerge) async throws -> RunReport {
    let report = try await merge.report.value
    try expectCountsToAddUp(report, admin: merge.adminSchema)
    return report
  }

  private func expectCountsToAddUp(_ report: RunReport, admin: String) throws {
    for table in report.tables {
      let counts = table.counts
      #expect(
        counts.read == counts.inserted + counts.updated + counts.unchanged + counts.stale + counts.duplicate
          + counts.errors,
        "\(table.table): \(counts)"
      )
      #expect(counts.lostRaces <= counts.stale)
    }
    let schema = Identifier(admin).quoted
    #expect(
      try rows("SELECT status, merge_end > merge_start FROM \(schema).merge_summary WHERE id = \(report.runID)")
        == ["(\(report.status.rawValue),t)"]
    )
    #expect(
      try count("SELECT sum(records_read) FROM \(schema).merge_logs WHERE run_id = \(report.runID)")
        == report.totals.read
    )
    #expect(
      // Rows that were tried again within the run are counted by what became of them.
      try count("SELECT count(*) FROM \(schema).merge_errors WHERE run_id = \(report.runID) AND retried_at IS NULL")
        == report.totals.errors
    )
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
