import Libpq
import Logging

/// Opens connections whose settings cannot change what a statement means.
struct Session: Sendable {
  let target: ConnectionTarget
  let schemas: Schemas
  let timeZone: String
  let lockTimeoutMilliseconds: Int
  let logger: Logger

  /// The oldest server that the statements work on: TID range scans came with 14.
  static let oldestServerVersion = 140_000

  /// - Parameter role: what the connection does, as `worker 2`, for `pg_stat_activity`.
  func connect(role: String) throws(PostgresError) -> Connection {
    let logger = logger
    let connection = try Connection(to: target, applicationName: "merge-engine \(role)") { notice in
      logger.debug("\(notice.severity): \(notice.message)", metadata: ["sqlstate": "\(notice.sqlState)"])
    }
    guard connection.serverVersionNumber >= Self.oldestServerVersion else {
      throw PostgresError(
        .connecting,
        message: "the server is PostgreSQL \(connection.serverVersionNumber / 10_000); 14 or later is needed",
        operation: "connecting to \(target)"
      )
    }
    try pin(connection)
    return connection
  }

  /// The connection that a command asks its questions on and that a run is recorded on.
  func connectControl() throws(PostgresError) -> Connection {
    try connect(role: "control")
  }

  private func pin(_ connection: Connection) throws(PostgresError) {
    try connection.execute(
      """
      SET search_path = \(Identifier(schemas.production)), public, pg_temp;
      SET TimeZone = \(Literal(timeZone));
      SET DateStyle = 'ISO, MDY';
      SET IntervalStyle = 'postgres';
      SET extra_float_digits = 1;
      SET standard_conforming_strings = on;
      SET xmloption = content;
      SET client_min_messages = warning;
      SET default_transaction_isolation = 'read committed';
      SET row_security = off;
      SET statement_timeout = 0;
      SET idle_in_transaction_session_timeout = 0;
      SET lock_timeout = \(lockTimeoutMilliseconds);
      """,
      "setting up the session"
    )
  }
}
