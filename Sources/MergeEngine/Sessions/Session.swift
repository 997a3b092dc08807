import Foundation
import Libpq
import Logging

/// Opens connections whose settings cannot change what a statement means.
struct Session: Sendable {
  /// Production, and the admin schema.
  let target: ConnectionTarget
  /// Staging, where it is in another database.
  var stagingTarget: ConnectionTarget?
  let schemas: Schemas
  var timeZone = "UTC"
  var lockTimeoutMilliseconds = 10_000
  /// How long a statement may take; 0 for ever.
  var statementTimeoutMilliseconds = 0
  /// The server refuses every write on these connections: for commands that only look.
  var isReadOnly = false
  /// How long a server may be silent beyond ``statementTimeoutMilliseconds``, which it sees to itself. Arbitrary.
  var silenceGraceSeconds = 15.0
  /// How long one may be silent that was asked to cancel. Arbitrary.
  var cancelGraceSeconds = 10.0
  let logger: Logger

  /// The oldest server that the statements work on: TID range scans came with 14.
  static let oldestServerVersion = 140_000

  /// The connection that a command asks its questions on and that a run is recorded on.
  func connectControl() throws(PostgresError) -> Connection {
    try connect(target, role: "control")
  }

  /// The connection for questions about staging: `control` itself, unless staging is in another database.
  func connectStagingControl(beside control: Connection) throws(PostgresError) -> Connection {
    guard let stagingTarget else { return control }
    return try connect(stagingTarget, role: "control")
  }

  /// - Parameter role: what the connection does, as `run 7 worker 2`, for `pg_stat_activity`.
  func connect(_ target: ConnectionTarget, role: String) throws(PostgresError) -> Connection {
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
    connection.cancelGraceSeconds = cancelGraceSeconds
    if statementTimeoutMilliseconds > 0 {
      // The server ends a long statement itself; only one that does not even manage that is given up from here.
      connection.answerTimeLimitSeconds = Double(statementTimeoutMilliseconds) / 1000 + silenceGraceSeconds
    }
    try pin(connection)
    try shortenSilence(connection)
    return connection
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
      SET statement_timeout = \(statementTimeoutMilliseconds);
      SET idle_in_transaction_session_timeout = 0;
      SET idle_session_timeout = 0;
      SET synchronous_commit = on;
      SET lock_timeout = \(lockTimeoutMilliseconds);
      """,
      "setting up the session"
    )
    if connection.serverVersionNumber >= 170_000 {
      try connection.execute("SET transaction_timeout = 0", "setting up the session")
    }
    // Never the other way: a role that is kept from writing is kept from it on purpose.
    if isReadOnly { try connection.execute("SET default_transaction_read_only = on", "setting up the session") }
  }

  /// Has the server notice within a minute that a client is gone without a word, in the middle of a statement too:
  /// until then the session holds its locks. Operating systems wait for two hours by themselves.
  private func shortenSilence(_ connection: Connection) throws(PostgresError) {
    do throws(PostgresError) {
      try connection.execute(
        """
        SET tcp_keepalives_idle = 30;
        SET tcp_keepalives_interval = 10;
        SET tcp_keepalives_count = 3;
        SET client_connection_check_interval = '10s';
        """,
        "setting up the session"
      )
    } catch {
      // Not every server's operating system can do all of it.
      guard error.origin == .server else { throw error }
    }
  }
}
