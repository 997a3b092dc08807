import Libpq

/// Adds a batch to `merge_batches`, and its counts to its table's row in `merge_logs`, as the last statement of the
/// batch's transaction.
///
/// Counts commit with the rows they count: after a crash the log says exactly what was merged. Last, because all
/// workers of a table meet at this row's lock, and then hold it only for the commit.
struct BatchRecord {
  private let statement: PreparedStatement
  private let connection: Connection

  /// - Parameters:
  ///   - worker: its number within the run.
  ///   - name: the prepared statement's.
  init(
    _ plan: TablePlan,
    run: RunRecord,
    worker: Int,
    admin: Identifier,
    name: String,
    _ connection: Connection
  ) throws(PostgresError) {
    self.connection = connection
    // One statement, so that a record of each batch costs no further trip to the server. The start is told by the time
    // it took: with --atomic the transaction began with the first batch.
    statement = try connection.prepare(
      name,
      """
      WITH batch AS (
        INSERT INTO \(admin).merge_batches
          (run_id, table_name, worker, started_at, finished_at, records_read, records_inserted, records_updated,
           records_unchanged, records_stale, records_duplicate, records_error, lost_races, elapsed_ms)
        SELECT \(run.id), \(Literal(plan.name)), \(worker), now - $9 * interval '1 microsecond', now,
               $1, $2, $3, $4, $5, $6, $7, $8, $9 / 1000
        FROM (SELECT clock_timestamp() AT TIME ZONE 'UTC' AS now) AS clock
      )
      UPDATE \(admin).merge_logs
      SET merge_time = clock_timestamp() AT TIME ZONE 'UTC',
          records_read = records_read + $1, records_inserted = records_inserted + $2,
          records_updated = records_updated + $3, records_unchanged = records_unchanged + $4,
          records_stale = records_stale + $5, records_duplicate = records_duplicate + $6,
          records_error = records_error + $7, lost_races = lost_races + $8, batches = batches + 1
      WHERE id = \(run.logIDs[plan.name] ?? 0)
      """,
      parameterTypes: [UInt32](repeating: TypeOID.int8, count: 9),
      "recording the counts of \(plan.production)"
    )
  }

  /// - Parameter elapsed: since the batch was begun.
  func add(_ counts: VerdictCounts, elapsed: Duration) throws(PostgresError) {
    _ = try connection.execute(
      statement,
      [
        .bigint(counts.read), .bigint(counts.inserted), .bigint(counts.updated), .bigint(counts.unchanged),
        .bigint(counts.stale), .bigint(counts.duplicate), .bigint(counts.errors), .bigint(counts.lostRaces),
        .bigint(Int(elapsed / .microseconds(1))),
      ]
    )
  }
}
