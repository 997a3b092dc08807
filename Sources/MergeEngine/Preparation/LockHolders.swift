import Libpq

/// Sessions that keep a merge's tables from being read or written at all, as VACUUM FULL, TRUNCATE and ALTER TABLE do.
struct LockHolders {
  let schemas: Schemas
  /// To the database in which a lock was not granted.
  let connection: Connection

  /// What to report after a wait without success.
  func findings(_ error: PostgresError) throws(PostgresError) -> [Finding] {
    let rows = try connection.query(
      """
      SELECT c.relname::text, n.nspname::text, l.pid, l.mode,
             CASE WHEN a.application_name <> '' THEN a.application_name ELSE 'without a name' END, coalesce(a.usename::text, 'unknown')
      FROM pg_locks l
      JOIN pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p')
      JOIN pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_stat_activity a ON a.pid = l.pid
      WHERE l.granted AND l.locktype = 'relation' AND l.pid <> pg_backend_pid()
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
        AND n.nspname = ANY ($1::text[])
      ORDER BY n.nspname, c.relname, l.pid LIMIT 10
      """,
      [.textArray(schemas.allStaging + schemas.allProduction + [schemas.admin])],
      "looking for the sessions that hold locks"
    )
    guard rows.count > 0 else {
      return [.blocker(.lockHeld, nil, "a lock was not granted, \(error). Run the same command again.")]
    }
    return (0..<rows.count).map { row in
      let table = QualifiedName(schema: rows.text(row, 1) ?? "", name: rows.text(row, 0) ?? "")
      let process = rows.integer(row, 2) ?? 0
      return .blocker(
        .lockHeld,
        table.name.name,
        "process \(process) (\(rows.text(row, 4) ?? ""), role \(rows.text(row, 5) ?? "")) has locked \(table) "
          + "(\(rows.text(row, 3) ?? "")) for longer than the merge waits. Let it finish and run the same command again, or end "
          + "it: SELECT pg_terminate_backend(\(process))"
      )
    }
  }
}
