import Libpq

/// Turns a failed first connection into the failure that the contract has an exit status for.
enum Reaching {
  static func database(_ connect: () throws(PostgresError) -> Connection) throws(MergeFailure) -> Connection {
    do {
      return try connect()
    } catch {
      // Connected, but the session does not take what was typed for it, as a time zone that is none.
      guard error.sqlState != .invalidParameterValue else { throw .usage("\(error)") }
      throw .unreachable(error)
    }
  }
}
