import Libpq

/// The server's side of a connection, told apart from whoever gets its process id later.
///
/// A line that breaks on the way is not noticed by the server for a while: the session goes on holding its locks.
struct Backend: Sendable, Hashable {
  private let processID: Int
  /// In seconds since 1970, as text that no setting changes.
  private let startedAt: String

  init(of connection: Connection) throws(PostgresError) {
    let row = try connection.query(
      "SELECT pid, extract(epoch FROM backend_start)::text FROM pg_stat_activity WHERE pid = pg_backend_pid()",
      "asking for the session's process"
    )
    processID = row.integer(0, 0) ?? 0
    startedAt = row.text(0, 1) ?? ""
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
