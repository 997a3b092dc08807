import Libpq

/// Writes the classified rows of a batch into production.
struct Apply {
  private let plan: TablePlan
  private let production: Connection
  private let batchTable: Identifier
  private let insertMissing: PreparedStatement
  private let updateOlder: PreparedStatement?
  /// In the place of ``updateOlder`` where production lies in shards.
  private var shardUpdates: ShardUpdates?
  private let absentRows: AbsentRows
  /// Rows are looked for after they were written, by the batch table: nobody else can.
  private let looksForRows: Bool
  private let isAllOrNothing: Bool
  private var writtenRowCount = 0
  private var copier: RowCopier

  private static let truncateAboveRowCount = 1000
  /// So many statements meet rows that are deleted and inserted again while they wait, before that is left to a later run.
  /// Arbitrary: each of them waits for somebody.
  static let updateLimit = 100

  /// What was written, and what turned out to be newer by now.
  struct Counts {
    var inserted = 0
    var updated = 0
    /// Rows that the second comparison, made by the server, refused.
    var lostRaces = 0
    /// Rows among several that are not in production since a trigger swallows them, and for no other reason.
    var swallowed = 0
  }

  /// Makes the connection's temporary table for this plan and prepares the statements on it.
  init(
    _ plan: TablePlan,
    _ production: Connection,
    isAllOrNothing: Bool,
    batchTable: Identifier
  ) throws(PostgresError) {
    self.plan = plan
    self.isAllOrNothing = isAllOrNothing
    absentRows = AbsentRows(plan: plan, production: production, batchTable: batchTable)
    looksForRows = plan.writing.triggers.mayMisplace && !RowsInPlace.canAsk(plan)
    self.production = production
    self.batchTable = batchTable
    copier = RowCopier(columnCount: plan.columns.count, production)
    try production.executeWithNext(ApplySQL.createBatchTable(plan, batchTable), "creating a temporary table")
    insertMissing = try production.prepareWithNext(
      "\(batchTable)_insert",
      ApplySQL.insertMissing(plan, batchTable),
      "inserting into \(plan.production)"
    )
    shardUpdates = try ShardUpdates(plan, production, batchTable: batchTable)
    updateOlder =
      plan.updatedColumns.isEmpty || shardUpdates != nil
      ? nil
      : try production.prepareWithNext(
        "\(batchTable)_update",
        ApplySQL.updateOlder(plan, batchTable),
        "updating \(plan.production)"
      )
  }

  /// The fast way: inserts go straight into production by COPY.
  ///
  /// - Throws: ``PostgresError`` with `uniqueViolation` when somebody else has inserted one of the keys meanwhile;
  ///   the transaction (or savepoint) must then be rolled back, and the batch be taken the exact way.
  mutating func writeFast(
    _ batch: StagedBatch,
    inserts: [UInt32],
    updates: [UInt32],
    _ budget: inout LockBudget
  ) throws -> Counts {
    guard plan.insertsByCopy, !plan.writing.triggers.onInsert, !looksForRows else {
      return try writeExactly(batch, inserts: inserts, updates: updates, &budget)
    }
    var counts = Counts()
    // Before the first lock, as everything that can be.
    if !updates.isEmpty {
      try fillBatchTable(updates[...], of: batch)
      try shardUpdates?.divide(updates[...], of: batch, on: production)
    }
    if !inserts.isEmpty, let images = plan.writing.images { try keepKeys(inserts[...], of: batch, in: images) }
    try budget.start(on: production)
    // From here on each trip to the server is time that CDC may wait: what an UPDATE has to say goes with the COPY.
    let update = plan.writing.triggers.onUpdate || updates.isEmpty ? nil : updateOlder
    if !inserts.isEmpty {
      let limit = update == nil ? nil : budget.nextLimit
      let followers = [limit, update.map(\.execution)].compactMap(\.self)
      let written = try copyIntoProduction(inserts, of: batch, then: followers, &budget)
      counts.inserted = written[0]
      if update != nil { counts.updated = written[written.count - 1] }
    }
    let isTried = !inserts.isEmpty && update != nil
    if !inserts.isEmpty, !updates.isEmpty, !isTried { try budget.limitNext(on: production) }
    counts.updated += try updateFromBatchTable(updates.count - counts.updated, isTried: isTried, of: batch, budget)
    counts.lostRaces = inserts.count + updates.count - counts.inserted - counts.updated
    return counts
  }

  /// - Returns: how many rows the server took, and what each of the followers changed.
  private mutating func copyIntoProduction(
    _ rows: [UInt32],
    of batch: StagedBatch,
    then followers: [Companion],
    _ budget: inout LockBudget
  ) throws -> [Int] {
    do {
      return try copier.copy(
        rows[...],
        of: batch,
        by: ApplySQL.copyIntoProduction(plan),
        then: followers,
        onOpen: { budget.restart() },
        "inserting into \(plan.production)"
      )
    } catch let error as PostgresError where plan.citus != nil {
      throw error.ofCitusCopy
    }
  }

  /// The exact way: through the temporary table, where a key that is there by now is no error.
  mutating func writeExactly(
    _ batch: StagedBatch,
    inserts: [UInt32],
    updates: [UInt32],
    _ budget: inout LockBudget
  ) throws -> Counts {
    var counts = Counts()
    try budget.start(on: production)
    if !inserts.isEmpty {
      try production.executeWithNext(emptyingBatchTable(), "emptying the temporary table")
      counts += try insertExactly(inserts[...], of: batch, budget)
    }
    if !updates.isEmpty {
      try budget.limitNext(on: production)
      try production.executeWithNext(emptyingBatchTable(), "emptying the temporary table")
      counts += try updateExactly(updates[...], of: batch, budget)
    }
    return counts
  }

  /// Inserts what is missing and updates what has appeared since the probe and is older.
  ///
  /// - Precondition: the batch table is empty.
  mutating func insertExactly(_ rows: ArraySlice<UInt32>, of batch: StagedBatch, _ budget: LockBudget) throws -> Counts
  {
    try fillBatchTable(rows, of: batch)
    let (isWatched, isSingle) = (plan.writing.triggers.onInsert, rows.count == 1)
    let raisesAlone = isWatched && isSingle ? try absentRows.raise(budget) : false
    var counts = Counts()
    let inserted = try execute(insertMissing, isWitnessed: isWatched || plan.writing.images != nil)
    counts.inserted = inserted.count
    if counts.inserted < rows.count {
      // The update would write rows again that are just inserted, in the place of others that were not.
      if inserted.dueCount > 0 || isWatched && plan.writing.ties != nil, !isSingle {
        throw Self.refusal(plan, "changes versions of some rows and does not insert others")
      }
      try budget.limitNext(on: production)
      try shardUpdates?.divide(rows, of: batch, on: production)
      counts.updated = try updateFromBatchTable(rows.count - counts.inserted, of: batch, budget)
    }
    let missingCount = rows.count - counts.inserted - counts.updated
    if missingCount > 0, isWatched, plan.writing.triggers.hasChildren {
      counts.inserted += min(try redirectedCount(), missingCount)
    }
    if missingCount > 0, raisesAlone, try absentRows.count() > 0 { throw Self.otherKey(plan) }
    if missingCount > 0, isWatched, !isSingle { counts.swallowed = try absentRows.swallowedCount(budget) }
    if looksForRows { try absentRows.requireNone(of: rows.count, counts, isAllOrNothing: isAllOrNothing) }
    counts.lostRaces = rows.count - counts.inserted - counts.updated
    return counts
  }

  /// Updates what is still older.
  ///
  /// - Precondition: the batch table is empty.
  mutating func updateExactly(_ rows: ArraySlice<UInt32>, of batch: StagedBatch, _ budget: LockBudget) throws -> Counts
  {
    try fillBatchTable(rows, of: batch)
    try shardUpdates?.divide(rows, of: batch, on: production)
    var counts = Counts()
    counts.updated = try updateFromBatchTable(rows.count, of: batch, budget)
    if looksForRows { try absentRows.requireNone(of: rows.count, counts, isAllOrNothing: isAllOrNothing) }
    counts.lostRaces = rows.count - counts.updated
    return counts
  }

  /// Updates what is older, again and again for as long as some is: a row that somebody has deleted and inserted again while the
  /// statement waited for it is no row that this statement sees, but the next one does.
  ///
  /// - Parameters:
  ///   - rowCount: how many rows of the batch table are not written yet.
  ///   - isTried: the statement was sent already, and has left so many.
  private mutating func updateFromBatchTable(
    _ rowCount: Int,
    isTried: Bool = false,
    of batch: StagedBatch,
    _ budget: LockBudget
  ) throws -> Int {
    guard updateOlder != nil || shardUpdates != nil else { return 0 }
    var (updatedCount, dueCount, isTried) = (0, 0, isTried)
    for _ in 0..<Self.updateLimit where updatedCount < rowCount {
      if isTried {
        try budget.limitNext(on: production)
        guard try isAnyDue() else { break }
        try budget.limitNext(on: production)
      }
      let written = try updateOnce(of: batch, budget)
      // What was written and is older still was written once more.
      updatedCount += max(written.count - dueCount, 0)
      // What a trigger swallows is due for ever; what is due in shards shows only when it is updated.
      if isTried, plan.writing.triggers.onUpdate || plan.citus != nil && written.count == 0 { break }
      (dueCount, isTried) = (written.dueCount, true)
    }
    return min(updatedCount, rowCount)
  }

  private func isAnyDue() throws(PostgresError) -> Bool {
    guard plan.citus == nil else { return true }
    return try production.query(
      ApplySQL.isAnyDue(plan, batchTable),
      "looking whether rows of \(plan.production) are older still"
    ).bool(0, 0) == true
  }

  private mutating func updateOnce(of batch: StagedBatch, _ budget: LockBudget) throws -> Written {
    if let updated = try shardUpdates?.execute(batch, budget, on: production) { return Written(count: updated) }
    guard let updateOlder else { return Written(count: 0) }
    return try execute(updateOlder, isWitnessed: plan.writing.triggers.onUpdate)
  }

  /// - Parameter isWitnessed: the statement says itself how many rows it has written, how many of them under their keys, how
  ///   many a trigger has left as they were, and which images may be of rows that it has swallowed.
  /// - Throws: an error that refuses the row when a trigger has given one another key.
  private func execute(_ statement: PreparedStatement, isWitnessed: Bool) throws -> Written {
    let result = try production.execute(statement)
    guard isWitnessed else { return Written(count: result.affectedRowCount) }
    let count = result.integer(0, 0) ?? 0
    guard result.integer(0, 1) == count else { throw Self.otherKey(plan) }
    if let images = plan.writing.images, let doubtful = result.text(0, 3) {
      try production.execute(
        ApplySQL.discardUnwritten(plan, images, at: TupleAddress.addresses(ofArray: doubtful)),
        "discarding images of rows of \(plan.production) that were not written"
      )
    }
    return Written(count: count - (result.integer(0, 2) ?? 0), dueCount: result.integer(0, 4) ?? 0)
  }

  /// What a statement has done.
  private struct Written {
    /// Rows that were written.
    var count: Int
    /// Those of them that may be due again: a trigger has given them an older version than staging's, or of inserted ones another.
    var dueCount = 0
  }

  /// What a row is refused for that a trigger gives another key: the next run would bring it again.
  static func otherKey(_ plan: TablePlan) -> PostgresError {
    refusal(plan, "gives the row another key than staging has")
  }

  /// What a trigger does for which a row is refused; of several rows each is tried by itself.
  static func refusal(_ plan: TablePlan, _ deed: String) -> PostgresError {
    PostgresError(
      .server,
      sqlState: .integrityConstraintViolation,
      message: "a trigger of \(plan.production) \(deed)",
      operation: "writing into \(plan.production)"
    )
  }

  /// Rows that a trigger has put into a child of production. In the batch table are only rows whose key was missing a moment
  /// ago, or is older.
  private func redirectedCount() throws -> Int {
    try production.query(
      ApplySQL.countRedirected(plan, batchTable),
      "looking for rows in children of \(plan.production)"
    )
    .integer(0, 0) ?? 0
  }

  /// The statement that empties the batch table if rows have been written to it in this transaction; at the commit it empties
  /// itself.
  ///
  /// DELETE leaves the rows in the file, and each statement after it has to pass them by: with thousands of pieces in a
  /// batch the time for them would grow with the square of their number. TRUNCATE makes the server plan the prepared
  /// statements again. So TRUNCATE now and then; how often is arbitrary.
  mutating func emptyingBatchTable() -> SQL {
    let isFull = writtenRowCount > Self.truncateAboveRowCount
    if isFull { writtenRowCount = 0 }
    return ApplySQL.emptyBatchTable(batchTable, truncates: isFull)
  }

  private mutating func fillBatchTable(_ rows: ArraySlice<UInt32>, of batch: StagedBatch) throws {
    writtenRowCount += rows.count
    try copier.copy(
      rows,
      of: batch,
      by: ApplySQL.copyIntoBatchTable(plan, batchTable),
      "copying rows of \(plan.production) into a temporary table"
    )
  }

  /// Remembers what was inserted. The key stands first in a row, so that it can be copied on as it came.
  private mutating func keepKeys(
    _ rows: ArraySlice<UInt32>,
    of batch: StagedBatch,
    in images: BeforeImageTable
  ) throws {
    try copier.copy(
      rows,
      of: batch,
      by: ApplySQL.copyIntoImages(plan, images),
      fieldCount: plan.keyColumnCount,
      "storing the keys inserted into \(plan.production)"
    )
  }
}

extension Apply.Counts {
  static func += (left: inout Self, right: Self) {
    left.inserted += right.inserted
    left.updated += right.updated
    left.lostRaces += right.lostRaces
    left.swallowed += right.swallowed
  }
}
