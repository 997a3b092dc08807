import Foundation

/// A throw-away PostgreSQL server for demo, benchmarks and tests.
///
/// The server listens on a Unix socket in a fresh folder that only its user can enter, and leaves nothing behind:
/// server and folder vanish with ``stop()``, when the last reference goes, and when this process ends in any other way,
/// `kill -9` included. A process of its own, the keeper, sees to that.
///
/// PostgreSQL refuses to run as root. When root starts a cluster, keeper and server run as the user `postgres`, or
/// `nobody` where there is none.
public final class PrivateCluster: Sendable {
  /// The folder that holds everything: data, socket, log. Removed by ``stop()``.
  public let directory: String

  /// The folder of the Unix socket, what libpq takes as `host`.
  public let socketDirectory: String

  /// The port; without loopback it is only a part of the socket's name.
  public let port: Int

  /// The server's version.
  public let serverVersion: PostgresVersion

  /// The programs this server was made with; `psql` and `pg_dump` lie there too.
  public let binaries: PostgresBinaries

  private let superuserPassword: String?
  private let keeper: Keeper

  /// The server's log. Gone with ``directory``.
  public var logFile: String { directory + "/server.log" }

  /// The folder the server calls its data directory.
  public var dataDirectory: String { directory + "/data" }

  /// Makes a cluster and starts it; takes about a second, or a quarter of one with a template.
  ///
  /// - Parameter template: where its data are copied from, with locale, encoding and password as they were there. Nil
  ///   runs initdb.
  /// - Returns: a server that accepts connections.
  /// - Throws: ``PrivateClusterError`` when PostgreSQL is not installed or does not start, with what it said. Nothing
  ///   is left behind then either.
  public static func start(
    _ options: ClusterOptions = .init(),
    copying template: ClusterTemplate? = nil
  ) async throws -> PrivateCluster {
    let binaries = try await PostgresBinaries.find(in: options.binaryDirectory)
    let version = try await binaries.version()
    let keeper = try await Keeper(options, binaries: binaries)
    do {
      return try await PrivateCluster(
        options: options,
        template: template,
        binaries: binaries,
        version: version,
        keeper: keeper
      )
    } catch {
      await keeper.end()
      throw error
    }
  }

  /// Runs `body` with a cluster of its own and stops it afterwards, whether `body` returns or throws.
  ///
  /// - Throws: as ``start(_:)``, and whatever `body` throws.
  public static func with<Result>(
    _ options: ClusterOptions = .init(),
    _ body: (PrivateCluster) async throws -> Result
  ) async throws -> Result {
    let cluster = try await start(options)
    do {
      let result = try await body(cluster)
      await cluster.stop()
      return result
    } catch {
      await cluster.stop()
      throw error
    }
  }

  private init(
    options: ClusterOptions,
    template: ClusterTemplate?,
    binaries: PostgresBinaries,
    version: PostgresVersion,
    keeper: Keeper
  ) async throws {
    self.binaries = binaries
    self.serverVersion = version
    self.keeper = keeper
    self.superuserPassword = options.loopbackPassword
    self.directory = try await keeper.createDirectory()
    self.socketDirectory = directory
    var ports = LoopbackPorts(options.loopbackPorts)
    let firstPort = options.loopbackPassword == nil ? 5432 : ports.next() ?? options.loopbackPorts.lowerBound

    let settings = try options.configurationLines(socketDirectory: socketDirectory, port: firstPort)
    if let template {
      try await keeper.copy(template.dataDirectory)
    } else {
      try await keeper.initialize(password: options.loopbackPassword)
    }
    try await keeper.append(settings, toFile: "data/postgresql.conf")
    port = try await Self.startServer(keeper, at: firstPort, options, orAtOneOf: &ports)
  }

  /// Starts the server; where it fails and somebody else has its loopback port, at the next one.
  ///
  /// - Returns: the port that it has.
  private static func startServer(
    _ keeper: Keeper,
    at firstPort: Int,
    _ options: ClusterOptions,
    orAtOneOf ports: inout LoopbackPorts
  ) async throws -> Int {
    var port = firstPort
    while true {
      do {
        try await keeper.startServer()
        return port
      } catch {
        guard options.loopbackPassword != nil, LoopbackPorts.isTaken(port), let next = ports.next() else { throw error }
        port = next
        // Of two lines of a setting the last one holds.
        try await keeper.append(["port = '\(port)'"], toFile: "data/postgresql.conf")
      }
    }
  }

  /// What to give libpq to connect as the superuser `postgres` over the socket, as a keyword string without a password.
  public func connectionString(database: String = "postgres") -> String {
    // Empty, or a PGHOSTADDR in the environment would lead to another server.
    Self.keywords([
      ("host", socketDirectory), ("hostaddr", ""), ("port", "\(port)"), ("user", "postgres"), ("dbname", database),
    ])
  }

  /// What to give libpq to connect as `postgres` over TCP.
  ///
  /// - Parameter password: nil takes the right one.
  /// - Returns: nil if the cluster was started without ``ClusterOptions/loopbackPassword``.
  public func loopbackConnectionString(database: String = "postgres", password: String? = nil) -> String? {
    guard let superuserPassword else { return nil }
    return Self.keywords([
      ("host", "127.0.0.1"), ("port", "\(port)"), ("user", "postgres"), ("dbname", database),
      ("password", password ?? superuserPassword),
    ])
  }

  /// Restarts the server and waits until it accepts connections.
  ///
  /// - Parameter immediate: true is a crash as the database sees it: nothing is written down, recovery runs at the
  ///   start. False ends all sessions and writes a checkpoint. (It survives both without `fsync`: the operating system
  ///   goes on.)
  /// - Throws: ``PrivateClusterError`` when the server does not come back, with the end of its log, or was stopped
  ///   before.
  public func restart(immediate: Bool = false) async throws {
    try await keeper.restartServer(signal: immediate ? "QUIT" : "INT")
  }

  /// Stops the server at once and removes ``directory``. Returns when both are gone; the second call does nothing.
  public func stop() async {
    await keeper.end()
  }

  /// Leaves the server running when this process ends; ``stopKept(_:)`` stops it.
  ///
  /// - Returns: ``directory``, by which it is found again.
  public func keep() async throws -> String {
    try await keeper.keep()
    await keeper.end()
    return directory
  }

  /// Stops a server that was kept, and removes its folder; one that has ended meanwhile only loses its folder.
  ///
  /// - Throws: ``PrivateClusterError`` when there is no such folder.
  public static func stopKept(_ directory: String) async throws {
    let binaries = try await PostgresBinaries.find()
    let keeper = try await Keeper(ClusterOptions(), binaries: binaries)
    do {
      try await keeper.adopt(directory)
    } catch {
      await keeper.end()
      throw error
    }
    await keeper.end()
  }

  /// A libpq keyword string.
  /// <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE>
  private static func keywords(_ pairs: [(keyword: String, value: String)]) -> String {
    pairs.map { keyword, value in
      let escaped = value.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
      return "\(keyword)='\(escaped)'"
    }.joined(separator: " ")
  }
}
