import Libpq
import MergeEngine

/// Makes and drops the databases that a run works in.
///
/// A workload is loaded once, into a template, and copied file by file for every contender: all begin with the same
/// pages, statistics and visibility maps, and no table of the server's own is touched. CREATE DATABASE … TEMPLATE wants
/// that nobody is connected to the template.
struct ScratchDatabases {
  static let template = Identifier("merge_engine_bench_template")
  static let run = Identifier("merge_engine_bench_run")

  private let target: ConnectionTarget
  private let maintenance: Connection

  /// What tells a database that a bench has made from one that merely has its name.
  private static let comment = Literal("scratch of merge-engine bench; may be dropped")

  /// - Throws: ``PostgresError``; ``MergeFailure/blocked(_:)`` when the role may not create databases, databases with
  ///   these names belong to somebody else, or another bench is running.
  init(_ target: ConnectionTarget) throws {
    self.target = target
    maintenance = try Self.connect(to: target)
    try requireToBeAlone()
    try requireRights()
    try drop()
  }

  /// Connects as bench does.
  static func connect(to target: ConnectionTarget) throws(PostgresError) -> Connection {
    let connection = try Connection(to: target, applicationName: applicationName) { _ in }
    try connection.requireOwnSession()
    return connection
  }

  private static let applicationName = "merge-engine bench"

  /// Where one of the databases is.
  func target(of database: Identifier) -> ConnectionTarget { target.database(named: database.name) }

  /// Makes the template, empty.
  func createTemplate() throws(PostgresError) {
    try drop(Self.template)
    try maintenance.execute("CREATE DATABASE \(Self.template) TEMPLATE template0", "making a scratch database")
    try mark(Self.template)
  }

  /// Makes the database of the next contender, a copy of the template.
  func createRun() throws(PostgresError) {
    try drop(Self.run)
    // By files: by the write-ahead log, which is the default since 15, the copy would be a load of its own.
    let strategy: SQL = maintenance.serverVersionNumber >= 150_000 ? " STRATEGY = FILE_COPY" : ""
    try maintenance.execute(
      "CREATE DATABASE \(Self.run) TEMPLATE \(Self.template)\(strategy)",
      "copying the workload"
    )
    try mark(Self.run)
  }

  /// Drops everything that a bench has made.
  func drop() throws(PostgresError) {
    try drop(Self.run)
    try drop(Self.template)
  }

  /// The server's version, setting and size, for the report.
  func describeServer() throws(PostgresError) -> BenchReport.Server {
    let names = [
      "server_version", "shared_buffers", "max_wal_size", "fsync", "full_page_writes", "wal_level", "work_mem",
      "maintenance_work_mem", "jit", "synchronous_commit", "max_parallel_workers_per_gather", "effective_cache_size",
      "checkpoint_timeout", "wal_compression", "debug_io_direct",
    ]
    var settings: [String: String] = [:]
    for name in names {
      settings[name] = try maintenance.query(
        "SELECT current_setting(\(Literal(name)), true)",
        "reading the server's settings"
      ).text(0, 0)
    }
    let version = settings.removeValue(forKey: "server_version") ?? ""
    return BenchReport.Server(version: version, settings: settings)
  }

  var serverVersionNumber: Int { maintenance.serverVersionNumber }

  private func drop(_ database: Identifier) throws(PostgresError) {
    try maintenance.execute("DROP DATABASE IF EXISTS \(database) WITH (FORCE)", "dropping a scratch database")
  }

  private func mark(_ database: Identifier) throws(PostgresError) {
    try maintenance.execute("COMMENT ON DATABASE \(database) IS \(Self.comment)", "marking a scratch database")
  }

  /// The scratch databases are the server's, so another bench on any of its databases would drop them: an advisory lock,
  /// which is one database's, is not enough. Whoever looks later sees the other's session; of two that begin at once both
  /// may give up.
  private func requireToBeAlone() throws {
    // Sessions of a bench that has just ended take a moment to go: two seconds. Arbitrary.
    for turn in 0...20 {
      let others = try maintenance.query(
        """
        SELECT pid, datname::text FROM pg_stat_activity
        WHERE application_name = \(Literal(Self.applicationName)) AND pid <> pg_backend_pid() ORDER BY backend_start
        """,
        "looking for another bench"
      )
      guard others.count > 0 else { return }
      guard turn == 20 else {
        try maintenance.execute("SELECT pg_sleep(0.1)", "waiting for another bench")
        continue
      }
      let session = "process \(others.integer(0, 0) ?? 0), database \(others.text(0, 1) ?? "unknown")"
      throw MergeFailure.blocked([
        Finding(
          grade: .blocker,
          table: nil,
          message: "another merge-engine bench is running on this server (\(session)). Wait for it to end."
        )
      ])
    }
  }

  private func requireRights() throws {
    let answer = try maintenance.query(
      """
      SELECT (SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user),
             (SELECT string_agg(datname, ', ') FROM pg_database
              WHERE datname IN (\(Literal(Self.template.name)), \(Literal(Self.run.name)))
                AND coalesce(shobj_description(oid, 'pg_database') <> \(Self.comment), true))
      """,
      "looking at the server's databases"
    )
    if answer.bool(0, 0) != true {
      throw MergeFailure.blocked([
        Finding(
          grade: .blocker,
          table: nil,
          message:
            "bench creates its own databases, and this role may not: ALTER ROLE … CREATEDB, or leave out --database "
            + "to have a private server started."
        )
      ])
    }
    if let foreign = answer.text(0, 1) {
      throw MergeFailure.blocked([
        Finding(
          grade: .blocker,
          table: nil,
          message: "the database \(foreign) exists and was not created by bench: drop or rename it."
        )
      ])
    }
  }
}
