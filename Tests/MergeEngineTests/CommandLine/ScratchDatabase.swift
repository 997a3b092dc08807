import Foundation
import Libpq
import PrivateCluster

/// A fresh database of one test, on the one private server that all command-line tests share.
final class ScratchDatabase {
  let name: String
  let cluster: PrivateCluster
  private let connection: Connection

  /// Runs `body` with a database of its own.
  ///
  /// A few at a time: every one of them has its child processes, and a child its connections.
  static func with(
    encoding: String = "UTF8",
    locale: String = "C.UTF-8",
    _ body: (ScratchDatabase) async throws -> Void
  ) async throws {
    try await inTurn {
      let database = try ScratchDatabase(try await shared.value, encoding: encoding, locale: locale)
      try await body(database)
      try database.drop()
    }
  }

  /// Runs `body` with two databases of the same server, for production and for staging.
  static func withPair(
    _ body: (_ production: ScratchDatabase, _ staging: ScratchDatabase) async throws -> Void
  ) async throws {
    try await inTurn {
      let cluster = try await shared.value
      let production = try ScratchDatabase(cluster, encoding: "UTF8", locale: "C.UTF-8")
      let staging = try ScratchDatabase(cluster, encoding: "UTF8", locale: "C.UTF-8")
      try await body(production, staging)
      try production.drop()
      try staging.drop()
    }
  }

  /// Runs `body` with a database on a server that is the test's own, to be stopped, restarted or copied.
  static func with(_ cluster: PrivateCluster, _ body: (ScratchDatabase) async throws -> Void) async throws {
    try await inTurn {
      try await body(try ScratchDatabase(cluster, encoding: "UTF8", locale: "C.UTF-8"))
    }
  }

  private static func inTurn(_ body: () async throws -> Void) async throws {
    try await places.take()
    do {
      try await body()
    } catch {
      await places.giveBack()
      throw error
    }
    await places.giveBack()
  }

  /// The server; it ends with the test process.
  static let shared = Task {
    var options = ClusterOptions(settings: ["max_connections": "100"])
    options.loopbackPassword = password
    return try await PrivateCluster.start(options)
  }

  /// What the server wants from whoever comes over TCP.
  static let password = "s3cret-Wort"

  private static let places = Places(3)

  private init(_ cluster: PrivateCluster, encoding: String, locale: String) throws {
    self.cluster = cluster
    name = "scratch_" + UUID().uuidString.lowercased().replacing("-", with: "")
    let server = try Self.connect(cluster.connectionString())
    try server.execute(
      """
      CREATE DATABASE \(Identifier(name)) TEMPLATE template0 ENCODING \(Literal(encoding)) LOCALE \(Literal(locale))
      """,
      "making a database"
    )
    connection = try Self.connect(cluster.connectionString(database: name))
  }

  private func drop() throws {
    let server = try Self.connect(cluster.connectionString())
    try server.execute("DROP DATABASE \(Identifier(name)) WITH (FORCE)", "dropping a database")
  }

  // MARK: Connecting

  /// As the superuser, over the socket.
  var connectionString: String { cluster.connectionString(database: name) }

  /// As another role, over the socket, where nobody asks for a password.
  func connectionString(role: String) -> String {
    "host='\(cluster.socketDirectory)' port=\(cluster.port) user='\(role)' dbname='\(name)'"
  }

  /// A second session, as the one that another program has.
  func session() throws -> Connection { try Self.connect(connectionString) }

  private static func connect(_ string: String) throws -> Connection {
    try Connection(to: ConnectionTarget(string), applicationName: "test") { _ in }
  }

  // MARK: SQL

  /// Runs statements.
  func execute(_ sql: String) throws {
    try connection.execute(.uncheckedFromServer(sql), "preparing a test")
  }

  /// The one value of a query, as text.
  func text(_ sql: String) throws -> String? {
    try connection.query(.uncheckedFromServer("SELECT (\(sql))::text"), "looking at the result").text(0, 0)
  }

  /// The one value of a query, as a number.
  func number(_ sql: String) throws -> Int? {
    try connection.query(.uncheckedFromServer("SELECT (\(sql))::bigint"), "looking at the result").integer(0, 0)
  }

  /// Whether a condition holds.
  func holds(_ condition: String) throws -> Bool {
    try connection.query(.uncheckedFromServer("SELECT (\(condition)) IS TRUE"), "looking at the result").bool(0, 0)
      == true
  }

  /// The rows of a query, each as the text of a row, sorted.
  func rows(_ sql: String) throws -> [String] {
    let result = try connection.query(
      .uncheckedFromServer("SELECT q::text FROM (\(sql)) AS q ORDER BY 1"),
      "looking at the result"
    )
    return (0..<result.count).map { result.text($0, 0) ?? "" }
  }

  /// Waits until a condition holds.
  func wait(for condition: String, timeLimitSeconds: Double = 30) async throws {
    let deadline = ContinuousClock.now + .seconds(timeLimitSeconds)
    while try !holds(condition) {
      guard ContinuousClock.now < deadline else { throw WaitedInVain(condition: condition) }
      try await Task.sleep(for: .milliseconds(10))
    }
  }

  /// A condition: a session of this database waits for a lock.
  static let somebodyWaitsForALock =
    "EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')"

  /// A condition: a session of this database sleeps in a trigger.
  static let somebodySleeps =
    "EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep')"

  struct WaitedInVain: Error {
    let condition: String
  }

  /// Everything that is in the database: schemas, relations with their columns, and the rows of every table with the
  /// transaction that wrote them. The same before and after means that nothing was written.
  func contents() throws -> [String] {
    let own = "NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'"
    var contents = try rows("SELECT nspname FROM pg_namespace WHERE nspname \(own)")
    contents += try rows(
      """
      SELECT n.nspname, c.relname, c.relkind, c.reloptions, c.relpersistence, c.relacl::text,
             array(SELECT attname || ' ' || format_type(atttypid, atttypmod) FROM pg_attribute
                   WHERE attrelid = c.oid AND attnum > 0 ORDER BY attnum) AS columns
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname \(own)
      """
    )
    let tables = try connection.query(
      .uncheckedFromServer(
        """
        SELECT format('%I.%I', n.nspname, c.relname)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND n.nspname \(own) ORDER BY 1
        """
      ),
      "looking at the database"
    )
    for row in 0..<tables.count {
      let table = tables.text(row, 0) ?? ""
      contents += try rows("SELECT '\(table.replacing("'", with: "''"))', t.xmin, t.ctid, t.* FROM \(table) AS t")
    }
    return contents
  }

  // MARK: The program

  /// Runs the program on this database.
  func run(
    _ words: String...,
    arguments: [String] = [],
    environment: [String: String] = [:],
    files: [String: String] = [:]
  ) async throws -> CommandLineProgram.Outcome {
    try await start(words + arguments, environment: environment, files: files).outcome()
  }

  /// Starts the program on this database.
  func start(
    _ arguments: [String],
    environment: [String: String] = [:],
    files: [String: String] = [:]
  ) throws -> CommandLineProgram {
    try CommandLineProgram(arguments + ["--database", connectionString], environment: environment, files: files)
  }

  /// Waits until the server has noticed that the sessions of a killed program are gone.
  func waitForTheEndOfAllSessions() async throws {
    try await wait(
      for: """
        NOT EXISTS (SELECT FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name LIKE 'merge-engine%')
        """
    )
  }
}

/// So many at a time, the others wait in line.
actor Places {
  private var free: Int
  private var line: [CheckedContinuation<Void, Never>] = []

  init(_ count: Int) {
    free = count
  }

  func take() async throws {
    if free > 0 {
      free -= 1
      return
    }
    await withCheckedContinuation { line.append($0) }
  }

  func giveBack() {
    if line.isEmpty {
      free += 1
    } else {
      line.removeFirst().resume()
    }
  }
}
