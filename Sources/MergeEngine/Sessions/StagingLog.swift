import Foundation
import Libpq

/// The log of staging's server, where that is another one than production's.
///
/// Production remembers ids of staging's transactions. One that is not on disk there is given out a second time after a crash, and rows that
/// bear it then would be taken for merged. So production commits no id before staging's log has it.
///
/// A class, for its session is opened when it is needed first, and again when it is lost.
final class StagingLog {
  private let session: Session
  private var connection: Connection?

  /// - Parameter session: leads to staging's server, if that is another one.
  init(_ session: Session) { self.session = session }

  /// Waits until the server remembers all ids that it has given out so far, on a session of its own: that of an id has its transaction open
  /// still. Does nothing where staging is in production's database.
  func flush() throws(PostgresError) {
    guard let target = session.stagingTarget else { return }
    let connection: Connection
    if let open = self.connection, !open.isBroken {
      connection = open
    } else {
      connection = try session.connect(target, role: "log")
      self.connection = connection
    }
    try Self.flush(on: connection)
  }

  private static let operation = "waiting for staging's server to write its log"

  /// The same on a session that has no transaction open.
  ///
  /// A transaction that has written something, if only a message for nobody, waits for the disk when it commits, and so does all that was
  /// written before it.
  static func flush(on connection: Connection) throws(PostgresError) {
    guard !connection.isStandby else { return }
    do throws(PostgresError) {
      _ = try connection.query(
        "SELECT set_config('synchronous_commit', 'local', true), pg_logical_emit_message(true, 'merge-engine', '')",
        operation
      )
    } catch {
      guard error.sqlState == .insufficientPrivilege else { throw error }
      try waitForLogWriter(connection)
    }
  }

  /// The same where nobody may write messages.
  private static func waitForLogWriter(_ connection: Connection) throws(PostgresError) {
    // Whoever has an id of its own commits, so that the log's writer has something to write up to.
    let limit = try connection.query(
      """
      SELECT CASE WHEN pg_current_xact_id() IS NOT NULL THEN (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint END
      """,
      operation
    ).integer(0, 0)
    while try connection.query(
      "SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint < $1",
      [.bigint(limit)],
      operation
    ).bool(0, 0) == true {
      // The log's writer wakes five times a second.
      Thread.sleep(forTimeInterval: 0.02)
    }
  }
}
