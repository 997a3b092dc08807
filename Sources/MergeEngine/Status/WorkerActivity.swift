import Libpq

/// What one worker of a merge is doing, as the server shows it.
package struct WorkerActivity: Sendable, Encodable {
  /// The run's id.
  package let runID: Int
  /// Its number within the run.
  package let worker: Int
  /// The server process.
  package let processID: Int
  /// The staging table that its batch reads; nil between two batches.
  package let table: String?
  /// What it is doing, in words; nil for a role that may not see it.
  package let activity: String?
  /// Rows that its COPY has carried so far; nil outside a COPY.
  package let copiedRowCount: Int?
  /// For how long its batch has been under way.
  package let batchSeconds: Double?
  /// What it waits for, as `Lock: transactionid`; nil when it works.
  package let waitsFor: String?
  /// The processes that hold what it waits for.
  package let blockedBy: [Int]

  private enum CodingKeys: String, CodingKey {
    case runID = "run_id"
    case worker
    case processID = "pid"
    case table, activity
    case copiedRowCount = "copied_rows"
    case batchSeconds = "batch_seconds"
    case waitsFor = "waits_for"
    case blockedBy = "blocked_by"
  }

  /// Reads the workers by their `application_name`.
  ///
  /// Asks for blockers only of those that wait for a lock: `pg_blocking_pids` stops the lock manager for a moment.
  ///
  /// Those of runs of other schemas are not told. Without records of runs there is none.
  static func read(_ connection: Connection, _ schemas: Schemas) throws(PostgresError) -> [WorkerActivity] {
    guard try AdminSchema(schemas: schemas).columns(connection).isSuperset(of: AdminSchema.runColumns) else {
      return []
    }
    let rows = try connection.query(
      """
      SELECT split_part(a.application_name, ' ', 3)::bigint, split_part(a.application_name, ' ', 5)::bigint, a.pid,
             (SELECT min(c.relname::text)
              FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE l.pid = a.pid AND l.locktype = 'relation' AND n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'p')),
             CASE
               WHEN a.state IS NULL THEN NULL
               WHEN a.state = 'idle' THEN 'between two batches'
               WHEN a.state LIKE 'idle in transaction%' THEN 'classifying'
               WHEN p.command = 'COPY TO' THEN 'reading staging'
               WHEN p.command = 'COPY FROM' AND t.relpersistence = 't' THEN 'sending updates'
               WHEN p.command = 'COPY FROM' THEN 'inserting'
               WHEN a.query ILIKE 'COMMIT%' THEN 'committing'
               WHEN a.query ILIKE 'UPDATE%' OR a.query ILIKE 'WITH written AS (UPDATE%'
                    OR a.query ILIKE 'WITH locked AS%' THEN 'updating'
               WHEN a.query ILIKE 'COPY%' THEN 'reading staging'
               WHEN a.query ILIKE 'INSERT%' OR a.query ILIKE 'WITH written AS (INSERT%' THEN 'inserting'
               WHEN a.query ILIKE 'WITH%' OR a.query ILIKE 'SELECT%' THEN 'looking up'
               ELSE 'working'
             END,
             p.tuples_processed, extract(epoch FROM clock_timestamp() - a.xact_start)::float8,
             CASE WHEN a.state = 'active' AND a.wait_event_type NOT IN ('Client', 'Activity')
                  THEN a.wait_event_type || ': ' || a.wait_event END,
             CASE WHEN a.wait_event_type = 'Lock' THEN array_to_json(pg_blocking_pids(a.pid))::text END
      FROM pg_stat_activity a
      LEFT JOIN pg_stat_progress_copy p ON p.pid = a.pid
      LEFT JOIN pg_class t ON t.oid = p.relid
      WHERE a.datname = current_database() AND a.application_name ~ '^merge-engine run [0-9]{1,9} worker [0-9]{1,9}$'
        AND EXISTS (SELECT FROM \(Identifier(schemas.admin)).merge_summary AS r
                    WHERE r.id::text = split_part(a.application_name, ' ', 3) AND \(PairSQL(schemas: schemas).ownsRun("r")))
      ORDER BY 1, 2
      """,
      [.textArray(schemas.allStaging)],
      "looking at the workers"
    )
    return (0..<rows.count).map { row in
      WorkerActivity(
        runID: rows.integer(row, 0) ?? 0,
        worker: rows.integer(row, 1) ?? 0,
        processID: rows.integer(row, 2) ?? 0,
        table: rows.text(row, 3),
        activity: rows.text(row, 4),
        copiedRowCount: rows.integer(row, 5),
        batchSeconds: rows.double(row, 6),
        waitsFor: rows.text(row, 7),
        blockedBy: JSONText.decode([Int].self, rows.text(row, 8)) ?? []
      )
    }
  }
}
