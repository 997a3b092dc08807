import Libpq

/// Which tables are gone through next: all of them once, and some again where that is needed.
///
/// Again, because batches commit with `synchronous_commit` off: a server that crashes takes back the last batches it
/// had confirmed, and only the end of a run makes all of them safe. So a lost connection ends the round, and the next
/// round goes through all tables, parents first; what is marked already costs it little. And again for rows that were
/// refused only because the row they refer to came later (``CircularReferences``).
struct Rounds {
  private let context: RunContext
  private var circles: CircularReferences
  private var hasBegun = false
  private var lossesWithoutProgress = 0
  private var readCountAtLastLoss = -1

  init(_ context: RunContext) {
    self.context = context
    circles = CircularReferences(context)
  }

  /// - Parameters:
  ///   - outcome: what all rounds so far have come to; tables that end their connection every time become failed.
  ///   - control: renewed if it was lost.
  /// - Returns: the tables of the next round; nil when there is none to come.
  mutating func next(after outcome: inout RunOutcome, _ control: ControlConnection) throws -> Set<Int>? {
    let all = Set(context.plan.tables.indices)
    guard hasBegun else {
      hasBegun = true
      return all
    }
    let controlWasLost = try control.renewIfLost()
    guard outcome.mayGoOn, !context.isAtomic else { return nil }
    if let loss = outcome.takeLoss() ?? (controlWasLost ? RunOutcome.Loss(tables: [], error: nil) : nil) {
      return try tablesAfter(loss, &outcome, control)
    }
    guard outcome.isClean else { return nil }
    return try circles.releaseRefused(control.current)
  }

  private mutating func tablesAfter(
    _ loss: RunOutcome.Loss,
    _ outcome: inout RunOutcome,
    _ control: ControlConnection
  ) throws -> Set<Int>? {
    let readCount = try context.record.committedCounts(control.current).values.reduce(0) { $0 + $1.read }
    lossesWithoutProgress = readCount == readCountAtLastLoss ? lossesWithoutProgress + 1 : 0
    readCountAtLastLoss = readCount
    if lossesWithoutProgress >= context.retries.attemptLimit, let error = loss.error {
      outcome.fail(loss.tables, error, context.plan)
    }
    let tables = outcome.tablesWithoutFailure
    // Without marks a table is read from its first row again, and counted again.
    for table in tables where !context.plan.tables[table].resumes {
      try context.record.startOver(context.plan.tables[table].name, control.current)
    }
    return tables.isEmpty ? nil : tables
  }
}
