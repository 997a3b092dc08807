import Foundation

/// What a ``PrivateCluster`` is to be like. The defaults suit a test: fast, and nothing survives a power cut.
public struct ClusterOptions: Sendable {
  /// Server settings as in postgresql.conf, values unquoted. They win over ``throwAwaySettings``.
  public var settings: [String: String] = [:]

  /// The cluster's locale, for everything from collation to messages.
  public var locale = "C.UTF-8"

  /// The cluster's encoding, by PostgreSQL's name.
  public var encoding = "UTF8"

  /// Set: the server also listens on 127.0.0.1, and whoever comes that way needs this password for `postgres` (SCRAM).
  /// Nil: socket only.
  public var loopbackPassword: String?

  /// The ports to choose from for 127.0.0.1: below the range that Linux hands out to clients (32768 and up), so that
  /// they meet only other servers.
  public var loopbackPorts = 20_000..<32_000

  /// Where PostgreSQL's programs are. Nil searches, see ``PostgresBinaries/find(in:environment:)``.
  public var binaryDirectory: String?

  /// Where the cluster's folder is made: what the environment's `MERGE_ENGINE_CLUSTER_DIRECTORY` says, else `/tmp`.
  /// The server's user must be able to write there (see ``PrivateCluster`` on root), and the path must be short: a
  /// socket's path ends at 107 bytes. `TMPDIR` is not asked: it often is neither.
  public var parentDirectory = usualParentDirectory()

  /// The settings of a server that may forget everything when the machine stops.
  ///
  /// `synchronous_commit` stays as PostgreSQL has it, since the engine's use of it is part of what is tested and
  /// measured.
  public static let throwAwaySettings = [
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "50",
    "timezone": "UTC",
    "log_timezone": "UTC",
  ]

  static func usualParentDirectory(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> String {
    environment["MERGE_ENGINE_CLUSTER_DIRECTORY"].flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
  }

  /// Options with every default.
  public init() {}

  /// Options with these settings and otherwise every default.
  public init(settings: [String: String]) {
    self.settings = settings
  }

  /// The lines to add to postgresql.conf.
  ///
  /// - Throws: ``PrivateClusterError/invalidOption(_:)`` for what would not come through as it is meant.
  func configurationLines(socketDirectory: String, port: Int) throws -> [String] {
    guard parentDirectory.hasPrefix("/"), !parentDirectory.contains(where: \.isNewline) else {
      throw PrivateClusterError.invalidOption("parentDirectory is \"\(parentDirectory)\", not an absolute path")
    }
    let socketPath = "\(socketDirectory)/.s.PGSQL.\(port)"
    // sun_path has 108 bytes on Linux, the last for the terminator.
    guard socketPath.utf8.count <= 107 else {
      throw PrivateClusterError.invalidOption(
        "the socket's path \(socketPath) has \(socketPath.utf8.count) bytes, 107 are possible: "
          + "choose a shorter parentDirectory"
      )
    }
    let own = [
      "listen_addresses": loopbackPassword == nil ? "" : "127.0.0.1",
      "port": "\(port)",
      "unix_socket_directories": "\"\(socketDirectory)\"",
    ]
    if let taken = settings.keys.first(where: { own.keys.contains($0.lowercased()) }) {
      throw PrivateClusterError.invalidOption("the setting \(taken) belongs to the cluster itself")
    }
    return try Self.throwAwaySettings.merging(settings) { $1 }.merging(own) { $1 }
      .sorted { $0.key < $1.key }
      .map(Self.configurationLine)
  }

  /// One setting as postgresql.conf wants it.
  /// <https://www.postgresql.org/docs/current/config-setting.html#CONFIG-SETTING-CONFIGURATION-FILE>
  private static func configurationLine(name: String, value: String) throws -> String {
    guard name.wholeMatch(of: /[A-Za-z_][A-Za-z0-9_.]*/) != nil else {
      throw PrivateClusterError.invalidOption("\"\(name)\" is not the name of a setting")
    }
    guard !value.contains(where: \.isNewline) else {
      throw PrivateClusterError.invalidOption("the value of the setting \(name) has a line break")
    }
    let escaped = value.replacing("\\", with: "\\\\").replacing("'", with: "''")
    return "\(name) = '\(escaped)'"
  }
}
