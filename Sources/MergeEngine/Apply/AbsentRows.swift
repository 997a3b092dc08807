import Libpq

/// Rows of a batch table that production does not have, and why not.
struct AbsentRows {
  let plan: TablePlan
  let production: Connection
  let batchTable: Identifier

  /// How many there are.
  func count() throws(PostgresError) -> Int {
    try production.query(
      ApplySQL.countAbsent(plan, batchTable),
      "looking whether rows of \(plan.production) are there"
    )
    .integer(0, 0) ?? 0
  }

  /// Whether they raise an error when they are inserted as rows that are not there: other than in ``ApplySQL/insertMissing(_:_:)``,
  /// where a row to which a trigger gives a key that another row has is passed by as that one.
  ///
  /// To be asked before the rows are written, since what triggers write besides may keep them from doing it twice.
  func raise(_ budget: LockBudget) throws -> Bool { try insertedCount(budget) == nil }

  /// How many a trigger swallows: all of them or, where one would be inserted or raise an error when they are tried once more, none. A
  /// trigger has done something else with that one.
  func swallowedCount(_ budget: LockBudget) throws -> Int {
    guard isTellable else { return 0 }
    try budget.limitNext(on: production)
    let count = try count()
    guard count > 0 else { return 0 }
    return try insertedCount(budget) == 0 ? count : 0
  }

  /// Sees that they are there after they were written; as ``RowsInPlace/require(_:inserts:updates:of:on:)``.
  ///
  /// - Parameter rowCount: how many rows the batch table has.
  func requireNone(of rowCount: Int, _ counts: Apply.Counts, isAllOrNothing: Bool) throws {
    if !isAllOrNothing { try RowsInPlace.runDeferredTriggers(production) }
    guard try count() > counts.swallowed, rowCount > 1 || counts.inserted + counts.updated == rowCount else { return }
    throw RowsInPlace.refusal(plan)
  }

  /// Citus takes no such statements, and a deferrable key refuses at the end whoever takes it twice.
  private var isTellable: Bool { plan.citus == nil && !plan.keyIsDeferrable }

  /// How many would be inserted, which is undone; nil where one of them raises an error.
  private func insertedCount(_ budget: LockBudget) throws -> Int? {
    guard isTellable else { return 0 }
    try budget.limitNext(on: production)
    var count = 0
    do {
      try Savepoint.rehearse(on: production) {
        count = try production.execute(
          ApplySQL.insertAbsent(plan, batchTable),
          "trying to insert into \(plan.production)"
        )
      }
    } catch let error as PostgresError where error.refusesRow {
      return nil
    }
    return count
  }
}
