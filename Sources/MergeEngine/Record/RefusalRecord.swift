import Libpq

/// Writes refused staging rows into `merge_errors`, in the batch's own transaction.
struct RefusalRecord {
  let plan: TablePlan
  let runID: Int
  let admin: Identifier
  let connections: WorkerConnections

  /// Records the staging row at `address` with the server's reason.
  ///
  /// Key and row are written as JSON by the server that holds staging, so that every type appears in its own text, and in the
  /// same whatever the session's settings: a row is found again by its key when its address is no more. A
  /// row that does not fit into jsonb (json with \u0000, more than 256 MB) is recorded as one string, and failing that
  /// without its data.
  func write(_ address: UInt64, _ error: PostgresError) throws {
    for form in [RefusalSQL.RowForm.object, .string] {
      do {
        return try Savepoint.attempt(on: connections.staging) {
          guard connections.staging !== connections.production else { return try insert(address, error, form: form) }
          try Savepoint.attempt(on: connections.production) { try insert(address, error, form: form) }
        }
      } catch let failure as PostgresError where failure.refusesRow {
        continue
      }
    }
    try insert(address, error, form: .nothing)
  }

  private func insert(_ address: UInt64, _ error: PostgresError, form: RefusalSQL.RowForm) throws(PostgresError) {
    let staging = connections.staging
    let row = try LocalSettings.reading(under: LocalSettings.exactText, on: staging) { () throws(PostgresError) in
      try staging.query(
        RefusalSQL.read(plan, TupleAddress(address), form: form),
        "reading a refused row of \(plan.staging)"
      )
    }
    // Somebody may have changed or deleted it since it was read: then its reason is recorded, and the row is none any more.
    let isThere = row.count == 1
    _ = try connections.production.query(
      RefusalSQL.insert(admin),
      [
        .bigint(runID), .text(plan.plainName), .text(isThere ? row.text(0, 0) : nil), .text(error.sqlState?.code),
        .text(error.message), .text(error.detail), .text(isThere ? row.text(0, 1) : nil),
        .text(plan.snapshot?.snapshotID), .bigint(isThere ? row.integer(0, 2) : nil),
        .text(plan.snapshot == nil ? plan.reading.source?.identity : nil),
        .bigint(plan.snapshot == nil ? plan.reading.source?.fileNode : nil),
        .text(TupleAddress(address).description), .bigint(isThere && plan.snapshot == nil ? row.integer(0, 3) : nil),
        .text(plan.snapshot == nil ? plan.staging.schema.name : nil), .text(plan.production.schema.name),
      ],
      "recording a refused row of \(plan.staging)"
    )
  }
}

/// The statements behind ``RefusalRecord``.
enum RefusalSQL {
  /// What a refused row is recorded as.
  enum RowForm {
    case object, string, nothing
  }

  /// The row's key and all of it, as JSON, its number in the snapshot's file it came from, if it did, and its transaction.
  static func read(_ plan: TablePlan, _ address: TupleAddress, form: RowForm) -> SQL {
    let own = [TablePlanner.statusColumn, SnapshotTablePlan.rowColumn].map { " - \(Literal($0.name))" as SQL }.joined(
      ""
    )
    let row: SQL =
      switch form {
      case .object: "(to_jsonb(s)\(own))::text"
      case .string: "to_jsonb(s::text)::text"
      case .nothing: "NULL::text"
      }
    let key = plan.keyColumns.map { "\(Literal($0.name.name)), s.\($0.stagedName)" as SQL }.joined(", ")
    let number: SQL = plan.snapshot == nil ? "NULL::bigint" : "s.\(SnapshotTablePlan.rowColumn)"
    let isSame: SQL = plan.snapshot == nil ? plan.reading.horizon.map { " AND \($0.hasSeen())" } ?? "" : ""
    return """
      SELECT jsonb_build_object(\(key))::text, \(row), \(number), s.xmin::text::bigint
      FROM \(plan.batchSource) AS s WHERE s.ctid = \(address)\(isSame)
      """
  }

  static func insert(_ admin: Identifier) -> SQL {
    """
    INSERT INTO \(admin).merge_errors
      (run_id, table_name, row_key, sqlstate, message, detail, row_data, snapshot_id, snapshot_row, staging_source,
       staging_file_node, staging_address, staging_xmin, staging_schema, production_schema, failed_at)
    VALUES ($1, $2, $3::text::jsonb, $4, $5, $6, $7::text::jsonb, $8, $9, $10, $11, $12::text::tid, $13, $14, $15,
            clock_timestamp() AT TIME ZONE 'UTC')
    """
  }
}
