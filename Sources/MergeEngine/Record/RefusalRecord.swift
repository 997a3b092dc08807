import Libpq

/// Writes refused staging rows into `merge_errors` and marks them ERROR, in the batch's own transaction.
struct RefusalRecord {
  let plan: TablePlan
  let runID: Int
  let admin: Identifier
  let connection: Connection

  /// Records the staging row at `address` with the server's reason.
  ///
  /// Key and row are taken from staging by the server, so that every type appears in its own text.
  func write(_ address: UInt64, _ error: PostgresError) throws(PostgresError) {
    _ = try connection.query(
      RefusalSQL.record(plan, admin, TupleAddress(address)),
      [
        .bigint(runID), .text(plan.name), .text(error.sqlState?.code), .text(error.message), .text(error.detail),
      ],
      "recording a refused row of \(plan.staging)"
    )
  }
}

/// The statement behind ``RefusalRecord``.
enum RefusalSQL {
  static func record(_ plan: TablePlan, _ admin: Identifier, _ address: TupleAddress) -> SQL {
    let status = TablePlanner.statusColumn
    let key = plan.keyColumns.map { "\(Literal($0.name.name)), s.\($0.name)" as SQL }.joined(", ")
    let source: SQL =
      plan.marksRows
      ? "UPDATE \(plan.staging) AS s SET \(status) = 'ERROR' WHERE s.ctid = \(address) RETURNING s.*"
      : "SELECT s.* FROM \(plan.staging) AS s WHERE s.ctid = \(address)"
    return """
      WITH s AS (\(source))
      INSERT INTO \(admin).merge_errors
        (run_id, table_name, row_key, sqlstate, message, detail, row_data, failed_at)
      SELECT $1, $2, jsonb_build_object(\(key)), $3, $4, $5, to_jsonb(s) - \(Literal(status.name)), clock_timestamp() AT TIME ZONE 'UTC'
      FROM s
      """
  }
}
