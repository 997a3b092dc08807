import Libpq

/// Sessions of others that are at work on a staging table.
struct StagingWriters {
  let table: QualifiedName
  let connection: Connection

  /// A session.
  struct Session {
    /// Its process, program and role.
    let description: String
    /// The locks that it holds on the table for writing; empty for a session that only calls itself DMS.
    let modes: String
  }

  /// What is asked about a table.
  static func query(_ table: QualifiedName) -> Query {
    Query(
      """
      SELECT a.pid, CASE WHEN a.application_name <> '' THEN a.application_name ELSE 'without a name' END, coalesce(a.usename::text, 'unknown'),
             coalesce(string_agg(DISTINCT l.mode, ', '), '')
      FROM pg_stat_activity a
      LEFT JOIN pg_locks l
        ON l.pid = a.pid AND l.granted AND l.locktype = 'relation'
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND l.relation = \(Literal(table.quoted))::regclass
       AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
      WHERE a.pid <> pg_backend_pid() AND a.datname = current_database()
        AND (a.backend_type = 'client backend' OR a.backend_type IS NULL AND a.usesysid IS NOT NULL)
        AND (l.pid IS NOT NULL
             OR (a.application_name ~* '(^|[^a-z])dms([^a-z]|$)' OR a.usename::text ~* '(^|[^a-z])dms([^a-z]|$)')
                AND coalesce(a.state <> 'idle', true))
      GROUP BY a.pid, a.application_name, a.usename
      ORDER BY a.pid
      """,
      "looking for other sessions that use \(table)"
    )
  }

  /// Sessions that hold a lock of writers on the table, or that call themselves DMS and are busy.
  ///
  /// A role without `pg_read_all_stats` sees neither state nor kind of other roles' sessions; those count as busy clients.
  /// VACUUM and ANALYZE hold a ShareUpdateExclusiveLock, CREATE INDEX a ShareLock: nobody writes rows with these.
  func sessions() throws(PostgresError) -> [Session] {
    let rows = try connection.query(Self.query(table))
    return (0..<rows.count).map { row in
      Session(
        description:
          "process \(rows.integer(row, 0) ?? 0) (\(rows.text(row, 1) ?? ""), role \(rows.text(row, 2) ?? ""))",
        modes: rows.text(row, 3) ?? ""
      )
    }
  }

  /// Who is writing now, in a sentence; nil if nobody is.
  func obstacle() throws(PostgresError) -> String? {
    let writers = try sessions().filter { !$0.modes.isEmpty }
    guard let first = writers.first else { return nil }
    return "\(first.description) is writing to \(table) now (\(first.modes))."
  }
}
