import BinaryCopy

/// The merge rule, as pure Swift over the versions of a batch and of production.
struct Classifier {
  /// The rows to insert and to update, as positions in ``StagedBatch/rows``, in key order.
  private(set) var inserts: [UInt32] = []
  private(set) var updates: [UInt32] = []
  /// The rows as new as production's, in key order; only when ``classify(_:_:_:)`` was asked for them.
  private(set) var ties: [UInt32] = []

  /// Gives every candidate of `batch` its verdict.
  ///
  /// | production | staging against production | verdict |
  /// |---|---|---|
  /// | no row | - | insert |
  /// | row | newer | update |
  /// | row | as new, or both without version | unchanged |
  /// | row | older, or only production has a version | stale |
  /// | row without version | staging has one | update; strict: unchanged |
  mutating func classify(_ batch: inout StagedBatch, _ answer: ProbeAnswer, _ plan: TablePlan) throws(BinaryCopyError) {
    inserts.removeAll(keepingCapacity: true)
    updates.removeAll(keepingCapacity: true)
    ties.removeAll(keepingCapacity: true)
    let rule = MergeRule(plan)
    if !answer.firstOfKey.isEmpty { try settleDuplicates(&batch, answer, plan: plan) }
    let canUpdate = !plan.updatedColumns.isEmpty
    for (index, candidate) in batch.candidates.enumerated() where batch.rows[Int(candidate)].verdict != .duplicate {
      let outcome = try rule.outcome(
        batch.rows[Int(candidate)].version,
        in: batch.bytes.rawSpan,
        answer.matches[index],
        in: answer.bytes.rawSpan
      )
      let verdict = outcome.verdict
      switch verdict {
      case .insert: inserts.append(candidate)
      case .update where canUpdate: updates.append(candidate)
      default: break
      }
      if outcome == .tie && plan.writing.ties != nil { ties.append(candidate) }
      batch.setVerdict(verdict == .update && !canUpdate ? .unchanged : verdict, row: candidate)
    }
  }

  /// Takes rows out of those to be written.
  mutating func leaveOut(_ rows: Set<UInt32>) {
    inserts.removeAll { rows.contains($0) }
    updates.removeAll { rows.contains($0) }
  }

  /// Turns ties that were found to differ into updates.
  mutating func update(_ differing: [UInt32], _ batch: inout StagedBatch) {
    guard !differing.isEmpty else { return }
    for row in differing { batch.setVerdict(.update, row: row) }
    updates.removeAll(keepingCapacity: true)
    for candidate in batch.candidates where batch.rows[Int(candidate)].verdict == .update { updates.append(candidate) }
  }

  /// Leaves the newest candidate of each key, where only the server could tell which keys are equal.
  private func settleDuplicates(
    _ batch: inout StagedBatch,
    _ answer: ProbeAnswer,
    plan: TablePlan
  ) throws(BinaryCopyError) {
    var newest: [UInt32: UInt32] = [:]
    for (index, candidate) in batch.candidates.enumerated() {
      let first = answer.firstOfKey[index]
      guard let previous = newest[first] else {
        newest[first] = candidate
        continue
      }
      let order = try batch.compareVersions(candidate, previous, plan.versionType)
      let wins = order > 0 || (order == 0 && candidate > previous)
      newest[first] = wins ? candidate : previous
      batch.setDuplicate(wins ? previous : candidate, of: wins ? candidate : previous)
    }
  }
}
