import Foundation

/// The folder with PostgreSQL's programs.
public struct PostgresBinaries: Sendable, Equatable {
  /// The folder that holds initdb and postgres.
  public let directory: String

  /// The path of the program `name`, whether it is there or not.
  public func path(_ name: String) -> String { "\(directory)/\(name)" }

  /// Looks for the programs.
  ///
  /// What is named explicitly is taken or refused: `directory`, else the environment's `MERGE_ENGINE_POSTGRES_BIN`.
  /// Else the first that has both: `pg_config --bindir` (which may be there without a server), the folders of `PATH`,
  /// the newest version where Debian and Red Hat put them, off the `PATH`.
  ///
  /// - Throws: ``PrivateClusterError/postgresNotFound(_:)``.
  public static func find(
    in directory: String? = nil,
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) async throws -> PostgresBinaries {
    if let directory {
      return try named(directory, by: "the option")
    }
    if let directory = environment["MERGE_ENGINE_POSTGRES_BIN"], !directory.isEmpty {
      return try named(directory, by: "MERGE_ENGINE_POSTGRES_BIN")
    }
    let searchPath = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
    var candidates = searchPath + packagedDirectories()
    if let fromPgConfig = try await bindirOfPgConfig(searchPath: searchPath) {
      candidates.insert(fromPgConfig, at: 0)
    }
    guard let found = candidates.first(where: isComplete) else {
      throw PrivateClusterError.postgresNotFound(
        "not in `pg_config --bindir`, PATH, /usr/lib/postgresql/*/bin or /usr/pgsql-*/bin"
      )
    }
    return PostgresBinaries(directory: found)
  }

  /// The version of the server program.
  ///
  /// - Throws: ``PrivateClusterError/stepFailed(step:output:)`` if it does not say.
  public func version() async throws -> PostgresVersion {
    let output = try await ShortProgram.output(of: path("postgres"), ["--version"])
    guard let version = output.flatMap(PostgresVersion.init(programOutput:)) else {
      throw PrivateClusterError.stepFailed(step: "\(path("postgres")) --version", output: output ?? "it failed")
    }
    return version
  }

  private static func named(_ directory: String, by source: String) throws -> PostgresBinaries {
    guard isComplete(directory) else {
      throw PrivateClusterError.postgresNotFound("\(source) says \(directory), and they are not there")
    }
    return PostgresBinaries(directory: directory)
  }

  private static func isComplete(_ directory: String) -> Bool {
    ["initdb", "postgres"].allSatisfy { isExecutableFile("\(directory)/\($0)") }
  }

  private static func isExecutableFile(_ path: String) -> Bool {
    FileManager.default.isExecutableFile(atPath: path)
  }

  private static func bindirOfPgConfig(searchPath: [String]) async throws -> String? {
    guard let pgConfig = searchPath.map({ "\($0)/pg_config" }).first(where: isExecutableFile) else { return nil }
    return try await ShortProgram.output(of: pgConfig, ["--bindir"])
  }

  /// The folders of all packaged versions, newest first.
  private static func packagedDirectories() -> [String] {
    let layouts = [("/usr/lib/postgresql", ""), ("/usr", "pgsql-")]
    var found: [(version: Double, directory: String)] = []
    for (parent, prefix) in layouts {
      for entry in (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? [] where entry.hasPrefix(prefix) {
        guard let version = Double(entry.dropFirst(prefix.count)) else { continue }
        found.append((version, "\(parent)/\(entry)/bin"))
      }
    }
    return found.sorted { $0.version > $1.version }.map(\.directory)
  }
}
