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

extension Session {
  /// As ``connectControl()``, but for how a failure is told.
  func reachControl() throws(MergeFailure) -> Connection {
    try Reaching.database { () throws(PostgresError) in try connectControl() }
  }

  /// As ``connectStagingControl(beside:)``, but for how a failure is told.
  func reachStaging(beside control: Connection) throws(MergeFailure) -> Connection {
    try Reaching.database { () throws(PostgresError) in try connectStagingControl(beside: control) }
  }
}
