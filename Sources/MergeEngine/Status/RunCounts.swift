import Libpq

/// What the batches of the latest run have committed, by table.
struct RunCounts {
  let id: Int
  let isRunning: Bool
  /// Whether its rows come from files, so that staging is left as it is.
  let isReplay: Bool
  let tables: [String: VerdictCounts]

  /// - Returns: nil when there was no run.
  static func latest(_ connection: Connection, _ schemas: Schemas) throws(PostgresError) -> RunCounts? {
    guard try AdminSchema(schemas: schemas).columns(connection).isSuperset(of: AdminSchema.runColumns) else {
      return nil
    }
    let admin = Identifier(schemas.admin)
    let rows = try connection.query(
      """
      SELECT r.id, r.status = 'RUNNING', coalesce(r.parameters ? 'snapshot', false), \(PairSQL(schemas: schemas).tableName("l")), \(VerdictCounts.columns)
      FROM (SELECT * FROM \(admin).merge_summary AS r WHERE \(PairSQL(schemas: schemas).ownsRun("r"))
            ORDER BY id DESC LIMIT 1) AS r
      LEFT JOIN \(admin).merge_logs l ON l.run_id = r.id AND \(PairSQL(schemas: schemas).owns("l"))
      """,
      "reading the counts of the latest run"
    )
    guard rows.count > 0 else { return nil }
    var tables: [String: VerdictCounts] = [:]
    for row in 0..<rows.count {
      guard let table = rows.text(row, 3) else { continue }
      tables[table] = VerdictCounts(rows, row, from: 4)
    }
    return RunCounts(
      id: rows.integer(0, 0) ?? 0,
      isRunning: rows.bool(0, 1) ?? false,
      isReplay: rows.bool(0, 2) ?? false,
      tables: tables
    )
  }
}
