import Libpq

/// Turns a failed connection into the failure that the contract has an exit status for.
enum Reaching {
  static func database(_ connect: () throws(PostgresError) -> Connection) throws(MergeFailure) -> Connection {
    do {
      return try connect()
    } catch {
      throw failure(error)
    }
  }

  static func failure(_ error: PostgresError) -> MergeFailure {
    guard error.origin == .foreignSession else { return .unreachable(error) }
    return .blocked([
      .blocker(
        .pooledSession,
        nil,
        """
        \(error): other clients would inherit its locks and settings. Nothing was set. Connect to PostgreSQL itself, not through \
        PgBouncer or another pooler, whatever its pool_mode.
        """
      )
    ])
  }
}

extension Session {
  /// As ``connectControl()``, but for how a failure is told.
  ///
  /// - Throws: ``MergeFailure/usage(_:)``, too, when a schema is in two pairs: whatever is asked about it has two answers.
  func reachControl() throws(MergeFailure) -> Connection {
    try schemas.requireDistinct()
    return try Reaching.database { () throws(PostgresError) in try connectControl() }
  }

  /// As ``connectStagingControl(beside:)``, but for how a failure is told.
  func reachStaging(beside control: Connection) throws(MergeFailure) -> Connection {
    try Reaching.database { () throws(PostgresError) in try connectStagingControl(beside: control) }
  }
}
