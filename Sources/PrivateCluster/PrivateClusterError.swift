/// Why there is no private cluster. The description is for the person at the terminal.
public enum PrivateClusterError: Error, CustomStringConvertible, Equatable {
  /// No folder with initdb and postgres; the text says where they were looked for.
  case postgresNotFound(String)

  /// An option that can't be carried out; the text says which and why.
  case invalidOption(String)

  /// We are root, whom PostgreSQL refuses, and there is no other user to become.
  case noUnprivilegedUser

  /// A step failed; `output` is what the programs said and the end of the server's log.
  case stepFailed(step: String, output: String)

  /// The cluster was stopped, or its keeper process was ended by somebody else.
  case stopped

  /// One or several lines: what happened, and what to do where there is something to do.
  public var description: String {
    switch self {
    case .postgresNotFound(let searched):
      """
      no PostgreSQL server programs (initdb, postgres): \(searched).
      Install PostgreSQL 14 or later (Debian, Ubuntu: apt-get install postgresql), or set MERGE_ENGINE_POSTGRES_BIN to \
      the folder that holds initdb.
      """
    case .invalidOption(let reason): "private cluster: \(reason)"
    case .noUnprivilegedUser:
      "private cluster: PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as"
    case .stepFailed(let step, let output): "private cluster: \(step) failed:\n\(output)"
    case .stopped: "private cluster: it is stopped"
    }
  }
}
