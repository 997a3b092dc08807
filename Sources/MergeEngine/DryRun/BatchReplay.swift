import BinaryCopy
import Libpq

/// Replays, key by key, what the batches of a run do to rows of one key after each other.
struct BatchReplay {
  private let plan: TablePlan
  private let rule: MergeRule
  private let updatesTies: Bool
  private let connections: WorkerConnections
  /// First addresses of the batches, ascending.
  private let batchStarts: [UInt64]
  private var probe: Probe
  private var lookUp: RowLookUp
  private let pairs: PairComparison
  private var batch = StagedBatch()
  private var answer = ProbeAnswer()
  private var found = ProductionRows()

  init(
    _ plan: TablePlan,
    _ ranges: [TupleRange],
    updatesTies: Bool,
    on connections: WorkerConnections,
    number: Int
  ) throws(PostgresError) {
    self.plan = plan
    self.updatesTies = updatesTies
    self.connections = connections
    rule = MergeRule(plan)
    batchStarts = ranges.map(\.start).sorted()
    probe = try Probe(plan, connections.production, statementName: "replay_probe_\(number)")
    lookUp = try RowLookUp(plan, connections.production, statementName: "replay_rows_\(number)")
    pairs = PairComparison(plan, connections.production)
  }

  /// What a key's row in production is at a moment of the run: as it is now, or as a batch has left it.
  private enum Present {
    case production
    case staged(UInt32)
  }

  private struct Verdicts {
    var verdict: Verdict
    var isDifferingTie: Bool
  }

  /// Adds to `outcome` how the verdicts of these rows change when the batches come one after the other.
  mutating func run(_ rows: inout KeyedRows, _ outcome: inout DryRunOutcome) throws {
    rows.fill(&batch)
    try batch.index(plan)
    let keys = Self.runs(rows.groups)
    batch.candidates = keys.map { UInt32($0.lowerBound) }
    guard !keys.isEmpty else { return }
    try probe.lookUp(batch, on: connections.production, &answer)
    try lookUp.lookUp(batch.candidates, of: batch, on: connections.production, &found)
    for (key, rows) in keys.enumerated() {
      var present = Present.production
      for candidate in try newestOfEachBatch(rows) {
        let alone = try verdict(candidate, .production, key: key)
        let inTurn = try verdict(candidate, present, key: key)
        outcome.exchange(alone.verdict, for: inTurn.verdict)
        outcome.differingTieCount += (inTurn.isDifferingTie ? 1 : 0) - (alone.isDifferingTie ? 1 : 0)
        if inTurn.verdict == .insert || inTurn.verdict == .update { present = .staged(candidate) }
      }
    }
  }

  /// The rows that are left when each batch has settled its own duplicates.
  private func newestOfEachBatch(_ rows: Range<Int>) throws -> [UInt32] {
    var newest: [UInt32] = []
    var lastBatch: Int?
    for row in rows {
      let number = batchStarts.partitioningIndex { $0 > batch.rows[row].address }
      if number == lastBatch, let previous = newest.last {
        if try batch.compareVersions(UInt32(row), previous, plan.versionType) >= 0 {
          newest[newest.count - 1] = UInt32(row)
        }
      } else {
        newest.append(UInt32(row))
      }
      lastBatch = number
    }
    return newest
  }

  private func verdict(_ row: UInt32, _ present: Present, key: Int) throws -> Verdicts {
    let bytes = batch.bytes.rawSpan
    let outcome: MergeRule.Outcome
    switch present {
    case .production:
      outcome = try rule.outcome(
        batch.rows[Int(row)].version,
        in: bytes,
        answer.matches[key],
        in: answer.bytes.rawSpan
      )
    case .staged(let other):
      outcome = try rule.outcome(
        batch.rows[Int(row)].version,
        in: bytes,
        .found(batch.rows[Int(other)].version),
        in: bytes
      )
    }
    if outcome == .newer && plan.updatedColumns.isEmpty { return Verdicts(verdict: .unchanged, isDifferingTie: false) }
    let differs = try outcome == .tie && self.differs(row, from: present, key: key)
    return Verdicts(verdict: differs && updatesTies ? .update : outcome.verdict, isDifferingTie: differs)
  }

  /// Whether a row holds something else than what is there.
  private func differs(_ row: UInt32, from present: Present, key: Int) throws -> Bool {
    let fields = batch.rows[Int(row)].fields
    switch present {
    case .staged(let other):
      return try differs(fields, from: batch.rows[Int(other)].fields, in: batch.bytes.rawSpan)
    case .production:
      guard let range = found.ranges[key] else { return false }
      return try differs(fields, from: range, in: found.bytes.rawSpan)
    }
  }

  private func differs(_ left: Range<Int>, from right: Range<Int>, in rightBytes: RawSpan) throws -> Bool {
    guard let comparison = plan.ties else { return false }
    let leftBytes = batch.bytes.rawSpan
    switch try comparison.likeness(left, in: leftBytes, right, in: rightBytes) {
    case .equal: return false
    case .different: return true
    case .undecided:
      return try comparison.unequalFields(left, in: leftBytes, right, in: rightBytes).contains { field in
        try !pairs.areEqual(
          [PairComparison.Pair(left: field.left, right: field.right)],
          of: field.column,
          left: leftBytes,
          right: rightBytes
        )[0]
      }
    }
  }

  /// The stretches of equal numbers.
  private static func runs(_ groups: [Int64]) -> [Range<Int>] {
    var runs: [Range<Int>] = []
    var start = 0
    for index in groups.indices.dropFirst() where groups[index] != groups[index - 1] {
      runs.append(start..<index)
      start = index
    }
    if start < groups.count { runs.append(start..<groups.count) }
    return runs
  }
}

extension DryRunOutcome {
  /// One row's verdict turns out to be another.
  fileprivate mutating func exchange(_ old: Verdict, for new: Verdict) {
    guard old != new else { return }
    counts.add(-1, to: old)
    counts.add(1, to: new)
  }
}

extension VerdictCounts {
  /// Changes the count of one verdict.
  fileprivate mutating func add(_ change: Int, to verdict: Verdict) {
    switch verdict {
    case .insert: inserted += change
    case .update: updated += change
    case .unchanged: unchanged += change
    case .stale: stale += change
    case .duplicate: duplicate += change
    case .error: errors += change
    }
  }
}

extension [UInt64] {
  /// The first index whose element fulfils `isBehind`, by halving; all elements after it do too.
  fileprivate func partitioningIndex(_ isBehind: (UInt64) -> Bool) -> Int {
    var low = startIndex
    var high = endIndex
    while low < high {
      let middle = low + (high - low) / 2
      if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
