import Libpq

/// Looks whether rows that were written are under their keys: triggers may give a row the key of another, and those that run after the
/// write may move it on or delete it.
///
/// What an INSERT or UPDATE returns, it returns before the latter run. So the keys are looked up once more, one statement a
/// batch, where there are any. Triggers that are deferred run before that, and not at the commit behind it; in a run of one
/// transaction they may wait for rows of other batches, and run at its end.
struct RowsInPlace {
  private let plan: TablePlan
  private let isAllOrNothing: Bool
  private var question: Questions

  /// Whether keys can be sent in arrays. Others are looked for where they stand in a batch table.
  static func canAsk(_ plan: TablePlan) -> Bool { plan.keyColumns.allSatisfy(ColumnArrays.canHold) }

  /// - Returns: nil where no trigger stands between, or keys can't be sent in arrays.
  init?(
    _ plan: TablePlan,
    _ production: Connection,
    isAllOrNothing: Bool,
    statementName: String
  ) throws(PostgresError) {
    guard plan.writing.triggers.mayMisplace, Self.canAsk(plan) else { return nil }
    self.plan = plan
    self.isAllOrNothing = isAllOrNothing
    let sameKey = plan.keyColumns.map { "q.\($0.name) \($0.equality) t.\($0.name)" as SQL }.joined(" AND ")
    let isMissing = Objection(
      condition: "NOT EXISTS (SELECT FROM \(plan.production) AS q WHERE \(sameKey))",
      columns: plan.keyColumns.map(\.name),
      words: "that are not where they were written"
    )
    question = try Questions(plan, [isMissing], production, statementName: statementName)
  }

  /// - Parameters:
  ///   - counts: what became of the rows.
  ///   - inserts: positions in ``StagedBatch/rows``.
  ///   - updates: the same.
  /// - Throws: an error that refuses the row where one is gone. Of several rows also where it may be one that was not written at
  ///   all, and is not known to be swallowed: rows that are tried one by one are told apart.
  mutating func require(
    _ counts: Apply.Counts,
    inserts: [UInt32],
    updates: [UInt32],
    of batch: StagedBatch,
    on production: Connection
  ) throws {
    if !isAllOrNothing { try Self.runDeferredTriggers(production) }
    let missingCount = try question.suspects(inserts: inserts, updates: updates, of: batch, on: production).count
    let rowCount = inserts.count + updates.count
    let unwrittenCount = rowCount - counts.inserted - counts.updated
    guard missingCount > counts.swallowed, rowCount > 1 || unwrittenCount == 0 else { return }
    throw Self.refusal(plan)
  }

  /// Has triggers run now that would run at the commit; goes with the next statement.
  static func runDeferredTriggers(_ production: Connection) throws(PostgresError) {
    try production.executeWithNext("SET CONSTRAINTS ALL IMMEDIATE", "running deferred triggers")
  }

  /// What a row is refused for that is not where it was written.
  static func refusal(_ plan: TablePlan) -> PostgresError {
    Apply.refusal(plan, "moves the row to another key, or deletes it, after it was written")
  }
}
