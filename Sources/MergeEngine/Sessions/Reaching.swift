import Libpq

/// Turns a failed connection into the failure that the contract has an exit status for.
enum Reaching {
  static func database<Answer>(_ ask: () throws(PostgresError) -> Answer) throws(MergeFailure) -> Answer {
    do {
      return try ask()
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
  /// - Throws: ``MergeFailure/usage(_:)``, too, when a schema is in two pairs, or tables of two are called alike: whatever is asked
  ///   about them has two answers.
  func reachControl() throws(MergeFailure) -> Connection {
    try schemas.requireDistinct()
    let connection = try Reaching.database { () throws(PostgresError) in try connectControl() }
    let complaint = try Reaching.database { () throws(PostgresError) in try Namesakes.complaint(of: schemas, connection)
    }
    if let complaint { throw .usage(complaint) }
    return connection
  }

  /// As ``connectStagingControl(beside:)``, but for how a failure is told.
  func reachStaging(beside control: Connection) throws(MergeFailure) -> Connection {
    try Reaching.database { () throws(PostgresError) in try connectStagingControl(beside: control) }
  }
}
