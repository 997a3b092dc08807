import Libpq

/// The lines that are still to be applied, handed out a batch at a time, and what has become of the others.
///
/// Tables with values from staging come parents first, then the tables of extra rows, children first; a table's turn comes
/// when the one before it is done. Rows that were refused only because of other rows come again when those are mended.
final class RepairQueue: Steerable, Sendable {
  /// Lines to be applied in one transaction, all extra or none.
  struct Batch: Sendable {
    let table: Int
    let lines: [CheckedDifferences.Entry]
    /// How often they were tried without success, since somebody held their rows.
    var attempt = 0
    /// Since when they are.
    var heldSince: ContinuousClock.Instant?
  }

  private struct State {
    /// What is to be done after each other; in each batches that can be done beside each other, the next one last.
    var stages: [[Batch]]
    var inFlightCount = 0
    var isStopped = false
    var batchRowLimit = Int.max
    /// What batches have shown to fit into the time for which locks may be held.
    var learntRowLimit = Int.max
    var tables: [RepairReport.Table]
    /// By table, what may be tried again, and why it was left.
    var waiting: [[(line: CheckedDifferences.Entry, row: RepairReport.LeftRow, reason: RepairOutcome.Reason)]]
    var lastWaitingCount = Int.max
    /// By table, why the server has refused rows for good.
    var refusals: [[RepairOutcome.Reason]]
  }

  private let monitor: Monitor<State>
  private let batchRowCount: Int
  private let sampleLimit: Int

  init(_ plan: RepairPlan, batchRowCount: Int, sampleLimit: Int) {
    self.batchRowCount = batchRowCount
    self.sampleLimit = sampleLimit
    let tables = zip(plan.tables.tables, plan.notAskedForCounts).map { table, count in
      var report = RepairReport.Table(table: table.name)
      report.notAskedFor = count
      return report
    }
    monitor = Monitor(
      State(
        stages: Self.stages(plan.writes, plan.deletions, batchRowCount),
        tables: tables,
        waiting: tables.map { _ in [] },
        refusals: tables.map { _ in [] }
      )
    )
  }

  private static func stages(
    _ writes: [[CheckedDifferences.Entry]],
    _ deletions: [[CheckedDifferences.Entry]],
    _ batchRowCount: Int
  ) -> [[Batch]] {
    let stages =
      writes.indices.map { batches(of: $0, writes[$0], batchRowCount) }
      + deletions.indices.reversed().map { batches(of: $0, deletions[$0], batchRowCount) }
    return stages.filter { !$0.isEmpty }
  }

  private static func batches(of table: Int, _ lines: [CheckedDifferences.Entry], _ count: Int) -> [Batch] {
    stride(from: 0, to: lines.count, by: count).map { start in
      Batch(table: table, lines: Array(lines[start..<min(start + count, lines.count)]))
    }.reversed()
  }

  /// The next batch; waits while others are at what has to come before it.
  ///
  /// - Returns: nil when nothing is left, or the queue was stopped.
  func take() -> Batch? {
    monitor.wait { state -> Batch?? in
      guard !state.isStopped else { return .some(nil) }
      while state.inFlightCount == 0, state.stages.first?.isEmpty == true { state.stages.removeFirst() }
      if state.inFlightCount == 0, state.stages.isEmpty { self.lineUpAgain(&state) }
      if let next = state.stages.first?.last {
        state.stages[0].removeLast()
        state.inFlightCount += 1
        let (batch, rest) = next.divided(after: min(state.batchRowLimit, state.learntRowLimit))
        if let rest { state.stages[0].append(rest) }
        return batch
      }
      return state.inFlightCount == 0 ? .some(nil) : nil
    } ?? nil
  }

  /// What was refused because of other rows gets another chance, for as long as fewer remain each time.
  private func lineUpAgain(_ state: inout State) {
    let count = state.waiting.reduce(0) { $0 + $1.count }
    guard count > 0, count < state.lastWaitingCount else { return }
    state.lastWaitingCount = count
    let lines = state.waiting.map { $0.map(\.line) }
    state.stages = Self.stages(
      lines.map { $0.filter { $0.kind != .extra } },
      lines.map { $0.filter { $0.kind == .extra } },
      batchRowCount
    )
    for table in state.waiting.indices { state.waiting[table] = [] }
  }

  /// Some lines of a batch have met their fate.
  ///
  /// - Parameter alteredCount: rows that were written, and that a trigger has made something else of.
  func add(
    _ outcomes: [RepairOutcome],
    of differences: [Difference],
    _ lines: some Sequence<CheckedDifferences.Entry>,
    table: Int,
    alteredCount: Int = 0
  ) {
    monitor.update { state in
      state.tables[table].alteredByTriggers += alteredCount
      if state.learntRowLimit < .max {
        // By little, since a batch that takes too long is done for nothing.
        let larger = state.learntRowLimit + max(state.learntRowLimit / 8, 1)
        state.learntRowLimit = larger < self.batchRowCount ? larger : .max
      }
      for (line, (difference, outcome)) in zip(lines, zip(differences, outcomes)) {
        switch outcome {
        case .inserted: state.tables[table].inserted += 1
        case .updated: state.tables[table].updated += 1
        case .deleted: state.tables[table].deleted += 1
        case .left(let reason):
          let row = RepairReport.LeftRow(key: difference.key, kind: difference.kind, reason: "\(reason)")
          if reason.dependsOnOtherRows {
            state.waiting[table].append((line, row, reason))
          } else {
            self.leave(row, &state.tables[table])
            if case .refused = reason { state.refusals[table].append(reason) }
          }
        }
      }
    }
  }

  private func leave(_ row: RepairReport.LeftRow, _ table: inout RepairReport.Table) {
    table.leftAlone += 1
    // One line for all that the server has refused, whatever it said.
    let reason = row.reason.hasPrefix("refused") ? "refused by the server" : row.reason
    table.reasons[reason, default: 0] += 1
    if table.left.count < sampleLimit { table.left.append(row) }
  }

  /// Somebody holds rows of a batch: it comes again when all else that can be done beside it is done.
  func putBack(_ batches: [Batch]) { monitor.update { $0.stages[0].insert(contentsOf: batches, at: 0) } }

  /// A batch of so many lines would have held its locks for too long: without the next ones being smaller, all of them would be
  /// tried for nothing before the first half is.
  func learnTooLong(rowCount: Int) {
    monitor.update { $0.learntRowLimit = max(min($0.learntRowLimit, rowCount) / 2, 1) }
  }

  /// The lines of a batch have met their fate, or were put back.
  func complete(_ batch: Batch) { monitor.update { $0.inFlightCount -= 1 } }

  /// No batch has more lines than this from now on; nil for no other limit than at the beginning.
  func limitBatches(to rowCount: Int?) { monitor.update { $0.batchRowLimit = rowCount ?? .max } }

  /// Nothing depends on how many there are.
  func expectWorkers(_ count: Int) {}

  /// Nothing is left, or the queue was stopped.
  var isOver: Bool {
    monitor.update { state in
      state.isStopped
        || state.inFlightCount == 0 && state.stages.allSatisfy(\.isEmpty) && state.waiting.allSatisfy(\.isEmpty)
    }
  }

  /// Hands out nothing any more.
  func stop() { monitor.update { $0.isStopped = true } }

  /// What has become of all tables, and by table why rows were left that no batch has recorded.
  ///
  /// - Precondition: nobody is at work.
  func result() -> (tables: [RepairReport.Table], left: [[RepairOutcome.Reason]]) {
    monitor.update { state in
      let left = zip(state.waiting, state.refusals).map { $0.map(\.reason) + $1 }
      for table in state.waiting.indices {
        for waiting in state.waiting[table] { self.leave(waiting.row, &state.tables[table]) }
        state.waiting[table] = []
      }
      return (state.tables, left)
    }
  }
}

extension RepairQueue.Batch {
  /// Both halves; nil for a single line.
  var halves: [RepairQueue.Batch]? {
    guard lines.count > 1 else { return nil }
    let (lower, upper) = divided(after: lines.count / 2)
    return [lower] + (upper.map { [$0] } ?? [])
  }

  /// The first lines, and the others if there are any.
  func divided(after count: Int) -> (RepairQueue.Batch, rest: RepairQueue.Batch?) {
    guard lines.count > count else { return (self, nil) }
    func part(_ lines: ArraySlice<CheckedDifferences.Entry>) -> RepairQueue.Batch {
      RepairQueue.Batch(table: table, lines: Array(lines))
    }
    return (part(lines[..<count]), part(lines[count...]))
  }
}
