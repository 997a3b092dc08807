import Libpq

/// What the admin tables get of a repair: its counts, batch by batch, in the transactions of the rows.
///
/// Rows that were left alone count as stale, and those that the server refused as errors. Deleted rows are counted beside
/// the rows that were read, since no verdict of a merge is like them.
enum RepairRecord {
  /// Writes down the batches of one table on one connection.
  struct Writer {
    let table: QualifiedName
    let logID: Int
    let run: RunRecord
    let worker: Int
    let admin: Identifier
    let connection: Connection

    func add(_ outcomes: [RepairOutcome], elapsed: Duration) throws(PostgresError) {
      let counts = RepairRecord.counts(outcomes)
      guard counts != RepairRecord.Counts() else { return }
      _ = try connection.query(
        """
        WITH batch AS (
          INSERT INTO \(admin).merge_batches
            (run_id, table_name, worker, started_at, finished_at, records_read, records_inserted, records_updated,
             records_unchanged, records_stale, records_duplicate, records_error, lost_races, elapsed_ms, production_schema)
          SELECT \(run.id), \(Literal(table.name.name)), \(worker), now - $6 * interval '1 microsecond', now,
                 $1, $2, $3, 0, $4, 0, 0, 0, $6 / 1000, \(Literal(table.schema.name))
          FROM (SELECT clock_timestamp() AT TIME ZONE 'UTC' AS now) AS clock
        )
        UPDATE \(admin).merge_logs
        SET merge_time = clock_timestamp() AT TIME ZONE 'UTC',
            records_read = records_read + $1, records_inserted = records_inserted + $2,
            records_updated = records_updated + $3, records_stale = records_stale + $4,
            records_deleted = coalesce(records_deleted, 0) + $5, batches = batches + 1
        WHERE id = \(logID)
        """,
        [
          .bigint(counts.inserted + counts.updated + counts.left), .bigint(counts.inserted), .bigint(counts.updated),
          .bigint(counts.left), .bigint(counts.deleted), .bigint(Int(elapsed / .microseconds(1))),
        ],
        "recording the counts of \(table)"
      )
    }
  }

  private struct Counts: Equatable {
    var inserted = 0
    var updated = 0
    var deleted = 0
    var left = 0
  }

  /// Adds the rows that were left at the very end, since no other row has helped them.
  static func addLeft(
    _ reasons: [RepairOutcome.Reason],
    table: String,
    run: RunRecord,
    admin: Identifier,
    _ connection: Connection
  ) throws(PostgresError) {
    guard !reasons.isEmpty else { return }
    let refused = reasons.count { if case .refused = $0 { true } else { false } }
    _ = try connection.query(
      """
      UPDATE \(admin).merge_logs
      SET records_read = records_read + $1, records_error = records_error + $2, records_stale = records_stale + $1 - $2
      WHERE id = \(run.logIDs[table] ?? 0)
      """,
      [.bigint(reasons.count), .bigint(refused)],
      "recording the counts of \(table)"
    )
  }

  private static func counts(_ outcomes: [RepairOutcome]) -> Counts {
    var counts = Counts()
    for outcome in outcomes {
      switch outcome {
      case .inserted: counts.inserted += 1
      case .updated: counts.updated += 1
      case .deleted: counts.deleted += 1
      // Another try may end otherwise.
      case .left(let reason) where reason.dependsOnOtherRows: break
      case .left: counts.left += 1
      }
    }
    return counts
  }
}
