import Libpq

/// Adds a batch's counts to its table's row in `merge_logs`, as the last statement of the batch's transaction.
///
/// Counts commit with the rows they count: after a crash the log says exactly what was merged. Last, because all
/// workers of a table meet at this row's lock, and then hold it only for the commit.
struct BatchRecord {
  private let statement: PreparedStatement
  private let connection: Connection

  init(_ plan: TablePlan, logID: Int, admin: Identifier, name: String, _ connection: Connection) throws(PostgresError) {
    self.connection = connection
    statement = try connection.prepare(
      name,
      """
      UPDATE \(admin).merge_logs
      SET merge_time = clock_timestamp() AT TIME ZONE 'UTC',
          records_read = records_read + $1, records_inserted = records_inserted + $2,
          records_updated = records_updated + $3, records_unchanged = records_unchanged + $4,
          records_stale = records_stale + $5, records_duplicate = records_duplicate + $6,
          records_error = records_error + $7, lost_races = lost_races + $8, batches = batches + 1
      WHERE id = \(logID)
      """,
      parameterTypes: [UInt32](repeating: 20, count: 8),
      "recording the counts of \(plan.production)"
    )
  }

  func add(_ counts: VerdictCounts) throws(PostgresError) {
    _ = try connection.execute(
      statement,
      [
        .bigint(counts.read), .bigint(counts.inserted), .bigint(counts.updated), .bigint(counts.unchanged),
        .bigint(counts.stale), .bigint(counts.duplicate), .bigint(counts.errors), .bigint(counts.lostRaces),
      ]
    )
  }
}
