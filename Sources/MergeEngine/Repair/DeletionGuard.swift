import Libpq

/// Whether staging is what it was when rows were found to be extra, and nobody is changing it.
///
/// Whatever is emptied or loaded between the look and the deletion must not make production's rows extra: TRUNCATE waits
/// for the batch, and what has changed before it ends the deletion.
struct DeletionGuard {
  private let plan: TablePlan
  private let seen: DifferenceFile.Header.Table?
  private let schemas: Schemas
  private let connection: Connection

  /// - Parameters:
  ///   - seen: the table as it was verified.
  ///   - connection: to the database that holds both sides.
  init(_ plan: TablePlan, seen: DifferenceFile.Header.Table?, schemas: Schemas, _ connection: Connection) {
    self.plan = plan
    self.seen = seen
    self.schemas = schemas
    self.connection = connection
  }

  /// Locks staging against TRUNCATE, and says what stands against deleting now; nil if nothing does.
  func obstacle() throws(PostgresError) -> String? {
    // A file that says what was deleted doubts no staging.
    guard plan.reading.snapshot == nil else { return nil }
    try connection.execute(
      "LOCK TABLE \(plan.staging) IN ACCESS SHARE MODE",
      "locking \(plan.staging) against being truncated"
    )
    guard try StagingSource(plan.staging, isElsewhere: false, connection).contentIdentity == seen?.staging else {
      return "\(plan.staging) has been truncated, rewritten or recreated since it was verified"
    }
    let isEmpty = try connection.query(
      "SELECT NOT EXISTS (SELECT FROM \(plan.staging))",
      "checking whether \(plan.staging) is empty"
    )
    // Nothing at all may be what Oracle has of the rows that it was asked for.
    guard isEmpty.bool(0, 0) != true || seen?.askedKeyCount != nil else { return "\(plan.staging) is empty" }
    if let run = try loadingRun() { return "run \(run) is still loading into staging, which is not complete yet" }
    return try StagingWriters(table: plan.staging, connection: connection).obstacle()
  }

  /// A load may be going on without a session: DMS connects when it has rows.
  private func loadingRun() throws(PostgresError) -> Int? {
    try connection.query(
      """
      SELECT max(id)::bigint FROM \(Identifier(schemas.admin)).merge_summary AS r
      WHERE status = 'LOADING' AND \(PairSQL(schemas: schemas).ownsRun("r"))
      """,
      "looking for a run that is loading"
    ).integer(0, 0)
  }
}
