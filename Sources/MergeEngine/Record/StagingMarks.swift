import Libpq

/// Keeps the status column of staging true, where there is one: PROCESSED for what a batch has carried, ERROR for what
/// was refused.
///
/// The last thing that a batch does to staging, and outside of any savepoint: a mark is a new version of its row, which the
/// ledger knows to be merged by the transaction that made it, wherever it lies.
struct StagingMarks {
  private let plan: TablePlan
  private let staging: Connection
  private let production: Connection
  private let admin: Identifier

  init(_ plan: TablePlan, admin: Identifier, _ connections: WorkerConnections) {
    self.plan = plan
    self.admin = admin
    staging = connections.staging
    production = connections.production
  }

  /// The transaction that will mark, where it is not the batch's own: it must be known before the batch commits.
  func marker() throws(PostgresError) -> Int? {
    guard plan.writing.marksRows, staging !== production else { return nil }
    return try staging.query(
      "SELECT pg_current_xact_id()::text::bigint",
      "beginning to mark rows of \(plan.staging)"
    ).integer(0, 0)
  }

  /// Marks what is merged and is not marked so: rows whose marks were lost on another server.
  ///
  /// - Precondition: the plan's reading is of now, and nobody merges.
  func repair(runID: Int) throws(PostgresError) {
    guard plan.writing.marksRows, plan.reading.snapshot == nil, let source = plan.reading.state.source else { return }
    var merged = plan
    merged.reading.selection = .merged
    let status = TablePlanner.statusColumn
    let isUntrue: SQL = """
      \(ClaimSQL.isWanted(merged, in: .everything)) AND (s.\(status) IN ('PROCESSED', 'ERROR')) IS NOT TRUE
      """
    let operation = "looking for rows of \(plan.staging) whose marks were lost"
    let isNeeded = try staging.query("SELECT EXISTS (SELECT FROM \(plan.staging) AS s WHERE \(isUntrue))", operation)
    guard isNeeded.bool(0, 0) == true else { return }
    try staging.execute("BEGIN", operation)
    let marker = try staging.query("SELECT pg_current_xact_id()::text::bigint", operation).integer(0, 0) ?? 0
    try ProgressTable(admin: admin).note(marker: marker, of: plan, source, runID: runID, production)
    try staging.execute(
      "UPDATE \(plan.staging) AS s SET \(status) = 'PROCESSED' WHERE \(isUntrue); COMMIT",
      "marking rows of \(plan.staging)"
    )
  }

  /// Marks the rows of a batch.
  ///
  /// - Parameters:
  ///   - refused: the addresses of those that were refused; their records follow them.
  ///   - setApart: the addresses of those that were left for later.
  func mark(_ place: StagedPlace, refused: [UInt64], leaving setApart: [UInt64] = [], runID: Int) throws(PostgresError)
  {
    guard plan.writing.marksRows else { return }
    let status = TablePlanner.statusColumn
    let operation = "marking rows of \(plan.staging)"
    let others = refused + setApart
    let isOther: SQL = others.isEmpty ? "" : " AND s.ctid <> ALL (\(TupleAddress.list(others)))"
    try staging.execute(
      """
      UPDATE \(plan.staging) AS s SET \(status) = 'PROCESSED'
      WHERE \(ClaimSQL.isWanted(plan, at: place))\(isOther)
      """,
      operation
    )
    guard !refused.isEmpty else { return }
    let moved = try staging.query(
      """
      UPDATE \(plan.staging) AS s SET \(status) = 'ERROR'
      FROM unnest(\(TupleAddress.list(refused))) AS a (address)
      WHERE s.ctid = a.address\(plan.reading.state.horizon.map { " AND \($0.hasSeen())" } ?? "")
      RETURNING a.address::text, s.ctid::text, (pg_current_xact_id()::text::bigint % 4294967296)::bigint
      """,
      operation
    )
    guard moved.count > 0 else { return }
    _ = try production.query(
      """
      UPDATE \(admin).merge_errors AS e SET staging_address = m.new::tid, staging_xmin = $4
      FROM unnest($1::text[], $2::text[]) AS m (old, new)
      WHERE e.run_id = \(runID) AND e.table_name = $3 AND e.staging_address = m.old::tid AND e.retried_at IS NULL
      """,
      [
        .textArray((0..<moved.count).map { moved.text($0, 0) ?? "" }),
        .textArray((0..<moved.count).map { moved.text($0, 1) ?? "" }),
        .text(plan.plainName), .bigint(moved.integer(0, 2)),
      ],
      operation
    )
  }
}
