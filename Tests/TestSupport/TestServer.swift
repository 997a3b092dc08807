import PrivateCluster

/// The servers of a test process. `initdb` runs once; every server starts from a copy of its folder.
public enum TestServer {
  /// What a server wants from whoever comes over TCP: with everything in it that has a meaning in a connection string.
  public static let password = #"pa55 'wörd\ @/:?%41"#

  /// Superuser settings that a test server needs and a throw-away server does not have. Compiling a query takes longer than
  /// any test's rows do without, and every session loads the compiler anew.
  private static let settings = [
    "max_connections": "150", "autovacuum": "off", "max_prepared_transactions": "4", "jit": "off",
  ]

  private static let initialized = Task {
    var options = ClusterOptions()
    options.loopbackPassword = password
    return try await ClusterTemplate(options)
  }

  private static let started = Task { try await start(settings: settings) }

  /// The one server that all tests of the process share who don't break it; it goes away with the process.
  public static func shared() async throws -> PrivateCluster { try await started.value }

  /// Runs `body` with a server of its own, to be stopped, restarted, silenced or copied.
  public static func withOwn(
    settings: [String: String] = [:],
    in lane: Lane = .working,
    _ body: (PrivateCluster) async throws -> Void
  ) async throws {
    try await lane.turn {
      let cluster = try await start(settings: settings)
      do {
        try await body(cluster)
      } catch {
        await cluster.stop()
        throw error
      }
      await cluster.stop()
    }
  }

  /// Starts a server that goes away with the last reference to it.
  public static func start(settings: [String: String] = [:]) async throws -> PrivateCluster {
    var options = ClusterOptions(settings: settings)
    options.loopbackPassword = password
    return try await PrivateCluster.start(options, copying: initialized.value)
  }

  /// The way to a server of these that leads through a proxy.
  public static func connectionString(through proxy: CuttingProxy) -> String {
    let escaped = password.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
    return """
      host=127.0.0.1 port=\(proxy.port) user=postgres dbname=postgres password='\(escaped)' sslmode=disable \
      gssencmode=disable
      """
  }
}
