import Libpq

/// Staging rows that go on counting as merged, though a rollback takes back what they stand for: runs have found them in production
/// as the run had written them, and a rollback has the rows of one staging table read again, or of none.
struct StillMerged {
  let record: RollbackRecord
  /// To production's database.
  let connection: Connection

  /// - Parameter staging: the table whose rows are read again; nil where none is, as after a repair.
  /// - Returns: what is to be said of a table of which something is taken back.
  func warnings(_ table: RollbackTable, besides staging: TablePlan?) throws(PostgresError) -> [String] {
    let isRepair = try record.isRepair(connection)
    // Why the rows of a staging table can't be found is told already.
    guard isRepair || staging != nil else { return [] }
    let isElsewhere = StagingSource.isElsewhere("g.source")
    let rows = try connection.query(
      """
      SELECT DISTINCT CASE WHEN c.oid IS NULL THEN array_to_string(parse_ident(g.staging), '.')
                           ELSE concat(n.nspname, '.', c.relname) END
      FROM \(record.admin).merge_progress AS g
      LEFT JOIN pg_class c ON c.oid::text = split_part(g.source, ' ', 2) AND NOT \(isElsewhere)
      LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE g.production_oid = \(table.entry.productionOid) AND g.run_id \(isRepair ? ">" : ">=" as SQL) \(record.runID)
        AND g.superseded_at IS NULL AND g.reopened IS NULL AND g.settled IS NULL AND NOT starts_with(g.source, 'snapshot ')
        AND g.source <> ALL ($1) AND g.staging <> $2
        -- One that was dropped or emptied since has none of them.
        AND (\(isElsewhere) OR pg_relation_size(c.oid) > 0)
      ORDER BY 1
      """,
      [
        .textArray(staging?.reading.state.source?.identities ?? []), .text(staging?.staging.quoted ?? ""),
      ],
      "looking for what else was merged into \(table.production)"
    )
    return try ofOtherLedgers(table)
      + (0..<rows.count).map { row in
        "rows of \(rows.text(row, 0) ?? "") that were found in \(table.production) as run \(record.runID) had written them still count as "
          + "merged: only merge --again brings back what is taken back of them."
      }
  }

  /// Runs with another admin schema keep a ledger of their own, which hears nothing of the rollback.
  private func ofOtherLedgers(_ table: RollbackTable) throws(PostgresError) -> [String] {
    let ledgers = try connection.query(
      """
      SELECT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relname = 'merge_progress' AND c.relkind IN ('r', 'p') AND n.nspname <> \(Literal(record.admin.name))
        AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
        AND 2 = (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname IN ('production_oid', 'superseded_at')
                                                       AND NOT a.attisdropped)
      ORDER BY 1
      """,
      "looking for other admin schemas"
    )
    var warnings: [String] = []
    for admin in (0..<ledgers.count).compactMap({ ledgers.text($0, 0) }) {
      let hasMerged = try connection.query(
        """
        SELECT EXISTS (SELECT FROM \(Identifier(admin)).merge_progress AS g
                       WHERE g.production_oid = \(table.entry.productionOid) AND g.superseded_at IS NULL)
        """,
        "looking for what else was merged into \(table.production)"
      )
      guard hasMerged.bool(0, 0) == true else { continue }
      warnings.append(
        "runs with --admin-schema \(admin) have merged into \(table.production), too, and their ledger hears nothing of this rollback: what they "
          + "found there counts as merged, and cleanup may truncate it. merge --again --admin-schema \(admin) compares it anew."
      )
    }
    return warnings
  }
}
