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
  /// The most rows of each table that were read before a loss: unmarked tables are counted from 0 in every round.
  private var mostRead: [String: Int] = [:]

  init(_ context: RunContext) {
    self.context = context
    circles = CircularReferences(context)
  }

  /// How many blocks of staging the next round goes through, where it is not as many as were planned.
  var blockCounts: [Int: Int] { circles.blockCounts }

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
    guard outcome.mayGoOn else { return nil }
    guard !context.isAtomic else {
      // Its transaction was rolled back; of one that was committed no loss is on record.
      if let loss = outcome.takeLoss() { outcome.fail(all, loss.error ?? Self.controlLoss, plan: context.plan) }
      return nil
    }
    if let loss = outcome.takeLoss() ?? (controlWasLost ? RunOutcome.Loss(tables: [], error: nil) : nil) {
      return try tablesAfter(loss, outcome: &outcome, control: control)
    }
    guard outcome.isClean else { return nil }
    return try circles.releaseRefused(control.current)
  }

  private mutating func tablesAfter(
    _ loss: RunOutcome.Loss,
    outcome: inout RunOutcome,
    control: ControlConnection
  ) throws -> Set<Int>? {
    try context.sessions.endAll(production: control.current) {
      try context.session.connectStagingControl(beside: control.current)
    }
    let readCounts = try context.record.committedCounts(control.current).mapValues(\.read)
    let hasProgressed = readCounts.contains { $0.value > mostRead[$0.key] ?? -1 }
    mostRead.merge(readCounts, uniquingKeysWith: max)
    lossesWithoutProgress = hasProgressed ? 0 : lossesWithoutProgress + 1
    if lossesWithoutProgress >= context.retries.attemptLimit {
      let tables = loss.tables.isEmpty ? outcome.tablesWithoutFailure : loss.tables
      outcome.fail(tables, loss.error ?? Self.controlLoss, plan: context.plan)
    }
    let tables = outcome.tablesWithoutFailure
    // Without marks a table is read from its first row again, and counted again.
    for table in tables where !context.plan.tables[table].resumes {
      try context.record.startOver(context.plan.tables[table].name, control.current)
    }
    return tables.isEmpty ? nil : tables
  }

  private static var controlLoss: PostgresError {
    PostgresError(
      .connectionLost,
      message: "the connection that holds the run's locks was lost",
      operation: "holding the tables' locks"
    )
  }
}
