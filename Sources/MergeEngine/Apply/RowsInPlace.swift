import Libpq

/// Looks whether rows that were written are still under their keys: triggers that run after the write may move them on.
///
/// What an INSERT or UPDATE returns, it returns before such triggers run. So the keys are looked up once more, one statement a
/// batch, where there are any. Triggers that are deferred run before that, and not at the commit behind it; in a run of one
/// transaction they may wait for rows of other batches, and run at its end.
struct RowsInPlace {
  private let plan: TablePlan
  private let isAllOrNothing: Bool
  private var question: Questions

  /// - Returns: nil where nothing runs after a write, or keys can't be sent in arrays.
  init?(
    _ plan: TablePlan,
    _ production: Connection,
    isAllOrNothing: Bool,
    statementName: String
  ) throws(PostgresError) {
    guard plan.writing.triggers.runAfterwards, plan.keyColumns.allSatisfy(ColumnArrays.canHold) else { return nil }
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
  /// - Throws: an error that refuses the row where one is gone. Of several rows also where it may be another one that was not
  ///   written at all and that somebody has deleted meanwhile: rows that are tried one by one are told apart.
  mutating func require(
    _ counts: Apply.Counts,
    inserts: [UInt32],
    updates: [UInt32],
    of batch: StagedBatch,
    on production: Connection
  ) throws {
    if !isAllOrNothing { try production.executeWithNext("SET CONSTRAINTS ALL IMMEDIATE", "running deferred triggers") }
    let missingCount = try question.suspects(inserts: inserts, updates: updates, of: batch, on: production).count
    let rowCount = inserts.count + updates.count
    let unwrittenCount = rowCount - counts.inserted - counts.updated
    guard missingCount > 0, missingCount > unwrittenCount || rowCount > 1 && !plan.writing.triggers.onInsert else {
      return
    }
    throw PostgresError(
      .server,
      sqlState: .integrityConstraintViolation,
      message: "a trigger of \(plan.production) moves the row to another key, or deletes it, after it was written",
      operation: "writing into \(plan.production)"
    )
  }
}
