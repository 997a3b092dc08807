import Libpq

/// Deletes entries of the ledger that can say nothing any more: superseded ones, and those about rows that are gone for good.
struct LedgerPruning {
  let admin: Identifier
  let production: Connection
  let staging: Connection

  private static let operation = "deleting ledger entries of rows that are gone"

  /// - Parameter tables: those whose staging is looked at; of others only entries go that are superseded or whose table is gone.
  /// - Returns: how many entries were deleted; none where the role may not.
  func prune(_ tables: [TablePlan]) throws(PostgresError) -> Int {
    let name = QualifiedName(schema: admin.name, name: ProgressTable.name)
    let isAllowed = try production.query(
      "SELECT coalesce(has_table_privilege(to_regclass(\(Literal(name.quoted))), 'DELETE'), false)",
      Self.operation
    )
    guard isAllowed.bool(0, 0) == true else { return 0 }
    var count = try production.execute(
      """
      DELETE FROM \(name) AS g
      -- What was taken over by marks is told from what was merged as long as its rows are there.
      WHERE superseded_at IS NOT NULL AND (run_id IS NOT NULL OR reopened IS NOT NULL OR settled IS NOT NULL)
         OR source LIKE 'snapshot %' AND NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid::bigint = g.production_oid)
      """,
      "deleting superseded ledger entries"
    )
    let gone = try goneSources()
    count += try production.query("DELETE FROM \(name) WHERE source = ANY ($1)", [.textArray(gone)], Self.operation)
      .affectedRowCount
    for table in tables where table.reading.snapshot == nil { count += try pruneFiles(of: table, in: name) }
    return count
  }

  /// Sources whose tables were dropped. Of another server only those are known that lie in the staging database of now.
  private func goneSources() throws(PostgresError) -> [String] {
    let sources = try production.query(
      "SELECT DISTINCT source FROM \(admin).\(Identifier(ProgressTable.name)) WHERE source LIKE 'table %'",
      Self.operation
    )
    let known = (0..<sources.count).compactMap { sources.text($0, 0) }
    var gone: [String] = []
    let isSplit = staging !== production
    for connection in isSplit ? [production, staging] : [production] {
      let place = try StagingSource.Place(isElsewhere: connection !== production, connection)
      let oids = Dictionary(grouping: known) { StagingSource.oid(of: $0, in: place) }
      let absent = try connection.query(
        "SELECT o FROM unnest($1::text[]) AS o WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = o::oid)",
        [.textArray(oids.keys.compactMap(\.self))],
        Self.operation
      )
      for row in 0..<absent.count { gone += oids[absent.text(row, 0)] ?? [] }
    }
    return gone
  }

  /// Of an empty table all that was said of rows in files that it had before. One that holds rows keeps it: without it nobody
  /// could tell that some of them are read a second time.
  private func pruneFiles(of table: TablePlan, in name: QualifiedName) throws(PostgresError) -> Int {
    let isEmpty = try staging.query(
      "SELECT NOT EXISTS (SELECT FROM \(table.staging))",
      "checking whether \(table.staging) is empty"
    )
    guard isEmpty.bool(0, 0) == true else { return 0 }
    let source = try StagingSource(table.staging, isElsewhere: staging !== production, staging)
    return try production.query(
      """
      DELETE FROM \(name)
      WHERE production_oid = $1 AND source = ANY ($2)
        AND (file_node IS NOT NULL AND file_node <> $3 OR superseded_at IS NOT NULL)
      """,
      [.bigint(Int(table.productionOid)), .textArray(source.identities), .bigint(source.fileNode)],
      Self.operation
    ).affectedRowCount
  }
}
