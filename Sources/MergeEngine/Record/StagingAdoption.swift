import Libpq

/// Takes over staging that an earlier version has marked, or the guide's own procedure: PROCESSED rows count as merged, ERROR
/// as refused.
///
/// Only where the ledger has never heard of a table, since from then on the status column is output; what was merged into another
/// production table says nothing of this one. Marks of another ledger can't be told from those of an earlier version: so production
/// is asked whether it has what they say.
struct StagingAdoption {
  let admin: Identifier
  let production: Connection
  let staging: Connection

  /// What an earlier version has left.
  struct Adopted {
    /// The transactions that made the marks.
    let horizon: Horizon
    /// Rows of the same transactions that are not marked as merged or refused.
    let unmerged: [UInt64]
    /// Rows that are marked as refused, in order.
    let refused: [UInt64]
  }

  /// - Returns: nil where there is nothing to adopt.
  ///
  /// - Parameter hasLedger: `merge_progress` is there.
  func adopted(of table: TablePlan, _ source: StagingSource, hasLedger: Bool) throws(PostgresError) -> Adopted? {
    guard table.hasStatusColumn else { return nil }
    if hasLedger, try !isUnheardOf(table, source) { return nil }
    let rows = try staging.query(
      """
      SELECT DISTINCT s.xmin::text::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint
      FROM \(table.staging) AS s WHERE s.\(TablePlanner.statusColumn) IN ('PROCESSED', 'ERROR')
      """,
      "looking for rows of \(table.staging) that an earlier version has merged"
    )
    guard rows.count > 0, let next = rows.integer(0, 1) else { return nil }
    let ids = (0..<rows.count).map { Horizon.full(rows.integer($0, 0) ?? 0, before: next) }
    let others = try staging.query(
      """
      SELECT s.ctid::text, (s.\(TablePlanner.statusColumn) = 'ERROR') IS TRUE FROM \(table.staging) AS s
      WHERE s.xmin = ANY (\(Horizon.list(ids))) AND (s.\(TablePlanner.statusColumn) = 'PROCESSED') IS NOT TRUE
      ORDER BY s.ctid
      """,
      "looking for rows of \(table.staging) that an earlier version has not merged"
    )
    return Adopted(
      horizon: Horizon(oldest: Horizon.nothingOlder, recent: ids.sorted(), next: next),
      unmerged: addresses(others) { !$0 },
      refused: addresses(others) { $0 }
    )
  }

  private func addresses(_ rows: ResultSet, where isWanted: (_ isRefused: Bool) -> Bool) -> [UInt64] {
    (0..<rows.count).filter { isWanted(rows.bool($0, 1) == true) }
      .compactMap { rows.text($0, 0).flatMap { TupleAddress(text: $0)?.packed } }
  }

  private func isUnheardOf(_ table: TablePlan, _ source: StagingSource) throws(PostgresError) -> Bool {
    // A shard that comes back to a node is made anew, and production's with it; its marks are all that is known of it.
    let namesAreOwn: SQL = table.shards == nil ? "true" : "false"
    return try production.query(
      """
      SELECT NOT EXISTS (SELECT FROM \(admin).merge_progress
                         WHERE source = ANY ($2) OR staging = $1 AND \(source.isKin("source")) AND (\(namesAreOwn) OR production_oid = $3))
      """,
      [
        .text(table.staging.quoted), .textArray(source.identities), .bigint(Int(table.productionOid)),
      ],
      "checking what is known about \(table.staging)"
    ).bool(0, 0) == true
  }

  /// What is known of rows that were taken for merged by their marks, besides that.
  struct Absence: Sendable {
    /// Production does not hold them, or holds them older: whoever has deleted them since, or they were never merged into this table.
    var unfoundCount = 0
    /// Nobody can compare them with production from here: staging is in another database, or a key can't be read.
    var uncomparedCount = 0
  }

  /// Asks production for rows that were taken over.
  ///
  /// - Parameter ids: the transactions that made their marks (``adoptedIDs(of:_:)``).
  func absence(of table: TablePlan, by ids: [Int]) throws(PostgresError) -> Absence {
    let isOfThese: SQL = "s.xmin = ANY (\(Horizon.list(ids)))"
    let isMarked = table.hasStatusColumn ? "\(isOfThese) AND s.\(TablePlanner.statusColumn) = 'PROCESSED'" : isOfThese
    func count(_ condition: SQL) throws(PostgresError) -> Int {
      try staging.query(
        "SELECT count(*) FROM \(table.staging) AS s WHERE \(condition)",
        "looking for the rows of \(table.staging) that are marked as merged"
      ).integer(0, 0) ?? 0
    }
    let unfound =
      try staging === production
      ? Savepoint.answer(on: staging) { () throws(PostgresError) in try count("\(isMarked) AND \(isUnfound(table))") }
      : nil
    if let unfound { return Absence(unfoundCount: unfound) }
    return Absence(uncomparedCount: try count(isMarked))
  }

  /// Production lacks the row `s`, or has an older one.
  private func isUnfound(_ table: TablePlan) -> SQL {
    let isTheRow = table.keyColumns.map { column -> SQL in
      let value: SQL =
        column.travel == .text
        ? "(\(column.readExpression))::\(column.baseType.plainName)" : column.readExpression
      return "p.\(column.name) \(column.equality) \(column.baseType.collated(value))"
    }
    let version = table.version
    let staged: SQL =
      version.travel == .text ? "(\(version.readExpression))::\(version.baseType.plainName)" : version.readExpression
    return """
      NOT EXISTS (SELECT FROM \(table.production) AS p
                  WHERE \(isTheRow.joined(" AND ")) AND (p.\(version.name) < \(staged)) IS NOT TRUE)
      """
  }

  /// The transactions whose rows of a table were taken for merged by their marks, as the ledger did not know them.
  func adoptedIDs(of table: TablePlan, _ source: StagingSource) throws(PostgresError) -> [Int] {
    let rows = try production.query(
      """
      SELECT DISTINCT r FROM \(admin).merge_progress, unnest(recent) AS r
      WHERE run_id IS NOT DISTINCT FROM NULL AND reopened IS NOT DISTINCT FROM NULL
        AND settled IS NOT DISTINCT FROM NULL AND production_oid = $1 AND source = ANY ($2)
      """,
      [.bigint(Int(table.productionOid)), .textArray(source.identities)],
      "looking whether marks of \(table.staging) were adopted"
    )
    return (0..<rows.count).compactMap { rows.integer($0, 0) }
  }

  /// Notes that a run has read all of a table anew: it answers for the rows that were taken over.
  func end(of table: TablePlan, _ source: StagingSource, runID: Int) throws(PostgresError) {
    try production.execute(
      """
      UPDATE \(admin).merge_progress SET run_id = \(runID)
      WHERE run_id IS NOT DISTINCT FROM NULL AND reopened IS NOT DISTINCT FROM NULL AND settled IS NOT DISTINCT FROM NULL
        AND production_oid = \(table.productionOid) AND source IN (\(source.identities.map { "\(Literal($0))" as SQL }.joined(", ")))
      """,
      "noting that marks of \(table.staging) count no more"
    )
  }

  /// Gives the refusals of an earlier version the places of their rows.
  func placeRefusals(of table: TablePlan, _ source: StagingSource) throws(PostgresError) {
    let key = table.keyColumns.map { "\(Literal($0.name.name)), s.\($0.stagedName)" as SQL }.joined(", ")
    let operation = "adopting the refused rows of \(table.staging)"
    let rows = try LocalSettings.reading(under: LocalSettings.exactText, on: staging) { () throws(PostgresError) in
      try staging.query(
        """
        SELECT array_agg(jsonb_build_object(\(key))::text), array_agg(s.ctid::text), array_agg(s.xmin::text), count(*)
        FROM \(table.staging) AS s WHERE s.\(TablePlanner.statusColumn) = 'ERROR'
        """,
        operation
      )
    }
    guard (rows.integer(0, 3) ?? 0) > 0 else { return }
    _ = try production.query(
      """
      WITH s AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) AS s (row_key, address, xmin)), placed AS (
        UPDATE \(admin).merge_errors AS e
        SET staging_source = $4, staging_file_node = $5, staging_address = s.address::tid, staging_xmin = s.xmin::bigint
        FROM s
        WHERE e.table_name = $6 AND e.production_schema = $7 AND e.staging_schema = $8 AND e.row_key = s.row_key::jsonb
          AND e.staging_address IS NULL AND e.retried_at IS NULL AND e.snapshot_id IS NULL
        RETURNING s.address
      )
      INSERT INTO \(admin).merge_errors
        (table_name, production_schema, staging_schema, row_key, message, staging_source, staging_file_node,
         staging_address, staging_xmin, failed_at)
      SELECT $6, $7, $8, s.row_key::jsonb, 'marked ERROR before this version; its reason is not on record', $4, $5,
             s.address::tid, s.xmin::bigint, clock_timestamp() AT TIME ZONE 'UTC'
      FROM s WHERE s.address NOT IN (SELECT address FROM placed)
      """,
      (0..<3).map { Parameter(binary: rows.bytes(0, $0), type: TypeOID.textArray) } + [
        .text(source.identity), .bigint(source.fileNode), .text(table.plainName), .text(table.production.schema.name),
        .text(table.staging.schema.name),
      ],
      operation
    )
  }
}
