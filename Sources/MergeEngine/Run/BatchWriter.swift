import Libpq

/// The station that writes the classified rows of a batch into production: in one go, or as carefully as it takes to part the
/// rows that the server refuses from the others.
struct BatchWriter {
  private let plan: TablePlan
  private let production: Connection
  private var apply: Apply
  /// Only where the server can copy rows itself.
  private var applyWithinServer: ApplyWithinServer?
  /// Only where triggers run after a write.
  private var rowsInPlace: RowsInPlace?
  private let quarantine: Quarantine
  /// A refused row fails the batch instead of being put aside.
  private let isAllOrNothing: Bool
  /// Of the batch under way.
  private(set) var budget = LockBudget(nil)

  /// Makes the temporary table and prepares the statements; `number` tells the tables of one connection apart.
  init(
    _ plan: TablePlan,
    number: Int,
    copiesWithinServer: Bool,
    isAllOrNothing: Bool,
    _ quarantine: Quarantine,
    _ production: Connection
  ) throws {
    self.plan = plan
    self.production = production
    self.quarantine = quarantine
    self.isAllOrNothing = isAllOrNothing
    apply = try Apply(
      plan,
      production,
      isAllOrNothing: isAllOrNothing,
      batchTable: Identifier("merge_engine_batch_\(number)")
    )
    if copiesWithinServer {
      applyWithinServer = try ApplyWithinServer(plan, production, statementName: "within_\(number)")
    }
    rowsInPlace = try RowsInPlace(
      plan,
      production,
      isAllOrNothing: isAllOrNothing,
      statementName: "in_place_\(number)"
    )
  }

  /// Begins a batch, which may hold locks for so long.
  mutating func begin(within budget: LockBudget) { self.budget = budget }

  /// Has the next statement end when the time is up.
  func limitNext() throws { try budget.limitNext(on: production) }

  /// Writes what is classified.
  ///
  /// - Parameters:
  ///   - memory: the verdicts of rows that are refused become errors in it.
  ///   - isCheckedLast: constraints that may be checked later are checked when all rows are written.
  ///   - probe: looks older rows up whose key's newest row was refused.
  ///   - ties: compares those of them that are as new as production's, if that is asked for.
  /// - Throws: ``RowRoute/Closed``; ``PostgresError``.
  mutating func write(
    _ memory: inout BatchMemory,
    _ mode: Stations.Mode,
    _ route: RowRoute,
    isCheckedLast: Bool,
    revivingBy probe: inout Probe,
    _ ties: inout TieCheck?
  ) throws -> Apply.Counts {
    let (inserts, updates) = (memory.classifier.inserts, memory.classifier.updates)
    if mode == .careful {
      return isAllOrNothing
        ? try writeUnrefused(memory) : try writeAroundRefused(&memory, revivingBy: &probe, &ties)
    }
    if isCheckedLast { try deferConstraints() }
    let written =
      switch (route, mode) {
      case (.withinServer, _): try writeWithinServer(memory.batch, inserts: inserts, updates: updates)
      case (.wholeRows, .fast): try apply.writeFast(memory.batch, inserts: inserts, updates: updates, &budget)
      case (.wholeRows, _): try apply.writeExactly(memory.batch, inserts: inserts, updates: updates, &budget)
      }
    if isCheckedLast { try checkConstraints() }
    try requireInPlace(written, inserts: inserts, updates: updates, memory.batch)
    return written
  }

  private mutating func writeWithinServer(_ batch: StagedBatch, inserts: [UInt32], updates: [UInt32]) throws
    -> Apply.Counts
  {
    guard var within = applyWithinServer.take() else {
      preconditionFailure("the route is open only with its statements")
    }
    defer { applyWithinServer = within }
    return try within.write(batch, inserts: inserts, updates: updates, &budget)
  }

  /// Has the server check what may be checked later when it is asked to.
  private func deferConstraints() throws {
    try production.executeWithNext("SET CONSTRAINTS ALL DEFERRED", "deferring constraints")
  }

  /// Has the server check what it has put off, and put nothing off any more.
  private func checkConstraints() throws {
    try production.execute("SET CONSTRAINTS ALL IMMEDIATE", "setting constraints immediate")
  }

  /// Writes row by row where that is needed.
  ///
  /// - Throws: the error of a row that the server refuses whatever is tried.
  private mutating func writeUnrefused(_ memory: BatchMemory) throws -> Apply.Counts {
    var counts = Apply.Counts()
    if let refusal = try writeAroundRefused(memory, &counts).first { throw refusal.error }
    return counts
  }

  /// Writes row by row where that is needed, and puts the rows aside that the server refuses whatever is tried.
  private mutating func writeAroundRefused(
    _ memory: inout BatchMemory,
    revivingBy probe: inout Probe,
    _ ties: inout TieCheck?
  ) throws -> Apply.Counts {
    var counts = Apply.Counts()
    try budget.start(on: production)
    while true {
      let refusals = try writeAroundRefused(memory, &counts)
      try budget.limitNext(on: production)
      try quarantine.put(refusals, of: memory.batch)
      for refusal in refusals { memory.batch.setVerdict(.error, row: refusal.row) }
      guard !refusals.isEmpty, memory.batch.hasDuplicates else { return counts }
      try memory.reviveDuplicates(plan, by: &probe, comparing: &ties, on: production)
    }
  }

  /// Writes what is classified, and says which rows the server refuses whatever is tried.
  private mutating func writeAroundRefused(_ memory: BatchMemory, _ counts: inout Apply.Counts) throws
    -> [Quarantine.Refusal]
  {
    var refusedInserts = try writeCarefully(memory.classifier.inserts, .insert, memory.batch, &counts)
    var refusedUpdates = try writeCarefully(memory.classifier.updates, .update, memory.batch, &counts)
    for _ in 0..<Self.secondChances {
      let count = refusedInserts.count + refusedUpdates.count
      try giveSecondChance(&refusedUpdates, .update, memory.batch, &counts)
      try giveSecondChance(&refusedInserts, .insert, memory.batch, &counts)
      guard refusedInserts.count + refusedUpdates.count < count else { break }
    }
    if try writeTogether(refusedInserts, refusedUpdates, memory.batch, &counts) {
      refusedInserts.removeAll { $0.dependsOnOtherRows }
      refusedUpdates.removeAll { $0.dependsOnOtherRows }
    }
    return refusedInserts + refusedUpdates
  }

  /// Writes rows that need each other although some are inserted and others updated, as where one takes over the unique value
  /// of a row that refers to it; the server lets them where it may check their constraint when all are there.
  ///
  /// - Returns: whether it did; if not, nothing was written.
  private mutating func writeTogether(
    _ refusedInserts: [Quarantine.Refusal],
    _ refusedUpdates: [Quarantine.Refusal],
    _ batch: StagedBatch,
    _ counts: inout Apply.Counts
  ) throws -> Bool {
    let inserts = refusedInserts.filter(\.dependsOnOtherRows).map(\.row)
    let updates = refusedUpdates.filter(\.dependsOnOtherRows).map(\.row)
    // In a run of one transaction constraints stay deferred until its end.
    guard !inserts.isEmpty, !updates.isEmpty, !isAllOrNothing else { return false }
    try budget.limitNext(on: production)
    do {
      counts += try Savepoint.attempt(on: production) {
        try deferConstraints()
        let written = try apply.writeExactly(batch, inserts: inserts, updates: updates, &budget)
        try checkConstraints()
        try requireInPlace(written, inserts: inserts, updates: updates, batch)
        return written
      }
      return true
    } catch let error as PostgresError where error.refusesRow {
      return false
    }
  }

  /// How often refused rows are tried again while that helps. Arbitrary: the depth of the chains of rows of one batch
  /// that wait for each other; they are tried from both ends by turns, so that most chains take one turn or two.
  private static let secondChances = 8

  private mutating func writeCarefully(
    _ rows: [UInt32],
    _ verdict: Verdict,
    _ batch: StagedBatch,
    _ counts: inout Apply.Counts
  ) throws -> [Quarantine.Refusal] {
    let quarantine = quarantine
    return try quarantine.write(
      rows,
      on: production,
      counts: &counts,
      after: { holdsRows in
        if holdsRows {
          try production.executeWithNext(apply.emptyingBatchTable(), "emptying the temporary table")
        }
        // Searching takes its time out of the batch's own.
        try budget.limitNext(on: production)
      },
      by: { rows in
        let isInsert = verdict == .insert
        let written =
          try isInsert ? apply.insertExactly(rows, of: batch, budget) : apply.updateExactly(rows, of: batch, budget)
        try requireInPlace(written, inserts: isInsert ? rows + [] : [], updates: isInsert ? [] : rows + [], batch)
        return written
      }
    )
  }

  private mutating func requireInPlace(
    _ written: Apply.Counts,
    inserts: [UInt32],
    updates: [UInt32],
    _ batch: StagedBatch
  ) throws {
    let production = production
    try rowsInPlace?.require(written, inserts: inserts, updates: updates, of: batch, on: production)
  }

  /// Tries rows again that may have been refused only because other rows of the batch were not there yet (a foreign key
  /// within the table) or were still there (a unique value that moves from one row to another).
  private mutating func giveSecondChance(
    _ refusals: inout [Quarantine.Refusal],
    _ verdict: Verdict,
    _ batch: StagedBatch,
    _ counts: inout Apply.Counts
  ) throws {
    let hopeful = refusals.filter(\.dependsOnOtherRows)
    guard !hopeful.isEmpty else { return }
    refusals.removeAll { $0.dependsOnOtherRows }
    refusals += try writeCarefully(hopeful.reversed().map(\.row), verdict, batch, &counts)
  }
}
