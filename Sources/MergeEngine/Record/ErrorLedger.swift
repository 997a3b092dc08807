import Libpq

/// The way back for refused rows of staging: noted as tried again, and read by the next merge.
struct ErrorLedger {
  let admin: Identifier

  /// Has refused rows read again.
  ///
  /// - Parameters:
  ///   - refusals: which of them; all of the table.
  ///   - runID: who asks: a run that reads them itself, and so no longer counts them where it refused them; nil for a command.
  /// - Returns: where the rows lie now: one whose status is kept true is a new row.
  @discardableResult
  func reopen(
    _ refusals: [RefusalStanding.Refusal],
    of table: TablePlan,
    _ source: StagingSource,
    runID: Int?,
    production: Connection,
    staging: Connection
  ) throws(PostgresError) -> [UInt64] {
    guard !refusals.isEmpty else { return [] }
    let operation = "marking refused rows of \(table.staging) to be read again"
    let connections = WorkerConnections(production: production, staging: staging)
    try connections.execute("BEGIN", operation)
    var addresses = refusals.map(\.address)
    if table.writing.marksRows {
      // A changed row is a new one by itself; that the ledger has its old address reopened too does no harm.
      let moved = try staging.query(
        """
        UPDATE \(table.staging) AS s SET \(TablePlanner.statusColumn) = 'NEW'
        WHERE \(SQL.rows(at: addresses))
        RETURNING s.ctid::text
        """,
        operation
      )
      addresses = (0..<moved.count).compactMap { moved.text($0, 0).flatMap { TupleAddress(text: $0)?.packed } }
    }
    _ = try production.query(
      """
      WITH retried AS (
        UPDATE \(admin).merge_errors
        SET retried_at = clock_timestamp() AT TIME ZONE 'UTC', dismissed_at = NULL, dismissed_because = NULL
        WHERE id = ANY ($1::text[]::bigint[])
        RETURNING run_id
      )
      UPDATE \(admin).merge_logs AS l
      SET records_error = l.records_error - r.count, records_read = l.records_read - r.count
      FROM (SELECT count(*) FROM retried WHERE run_id = $2) AS r
      WHERE l.run_id = $2 AND l.table_name = $3 AND l.production_schema = $4 AND r.count > 0
      """,
      [
        .textArray(refusals.map { "\($0.id)" }), .bigint(runID), .text(table.plainName),
        .text(table.production.schema.name),
      ],
      operation
    )
    try ProgressTable(admin: admin).reopen(refusals.map(\.address), of: table, source, runID: runID, production)
    // A crash in between leaves rows unread that are still on record as refused, which costs a look.
    try connections.commitStagingFirst(operation)
    return addresses
  }
}
