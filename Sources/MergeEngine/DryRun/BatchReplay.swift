import BinaryCopy
import Libpq

/// Replays, key by key, what the batches of a run do to rows of one key after each other.
struct BatchReplay {
  private let plan: TablePlan
  private let rule: MergeRule
  private let updatesTies: Bool
  private let waitsForParents: Bool
  private let isInCircle: Bool
  /// Some key has several rows.
  private(set) var hasKeysOfSeveralRows = false
  /// Some key has rows in several batches.
  private(set) var repeatsKeys = false
  /// Rows of such keys that need other rows of the table, which a merge may have written by then or not.
  var unsettledCount: Int { unsettledByBatches + (hasHeirs ? unsettledByKeys : 0) }
  private var unsettledByBatches = 0
  /// The same where all rows of a key are in one batch: a merge may try another one of them first, if what it needs is an older row
  /// that is merged only because a newer one is refused.
  private var unsettledByKeys = 0
  /// There is such a row.
  private var hasHeirs = false
  /// Rows that were refused earlier, and whose keys come again.
  private(set) var triedAgainCount = 0
  /// Older rows of refused rows' keys that want a value which another such row has taken here.
  private(set) var outrunCount = 0
  /// The values that such rows have taken.
  private var taken: Set<SharedValues.Value> = []
  private let connections: WorkerConnections
  /// First addresses of the batches, ascending.
  private let batchStarts: [UInt64]
  private var probe: Probe
  private var lookUp: RowLookUp
  private let pairs: PairComparison
  private var batch = StagedBatch()
  private var answer = ProbeAnswer()
  private var found = ProductionRows()

  /// - Parameters:
  ///   - waitsForParents: rows that a foreign key refuses are read once more in the end.
  ///   - isInCircle: not all parents are there before.
  init(
    _ plan: TablePlan,
    _ ranges: [TupleRange],
    updatesTies: Bool,
    waitsForParents: Bool,
    isInCircle: Bool,
    on connections: WorkerConnections,
    number: Int
  ) throws(PostgresError) {
    self.plan = plan
    self.updatesTies = updatesTies
    self.waitsForParents = waitsForParents
    self.isInCircle = isInCircle
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

  /// Adds to `outcome` how the verdicts of these rows change when the batches come one after the other, and older rows of a
  /// key get their chance where newer ones are refused.
  ///
  /// - Parameters:
  ///   - foresight: knows what production objects to.
  ///   - helpless: which of hopeful rows nothing helps, and why not.
  mutating func run(
    _ rows: inout KeyedRows,
    _ foresight: inout Foresight,
    helpless: ([DryRunOutcome.HopefulRow]) throws -> [UInt64: Int],
    _ outcome: inout DryRunOutcome
  ) throws {
    rows.fill(&batch)
    try batch.index(plan)
    let keys = Self.runs(rows.groups)
    batch.candidates = keys.map { UInt32($0.lowerBound) }
    guard !keys.isEmpty else { return }
    try probe.lookUp(batch, on: connections.production, &answer)
    try lookUp.lookUp(batch.candidates, of: batch, on: connections.production, &found)
    let all = batch.rows.indices.map { UInt32($0) }
    var refused = Refusals(objections: foresight.objections)
    refused.inserts = try refusals(
      foresight.refusals(inserts: all, updates: [], of: batch, areOneBatch: false, &outcome),
      foresight.objections,
      helpless,
      &refused.waiting
    )
    refused.updates = try refusals(
      foresight.refusals(inserts: [], updates: all, of: batch, areOneBatch: false, &outcome),
      foresight.objections,
      helpless,
      &refused.waiting
    )
    for (key, rows) in keys.enumerated() {
      var present = Present.production
      let batches = try batches(of: rows)
      let waitingCount = rows.count { refused.waiting.contains(UInt32($0)) }
      hasKeysOfSeveralRows = hasKeysOfSeveralRows || rows.count > 1
      if batches.count > 1 {
        repeatsKeys = true
        unsettledByBatches += waitingCount
      } else if rows.count > 1 {
        unsettledByKeys += waitingCount
      }
      triedAgainCount += rows.count { plan.reading.state.triedAgain.contains(batch.rows[$0].address) }
      for rows in batches { try replay(rows, key: key, &present, refused, &outcome) }
      let orphans = rows.map { UInt32($0) }.filter { row in
        outcome.refused[batch.rows[Int(row)].address] != nil && refused.isForLackOfParent(row)
      }
      if waitsForParents, !orphans.isEmpty {
        try replay(newestFirst(orphans), key: key, &present, refused, &outcome)
      }
    }
  }

  /// Why rows would be refused, by their positions in the piece, for each way of writing them.
  private struct Refusals {
    let objections: [Objection]
    var inserts: [UInt32: Reason] = [:]
    var updates: [UInt32: Reason] = [:]
    /// Rows that other rows of the table may help.
    var waiting: Set<UInt32> = []

    struct Reason {
      let words: String
      var isLackOfParent = false
    }

    func reason(_ row: UInt32, _ verdict: Verdict) -> String? {
      (verdict == .insert ? inserts[row] : verdict == .update ? updates[row] : nil)?.words
    }

    func isForLackOfParent(_ row: UInt32) -> Bool { (inserts[row] ?? updates[row])?.isLackOfParent == true }
  }

  private func refusals(
    _ refusals: [UInt32: Foresight.Refusal],
    _ objections: [Objection],
    _ helpless: ([DryRunOutcome.HopefulRow]) throws -> [UInt64: Int],
    _ waiting: inout Set<UInt32>
  ) throws -> [UInt32: Refusals.Reason] {
    let hopeful = refusals.compactMap { row, refusal -> DryRunOutcome.HopefulRow? in
      guard case .hopeful(let objections) = refusal else { return nil }
      return .init(address: batch.rows[Int(row)].address, verdict: .insert, objections: objections)
    }
    let helpless = try hopeful.isEmpty ? [:] : helpless(hopeful)
    return refusals.reduce(into: [UInt32: Refusals.Reason]()) { reasons, entry in
      switch entry.value {
      case .final(let words), .contested(let words): reasons[entry.key] = .init(words: words)
      case .hopeful(let against):
        guard let objection = helpless[batch.rows[Int(entry.key)].address] else {
          if against.contains(where: { isAboutOwnRows(objections[$0]) }) { waiting.insert(entry.key) }
          return
        }
        reasons[entry.key] = .init(
          words: objections[objection].words,
          isLackOfParent: objections[objection].isAboutParent
        )
      }
    }
  }

  /// Whether it is rows of the same table that may help: parents in others are there before, but around a circle.
  private func isAboutOwnRows(_ objection: Objection) -> Bool {
    !objection.isAboutParent || isInCircle || objection.isAboutParent(plan.productionOid)
  }

  /// Why a row is refused that would be written, but for the unique value that another row of its batch gets.
  private mutating func contest(
    _ address: UInt64,
    _ verdict: Verdict,
    _ objections: [Objection],
    _ outcome: DryRunOutcome
  ) -> String? {
    guard verdict.isWritten else { return nil }
    if outcome.contested.contains(address) { return outcome.refused[address] ?? nil }
    for value in wanted(address, verdict, objections, outcome) {
      let isWritten = value.firstIsWritten && outcome.refused[value.first] == nil
      guard isWritten || taken.contains(value) else { continue }
      if !isWritten { outrunCount += 1 }
      return objections[value.objection].words
    }
    return nil
  }

  /// The values that an older row of a refused row's key would write.
  private func wanted(
    _ address: UInt64,
    _ verdict: Verdict,
    _ objections: [Objection],
    _ outcome: DryRunOutcome
  ) -> [SharedValues.Value] {
    (outcome.inherited[address] ?? []).filter { verdict == .insert || !objections[$0.objection].isOfInsertsOnly }
  }

  /// Replays the rows of one key in one batch.
  private mutating func replay(
    _ rows: [UInt32],
    key: Int,
    _ present: inout Present,
    _ refused: Refusals,
    _ outcome: inout DryRunOutcome
  ) throws {
    var isSettled = false
    for (position, row) in rows.enumerated() {
      let address = batch.rows[Int(row)].address
      let isFirst = position == 0
      let alone = try verdict(row, .production, key: key)
      let counted = outcome.refused[address] != nil ? .error : isFirst ? alone.verdict : .duplicate
      let inTurn = try verdict(row, present, key: key)
      var final = inTurn.verdict
      let own = refused.reason(row, final)
      let contest = isSettled || own != nil ? nil : contest(address, final, refused.objections, outcome)
      let reason = own ?? contest
      if isSettled || !isFirst && !final.isWritten {
        final = .duplicate
      } else if reason != nil {
        final = .error
      } else {
        isSettled = true
        hasHeirs = hasHeirs || !isFirst
        if final.isWritten {
          present = .staged(row)
          taken.formUnion(wanted(address, final, refused.objections, outcome))
        }
      }
      if isFirst, counted != .error {
        outcome.differingTieCount += (inTurn.isDifferingTie ? 1 : 0) - (alone.isDifferingTie ? 1 : 0)
      }
      if final == .error, let reason {
        if counted != .error {
          if contest == nil { outcome.refuse(address, reason) } else { outcome.refuse(contested: address, reason) }
        }
      } else if counted == .error {
        outcome.spare(address)
      }
      outcome.exchange(counted, for: final)
    }
  }

  /// The rows of a key as the batches hold them, in each the newest first.
  private func batches(of rows: Range<Int>) throws -> [[UInt32]] {
    var batches: [[UInt32]] = []
    var lastNumber: Int?
    for row in rows {
      let number = batchStarts.partitioningIndex { $0 > batch.rows[row].address }
      if number != lastNumber { batches.append([]) }
      lastNumber = number
      batches[batches.count - 1].append(UInt32(row))
    }
    return try batches.map(newestFirst)
  }

  /// Of equally new ones the last in staging, which arrived last.
  private func newestFirst(_ rows: [UInt32]) throws -> [UInt32] {
    try rows.sorted { left, right in
      let order = try batch.compareVersions(left, right, plan.versionType)
      return order > 0 || order == 0 && left > right
    }
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
    guard let comparison = plan.writing.ties else { return false }
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
