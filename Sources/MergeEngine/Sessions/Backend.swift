import Libpq

/// The server's side of a connection, told apart from whoever gets its process id later.
///
/// A line that breaks on the way is not noticed by the server for a while: the session goes on holding its locks.
struct Backend: Sendable, Hashable {
  private let processID: Int
  private let startedAt: String

  /// - Precondition: the connection was set up by a ``Session``.
  init(of connection: Connection) {
    processID = connection.backendProcessID
    startedAt = connection.sessionStart ?? ""
  }

  /// Has the server end the session, which every role may ask for its own.
  ///
  /// - Parameter connection: to the same server, with the same login.
  /// - Returns: whether it was still there. It may take a moment to be gone.
  func end(through connection: Connection) throws(PostgresError) -> Bool {
    let ended = try connection.query(
      """
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE pid = $1 AND extract(epoch FROM backend_start)::text = $2 AND application_name LIKE 'merge-engine %'
      """,
      [.bigint(processID), .text(startedAt)],
      "ending a session whose connection was lost"
    )
    return ended.count > 0
  }
}
