import Libpq

/// The other production tables that a staging table was merged into, and whether one of them needs it still.
struct OtherTargets {
  let admin: Identifier
  let production: Connection
  let staging: Connection

  /// Why staging must stay for another table: a rollback has released rows there, or some stand refused. Rows that were never read for it
  /// are no reason.
  ///
  /// - Parameter table: whom staging is emptied for, as staging was looked at for it.
  func reason(toKeep table: TablePlan) throws -> String? {
    guard let source = table.reading.state.source else { return nil }
    for other in try targets(besides: table, source) {
      let count = try owedCount(to: table.merged(into: other.name, oid: other.oid), source)
      guard count > 0 else { continue }
      return
        "\(count.rows) of it \(count == 1 ? "waits" : "wait") to be merged into \(other.name) once more, into which a run on record has "
        + "merged it as well (refused there, or taken back)"
    }
    return nil
  }

  /// The tables that are there and into which the same content of staging was merged.
  private func targets(besides table: TablePlan, _ source: StagingSource) throws(PostgresError)
    -> [(name: QualifiedName, oid: UInt32)]
  {
    let rows = try production.query(
      """
      SELECT DISTINCT n.nspname::text, c.relname::text, c.oid FROM \(admin).merge_progress AS g
      JOIN pg_class c ON c.oid::bigint = g.production_oid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE g.source = ANY ($1) AND g.production_oid <> $2 AND c.relkind IN ('r', 'p')
        AND (g.file_node IS NULL OR g.file_node = $3) ORDER BY 1, 2
      """,
      [.textArray(source.identities), .bigint(Int(table.productionOid)), .bigint(source.fileNode)],
      "looking for other tables that \(table.staging) was merged into"
    )
    return (0..<rows.count).map { row in
      (
        QualifiedName(schema: rows.text(row, 0) ?? "", name: rows.text(row, 1) ?? ""),
        UInt32(rows.integer(row, 2) ?? 0)
      )
    }
  }

  /// How many rows a table was given once and is to be given again.
  private func owedCount(to table: TablePlan, _ source: StagingSource) throws -> Int {
    var reader = StagingReader(admin: admin, production: production, staging: staging)
    reader.underAnyRules = true
    var table = table
    table.reading.state = try reader.look(at: table, isToBeMerged: false).state
    let isUnread = ClaimSQL.isWanted(table, in: .everything)
    let released = table.reading.state.coverage.reopenedAddresses
    let releasedCount = released.isEmpty ? 0 : try count("\(SQL.rows(at: released)) AND \(isUnread)", of: table)
    let known = releasedCount + table.reading.state.refused.count
    guard known == 0, table.hasStatusColumn, try hasLost(table, source) else { return known }
    return try count(isUnread, of: table)
  }

  /// Whether rows stand refused for a table that lie elsewhere by now, or its last run was taken back: marks of other tables' runs have
  /// moved them, and no record knows any more which of the unread rows they are.
  private func hasLost(_ table: TablePlan, _ source: StagingSource) throws(PostgresError) -> Bool {
    try production.query(
      """
      SELECT EXISTS (SELECT FROM \(admin).merge_errors AS e
                     WHERE e.staging_source = ANY ($1) AND e.production_oid = $2 AND e.staging_xmin IS NOT NULL
                       AND e.retried_at IS NULL AND e.dismissed_at IS NULL)
             OR coalesce((SELECT starts_with(r.status, 'ROLLED BACK') FROM \(admin).merge_progress AS g
                          JOIN \(admin).merge_summary AS r ON r.id = g.run_id
                          WHERE g.source = ANY ($1) AND g.production_oid = $2 ORDER BY g.id DESC LIMIT 1), false)
      """,
      [.textArray(source.identities), .bigint(Int(table.productionOid))],
      "looking for what \(table.staging) is needed for still"
    ).bool(0, 0) == true
  }

  private func count(_ condition: SQL, of table: TablePlan) throws(PostgresError) -> Int {
    try staging.query("SELECT count(*) FROM \(table.staging) AS s WHERE \(condition)", "counting \(table.staging)")
      .integer(0, 0) ?? 0
  }
}
