import Libpq

/// Which tables are gone through next: all of them once, and some again where that is needed.
///
/// Again, because batches commit with `synchronous_commit` off: a server that crashes takes back the last batches it
/// had confirmed, and only the end of a run makes all of them safe. So a lost connection ends the round, and the next
/// round goes through all tables, parents first; what is merged already costs it little. Again for rows that were
/// refused only because of what other rows were like then (``SecondChances``). And again for what is left in the end:
/// rows that were added or changed meanwhile.
struct Rounds {
  /// One round.
  struct Round {
    /// The tables that are gone through.
    let tables: Set<Int>
    /// Of these tables only the rows at these addresses, in batches; what is read of a snapshot's file is in its progress.
    var rows: [Int: [[UInt64]]] = [:]
    /// It is part of no transaction but those of its batches, also in a run with `--atomic`: rows that runs before it have refused are
    /// tried when its own transaction is through, and refused again they stand as they did.
    var isApart = false
    /// What is left after a round is read as it lies, so that nothing is left for ever which can't be read by its key.
    var mayFollowKeys = false
  }

  private let context: RunContext
  private var chances: SecondChances
  private var hasBegun = false
  private var lossesWithoutProgress = 0
  /// The most rows of each table that were read before a loss.
  private var mostRead: [String: Int] = [:]

  /// Rounds for what was left, without a lost connection between them.
  private var followUpCount = 0
  /// Only what this run has merged counts (`--again`).
  private let startsAnew: Bool

  /// Whoever writes to staging faster than it is merged would keep a run from ever ending. Arbitrary.
  private static let followUpLimit = 3

  init(_ context: RunContext, startsAnew: Bool) {
    self.context = context
    self.startsAnew = startsAnew
    chances = SecondChances(context)
  }

  /// - Parameters:
  ///   - outcome: what all rounds so far have come to; tables that end their connection every time become failed.
  ///   - control: renewed if it was lost.
  /// - Returns: the next round; nil when there is none to come.
  mutating func next(after outcome: inout RunOutcome, _ control: ControlConnection) throws -> Round? {
    let all = Set(context.plan.tables.indices)
    guard hasBegun else {
      hasBegun = true
      return Round(tables: all, mayFollowKeys: !context.isAtomic)
    }
    let controlWasLost = try control.renewIfLost()
    guard outcome.mayGoOn else { return nil }
    if context.isAtomic, let loss = outcome.takeLoss() {
      // Its transaction was rolled back; of one that was committed no loss is on record.
      outcome.fail(all, loss.error ?? Self.controlLoss, plan: context.plan)
      return nil
    }
    if let loss = outcome.takeLoss() ?? (controlWasLost ? RunOutcome.Loss(tables: [], error: nil) : nil) {
      return try tablesAfter(loss, outcome: &outcome, control: control).map {
        Round(tables: $0, mayFollowKeys: !context.isAtomic)
      }
    }
    guard outcome.isClean else { return nil }
    if let rows = try chances.give(control.current) { return Round(tables: Set(rows.keys), rows: rows, isApart: true) }
    return try tablesLeft(&outcome, control.current).map { Round(tables: $0) }
  }

  /// - Returns: the tables of which rows are left, and may be read in another round.
  private mutating func tablesLeft(_ outcome: inout RunOutcome, _ control: Connection) throws -> Set<Int>? {
    let completion = Completion(
      admin: Identifier(context.schemas.admin),
      production: control,
      staging: try context.session.connectStagingControl(beside: control),
      stagingLog: StagingLog(context.session)
    )
    let runID = context.record.id
    for (index, table) in context.plan.tables.enumerated() where table.reading.snapshot == nil {
      outcome.unreadCounts[index] = try completion.unreadCount(
        of: table,
        onlyRun: startsAnew ? runID : nil,
        runID: runID
      )
    }
    followUpCount += 1
    let left = outcome.unreadCounts.filter { $0.value > 0 }
    return left.isEmpty || followUpCount > Self.followUpLimit ? nil : Set(left.keys)
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
    if lossesWithoutProgress >= context.retries.lossLimit {
      let tables = loss.tables.isEmpty ? outcome.tablesWithoutFailure : loss.tables
      outcome.fail(tables, loss.error ?? Self.controlLoss, plan: context.plan)
    }
    let tables = outcome.tablesWithoutFailure
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
