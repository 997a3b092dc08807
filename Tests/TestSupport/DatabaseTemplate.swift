/// A database that is made once, for tests to have copies of.
public actor DatabaseTemplate {
  private let databaseName: String
  private let prepare: @Sendable (TestDatabase) async throws -> Void
  private var making: Task<Void, any Error>?

  /// - Parameters:
  ///   - name: the database's name on the shared server.
  ///   - prepare: puts into it what the copies are to have.
  public init(_ name: String, prepare: @escaping @Sendable (TestDatabase) async throws -> Void) {
    databaseName = "template_\(name)"
    self.prepare = prepare
  }

  /// The name, when the database is there and nobody is connected to it.
  func name() async throws -> String {
    let making = making ?? Task { try await make() }
    self.making = making
    try await making.value
    return databaseName
  }

  private func make() async throws {
    let cluster = try await TestServer.shared()
    let administration = try TestDatabase(connectionString: cluster.connectionString())
    try administration.run("CREATE DATABASE \(databaseName)")
    try await prepare(TestDatabase(connectionString: cluster.connectionString(database: databaseName)))
    // A session that has just ended may still be counted as a user of the database.
    try administration.run(
      """
      ALTER DATABASE \(databaseName) ALLOW_CONNECTIONS false;
      SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '\(databaseName)';
      """
    )
  }
}
