import Libpq

/// Writes refused staging rows into `merge_errors` and marks them ERROR, in the batch's own transaction.
struct RefusalRecord {
  let plan: TablePlan
  let runID: Int
  let admin: Identifier
  let connections: WorkerConnections

  /// Records the staging row at `address` with the server's reason.
  ///
  /// Key and row are written as JSON by the server that holds staging, so that every type appears in its own text.
  func write(_ address: UInt64, _ error: PostgresError) throws(PostgresError) {
    let row = try connections.staging.query(
      RefusalSQL.takeOut(plan, TupleAddress(address)),
      "marking a refused row of \(plan.staging)"
    )
    guard row.count == 1 else { return }
    _ = try connections.production.query(
      RefusalSQL.insert(admin),
      [
        .bigint(runID), .text(plan.name), .text(row.text(0, 0)), .text(error.sqlState?.code), .text(error.message),
        .text(error.detail), .text(row.text(0, 1)),
      ],
      "recording a refused row of \(plan.staging)"
    )
  }
}

/// The statements behind ``RefusalRecord``.
enum RefusalSQL {
  /// The row's key and all of it, as JSON.
  static func takeOut(_ plan: TablePlan, _ address: TupleAddress) -> SQL {
    let status = TablePlanner.statusColumn
    let key = plan.keyColumns.map { "\(Literal($0.name.name)), s.\($0.name)" as SQL }.joined(", ")
    let outputs: SQL = "jsonb_build_object(\(key))::text, (to_jsonb(s) - \(Literal(status.name)))::text"
    return plan.marksRows
      ? "UPDATE \(plan.staging) AS s SET \(status) = 'ERROR' WHERE s.ctid = \(address) RETURNING \(outputs)"
      : "SELECT \(outputs) FROM \(plan.staging) AS s WHERE s.ctid = \(address)"
  }

  static func insert(_ admin: Identifier) -> SQL {
    """
    INSERT INTO \(admin).merge_errors
      (run_id, table_name, row_key, sqlstate, message, detail, row_data, failed_at)
    VALUES ($1, $2, $3::text::jsonb, $4, $5, $6, $7::text::jsonb, clock_timestamp() AT TIME ZONE 'UTC')
    """
  }
}
