import Libpq

/// How many more connections a server would let a role have.
enum ConnectionRoom {
  /// As many workers as were asked for, or as there is room for; one at least, whom the server then refuses in its own words.
  static func workers(_ count: Int, beside connection: Connection) throws(PostgresError) -> Int {
    max(min(count, try free(connection)), 1)
  }

  /// The least of what is left by the role's own limit, the database's, and the server's, without the places that are kept
  /// for superusers and other privileged roles.
  ///
  /// - Parameter connection: a session of the role, in the database.
  static func free(_ connection: Connection) throws(PostgresError) -> Int {
    let row = try connection.query(
      """
      SELECT least(CASE WHEN r.rolconnlimit >= 0
                        THEN r.rolconnlimit - (SELECT count(*) FROM pg_stat_activity a
                                               WHERE a.usesysid = r.oid AND a.backend_type = 'client backend') END,
                   CASE WHEN d.datconnlimit >= 0
                        THEN d.datconnlimit - (SELECT count(*) FROM pg_stat_activity a
                                               WHERE a.datid = d.oid AND a.backend_type = 'client backend') END,
                   current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint
                     - coalesce(current_setting('reserved_connections', true)::bigint, 0)
                     - (SELECT count(*) FROM pg_stat_activity a WHERE a.backend_type = 'client backend'))::bigint
      FROM pg_roles r, pg_database d
      WHERE r.rolname = session_user AND d.datname = current_database()
      """,
      "counting the connections that are left"
    )
    return row.integer(0, 0) ?? 0
  }
}
