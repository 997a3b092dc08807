extension PostgresError {
  /// The session at the other end is not the connection's own.
  public static func foreignSession(_ operation: String) -> PostgresError {
    PostgresError(.foreignSession, message: "the session at the other end belongs to a pooler", operation: operation)
  }
}

extension Connection {
  /// Makes sure that the session is the connection's own, before anything is set in it: a pooler hands out others' sessions,
  /// and tells the client a process id of its own making.
  ///
  /// - Throws: ``PostgresError`` with origin `foreignSession`.
  public func requireOwnSession() throws(PostgresError) {
    let processID = try query("SELECT pg_backend_pid()", "asking for the session's process").integer(0, 0)
    guard processID == backendProcessID else { throw .foreignSession("connecting") }
  }
}
