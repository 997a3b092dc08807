import Libpq

/// The refused rows in `merge_errors`, and the way back to NEW.
struct ErrorLedger {
  let admin: Identifier

  /// Which of a table's refused rows are meant.
  struct Selection {
    var runID: Int?
    var sqlState: SQLState?
    /// The snapshot that the rows came from; nil for rows of staging.
    var snapshotID: String?

    fileprivate func parameters(_ table: TablePlan) -> [Parameter] {
      [.bigint(runID), .text(sqlState?.code), .text(table.name), .text(snapshotID)]
    }
  }

  private static let condition: SQL = """
    table_name = $3 AND retried_at IS NULL
    AND ($1::bigint IS NULL OR run_id = $1) AND ($2::text IS NULL OR sqlstate = $2)
    AND snapshot_id IS NOT DISTINCT FROM $4
    """

  /// How many rows are selected.
  func count(_ selection: Selection, of table: TablePlan, _ production: Connection) throws(PostgresError) -> Int {
    let result = try production.query(
      "SELECT count(*) FROM \(admin).merge_errors WHERE \(Self.condition)",
      selection.parameters(table),
      "counting the refused rows of \(table.name)"
    )
    return result.integer(0, 0) ?? 0
  }

  /// Sets the selected staging rows back to NEW, and notes in `merge_errors` that they are tried again.
  ///
  /// - Parameters:
  ///   - uncounts: the run that refused them no longer counts them, since the same run reads them again.
  /// - Returns: how many staging rows are NEW again.
  @discardableResult
  func release(
    _ selection: Selection,
    of table: TablePlan,
    uncounts: Bool,
    production: Connection,
    staging: Connection
  ) throws(PostgresError) -> Int {
    let operation = "setting the refused rows of \(table.staging) back to NEW"
    let connections = WorkerConnections(production: production, staging: staging)
    try connections.execute("BEGIN", operation)
    let keys = try production.query(
      """
      WITH retried AS (
        UPDATE \(admin).merge_errors SET retried_at = clock_timestamp() AT TIME ZONE 'UTC'
        WHERE \(Self.condition)
        RETURNING run_id, row_key
      ), uncounted AS (
        UPDATE \(admin).merge_logs AS l
        SET records_error = l.records_error - r.count, records_read = l.records_read - r.count
        FROM (SELECT run_id, count(*) FROM retried GROUP BY run_id) AS r
        WHERE $5 AND l.run_id = r.run_id AND l.table_name = $3
      )
      SELECT coalesce(array_to_json(array_agg(DISTINCT row_key))::text, '[]') FROM retried
      """,
      selection.parameters(table) + [.bool(uncounts)],
      operation
    )
    let key = table.keyColumns.map { "\(Literal($0.name.name)), s.\($0.name)" as SQL }.joined(", ")
    let status = TablePlanner.statusColumn
    let released = try staging.query(
      """
      UPDATE \(table.staging) AS s SET \(status) = 'NEW'
      FROM jsonb_array_elements($1::text::jsonb) AS k (key)
      WHERE s.\(status) = 'ERROR' AND jsonb_build_object(\(key)) = k.key
      """,
      [.text(keys.text(0, 0))],
      operation
    )
    try connections.commitStagingFirst(operation)
    return released.affectedRowCount
  }
}
