import BinaryCopy

/// The merge rule, as pure Swift over the versions of a batch and of production.
struct Classifier {
  /// The rows to insert and to update, as positions in ``StagedBatch/rows``, in key order.
  private(set) var inserts: [UInt32] = []
  private(set) var updates: [UInt32] = []

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
    if !answer.firstOfKey.isEmpty { try settleDuplicates(&batch, answer, plan) }
    let canUpdate = !plan.updatedColumns.isEmpty
    for (index, candidate) in batch.candidates.enumerated() where batch.rows[Int(candidate)].verdict != .duplicate {
      let verdict = try verdict(batch, candidate, answer.matches[index], answer, plan)
      switch verdict {
      case .insert: inserts.append(candidate)
      case .update where canUpdate: updates.append(candidate)
      default: break
      }
      batch.setVerdict(verdict == .update && !canUpdate ? .unchanged : verdict, row: candidate)
    }
  }

  private func verdict(
    _ batch: StagedBatch,
    _ row: UInt32,
    _ match: ProbeAnswer.Match,
    _ answer: ProbeAnswer,
    _ plan: TablePlan
  ) throws(BinaryCopyError) -> Verdict {
    guard case .found(let production) = match else { return .insert }
    let staging = batch.rows[Int(row)].version
    if case .null = production, plan.nullRule == .strict { return .unchanged }
    let order = try plan.versionType.compare(
      staging,
      in: batch.bytes.rawSpan,
      production,
      in: answer.bytes.rawSpan
    )
    return order > 0 ? .update : order == 0 ? .unchanged : .stale
  }

  /// Leaves the newest candidate of each key, where only the server could tell which keys are equal.
  private func settleDuplicates(
    _ batch: inout StagedBatch,
    _ answer: ProbeAnswer,
    _ plan: TablePlan
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
      batch.setVerdict(.duplicate, row: wins ? previous : candidate)
    }
  }
}
