import Libpq

/// The tables of a dry run: their stations, what was seen of them, and when it is decided about their rows.
///
/// Tables come parents first, so that all is decided about a parent's rows before a child's turn comes; in a circle all are
/// decided about together, at the end.
struct DryRunTables {
  private let plan: MergePlan
  private let updatesTies: Bool
  private let batchRows: Int
  private let connections: WorkerConnections
  /// Its planner is free to choose; streams run on it.
  private let staging: Connection
  /// Another one like it, for questions while a stream runs.
  private let questions: Connection
  private var stations: [Int: DryRunStations] = [:]
  private var finished: Set<Int> = []
  /// Every one has statements of its own.
  private var correctionCount = 0
  /// For each table all that must be decided before it.
  private let ancestors: [Set<Int>]
  private(set) var outcomes: [DryRunOutcome]
  /// What is known of refusals beyond ``outcomes`` while it is decided about a table.
  private var corrections: [Correction]

  /// Which rows are refused when it is put right what batches can't see of each other, and which are not.
  private struct Correction {
    var refused: Set<UInt64> = []
    var spared: Set<UInt64> = []

    func applied(to refused: some Sequence<UInt64>) -> Set<UInt64> {
      Set(refused).subtracting(spared).union(self.refused)
    }
  }

  /// So many hopeful rows of a table are remembered before they are decided about. Arbitrary: some megabytes.
  private static let hopefulRowLimit = 200_000

  /// - Parameters:
  ///   - plan: without marks.
  ///   - connections: those of the stations.
  ///   - staging: a connection whose planner is free to choose.
  ///   - questions: another one.
  init(
    plan: MergePlan,
    updatesTies: Bool,
    batchRows: Int,
    sampleLimit: Int,
    connections: WorkerConnections,
    staging: Connection,
    questions: Connection
  ) {
    self.plan = plan
    self.updatesTies = updatesTies
    self.batchRows = batchRows
    self.connections = connections
    self.staging = staging
    self.questions = questions
    outcomes = plan.tables.map { _ in DryRunOutcome(sampleLimit: sampleLimit) }
    corrections = plan.tables.map { _ in Correction() }
    ancestors = plan.ancestors
  }

  /// Looks at a batch.
  mutating func look(_ item: WorkQueue.Item, memory: inout BatchMemory) throws -> Carried {
    if stations[item.table] == nil { try finishAll(of: stations.keys.sorted().filter(isDecidedByItself)) }
    var station =
      try stations[item.table]
      ?? DryRunStations(plan.tables[item.table], number: item.table, updatesTies: updatesTies, connections)
    defer { stations[item.table] = station }
    let carried = try station.look(item, memory: &memory, outcome: &outcomes[item.table])
    if outcomes[item.table].hopeful.count > Self.hopefulRowLimit, !plan.circular.contains(item.table) {
      _ = try giveUpHelpless(item.table, station.foresight.objections)
      outcomes[item.table].hopeful = []
    }
    return carried
  }

  /// All rows were looked at.
  mutating func end() throws {
    let begun = stations.keys.sorted()
    try finishAll(of: begun.filter(isDecidedByItself))
    try decide(begun.filter(plan.circular.contains))
    try finishAll(of: begun)
  }

  /// Whether nothing in a circle has to be decided before a table.
  private func isDecidedByItself(_ index: Int) -> Bool { ancestors[index].isDisjoint(with: plan.circular) }

  /// Whether a merge tries rows without parent once more when all tables are merged: others may have helped them by then.
  private func triesOrphansAgain(_ index: Int) -> Bool {
    plan.circular.contains(index) || plan.parents.contains { $0.contains(index) }
      || ancestors[index].contains { outcomes[$0].hasOrphans }
  }

  /// Decides about the rows of tables that no circle goes through.
  private mutating func finishAll(of tables: [Int]) throws {
    for index in tables where !plan.circular.contains(index) && finished.insert(index).inserted {
      try decide([index])
      outcomes[index].hopeful = []
    }
  }

  /// Decides about the rows of tables that may help each other.
  private mutating func decide(_ tables: [Int]) throws {
    try giveUpAllHelpless(in: tables)
    var corrected = try corrected(tables)
    // Who comes after a refused row of its key may be refused, too, and have been another row's last hope.
    var round = 0
    while round < Self.correctionLimit, learn(from: corrected, tables) {
      round += 1
      try giveUpAllHelpless(in: tables)
      corrected = try self.corrected(tables)
    }
    for index in tables { (outcomes[index], corrections[index]) = (corrected[index], Correction()) }
  }

  /// A chain of refusals over so many keys is followed. Arbitrary: each takes as long as looking at the keys that come again.
  private static let correctionLimit = 20

  /// - Returns: whether rows are refused that were not known to be.
  private mutating func learn(from corrected: [DryRunOutcome], _ tables: [Int]) -> Bool {
    var learns = false
    for index in tables {
      let (before, after) = (Set(outcomes[index].refused.keys), Set(corrected[index].refused.keys))
      learns = learns || !after.isSubset(of: corrections[index].applied(to: before))
      corrections[index] = Correction(refused: after.subtracting(before), spared: before.subtracting(after))
    }
    return learns
  }

  /// Whoever is given up may have been another row's last hope.
  private mutating func giveUpAllHelpless(in tables: [Int]) throws {
    var givesUp = true
    while givesUp {
      givesUp = false
      for index in tables {
        guard let station = stations[index] else { continue }
        if try giveUpHelpless(index, station.foresight.objections) { givesUp = true }
      }
    }
  }

  /// - Returns: whether there was any row that nothing helps.
  private mutating func giveUpHelpless(_ index: Int, _ objections: [Objection]) throws -> Bool {
    let remedies = remedies(on: staging)
    let helpless = try remedies.helpless(outcomes[index].hopeful, of: index, objections)
    outcomes[index].giveUp(helpless, objections)
    let outrun = try remedies.outrun(outcomes[index].hopeful, of: index, objections)
    outcomes[index].giveUp(outrun, objections, areContested: true)
    return !helpless.isEmpty || !outrun.isEmpty
  }

  private func remedies(on connection: Connection) -> Remedies {
    Remedies(
      tables: plan.tables,
      staging: connection,
      isSplit: connections.isSplit,
      batchRows: batchRows,
      updatesTies: updatesTies,
      writes: zip(outcomes, corrections).map { outcome, correction in
        .newer(
          butNot: correction.applied(to: outcome.refused.keys).sorted(),
          lastOfKey: outcome.ranges.count <= 1 && outcome.counts.duplicate > 0
        )
      }
    )
  }

  /// All outcomes, with what the batches of some tables can't see of each other put right.
  private mutating func corrected(_ tables: [Int]) throws -> [DryRunOutcome] {
    var corrected = outcomes
    for index in tables { corrected[index] = try self.corrected(index) }
    return corrected
  }

  private mutating func corrected(_ index: Int) throws -> DryRunOutcome {
    var outcome = outcomes[index]
    guard var foresight = stations[index]?.foresight else { return outcome }
    let (remedies, objections) = (remedies(on: questions), foresight.objections)
    correctionCount += 1
    let late = ancestors[index].filter { !plan.tables[$0].reading.state.triedAgain.isEmpty }
    let duplicates = DuplicateKeys(
      plan: plan.tables[index],
      updatesTies: updatesTies,
      lateParents: late.sorted().map { plan.tables[$0].staging },
      staging: staging
    )
    try duplicates.correct(
      &outcome,
      &foresight,
      waitsForParents: triesOrphansAgain(index),
      isInCircle: plan.circular.contains(index),
      helpless: { try remedies.helpless($0, of: index, objections) },
      connections,
      number: correctionCount
    )
    if outcome.hasGivenUp, !outcome.contested.isEmpty {
      outcome.note(
        "of \(outcome.contested.count.rows) of \(plan.tables[index].staging) whose unique values other rows of their batches get, a merge "
          + "writes one after all where those that go before it are refused themselves."
      )
    }
    if outcome.ranges.count > 1, !connections.isSplit {
      try noteContention(objections.compactMap(\.sharedKey).filter { !$0.isExclusion }, of: index, remedies, &outcome)
    }
    return outcome
  }

  /// Says which unique values rows of several batches may want, of which only the first gets one.
  private func noteContention(
    _ keys: [Objection.UniqueKey],
    of index: Int,
    _ remedies: Remedies,
    _ outcome: inout DryRunOutcome
  ) throws(PostgresError) {
    for key in keys {
      do throws(PostgresError) {
        let count = try remedies.contendingRowCount(key, of: index)
        guard count > 0 else { continue }
        outcome.note(
          "\(count.rows) of \(plan.tables[index].staging) want a value of \(key.columnNames) (\(key.name)) that rows of other keys want, "
            + "too: while one of them has it, a merge refuses the others. Only those in the same batch are counted as errors here."
        )
      } catch {
        guard error.sqlState?.refusesRow == true else { throw error }
        outcome.note(
          "rows that want the same value of \(key.columnNames) (\(key.name)) could not be searched for, since some rows can't be read "
            + "(\(error.message)): if there are any, a merge refuses rows that are not counted here."
        )
      }
    }
  }
}
