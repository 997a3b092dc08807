import Libpq

/// What a run has read a table from, and how, as the ledger knows it: the settings may be others by now.
struct RunReading {
  /// Staging tables, quoted.
  private let stagings: Set<String>
  /// ``TablePlan/keyReading`` of the run's entries.
  private let keyReadings: Set<String?>
  /// ``TablePlan/matching`` of these, as far as it is known.
  private let matchings: Set<String?>

  init(of table: RollbackTable, admin: Identifier, _ production: Connection) throws(PostgresError) {
    let rows = try production.query(
      """
      SELECT DISTINCT staging, version_reading, to_jsonb(g) ->> 'matched_by' FROM \(admin).merge_progress AS g
      WHERE run_id = $1 AND production_oid = $2 AND reopened IS NULL AND settled IS NULL
      """,
      [.bigint(table.entry.runID), .bigint(Int(table.entry.productionOid))],
      "reading what run \(table.entry.runID) has read"
    )
    stagings = Set((0..<rows.count).compactMap { rows.text($0, 0) })
    keyReadings = Set((0..<rows.count).map { TablePlan.keyReading(of: rows.text($0, 1)) })
    matchings = Set((0..<rows.count).map { rows.text($0, 2) })
  }

  /// The staging table that the run has read, if it is there still.
  func staging(in catalog: Catalog) -> CatalogTable? {
    catalog.tables.first { stagings.contains($0.name.quoted) }
  }

  /// - Throws: ``MergeFailure/blocked(_:)`` where the run has found its keys in other columns of staging: it would have other rows
  ///   read again than those that it has merged.
  func requireKey(of plan: TablePlan, _ table: RollbackTable) throws(MergeFailure) {
    // The same columns are the same key, be it the primary one or not.
    guard matchings != [plan.matching] else { return }
    guard let other = keyReadings.first(where: { $0 != plan.keyReading }) else { return }
    func words(_ reading: String?) -> String { reading ?? "the primary key, by its own names" }
    throw .blocked([
      .blocker(
        .beforeImages,
        table.name,
        "run \(table.entry.runID) matched rows of \(plan.staging) by \(words(other)), and the settings say \(words(plan.keyReading)). "
          + "Roll it back with the file that it was merged with."
      )
    ])
  }
}
