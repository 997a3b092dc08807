import Libpq

/// What a batch needs on its way that does not belong to one table: memory, used again for every batch.
struct BatchMemory {
  var batch = StagedBatch()
  var order = KeyOrder()
  var answer = ProbeAnswer()
  var classifier = Classifier()
}

/// The stations of one table on one connection: claim, probe, classify, apply, record.
struct Stations {
  /// How careful a batch is carried.
  enum Mode {
    /// Every statement once, for the whole batch: right unless somebody interferes or a row is bad.
    case fast
    /// Row by row where needed: what others insert meanwhile is no error, what the server refuses is put aside.
    case careful
  }

  private let plan: TablePlan
  private let production: Connection
  /// Only for rows of a snapshot.
  private var loader: SnapshotLoader?
  private let claim: Claim
  private var routes: RouteChoice
  private var probe: Probe
  private var apply: Apply
  /// Only where the server can copy rows itself.
  private var applyWithinServer: ApplyWithinServer?
  /// Only with `--ties compare`.
  private var tieCheck: TieCheck?
  /// Only for rows of a snapshot.
  private let progress: SnapshotProgress.Writer?
  private let record: BatchRecord
  private let quarantine: Quarantine
  /// A refused row fails the batch instead of being put aside.
  private let isAllOrNothing: Bool

  /// Makes the temporary table and prepares the statements; `number` tells the tables of one connection apart.
  init(
    _ plan: TablePlan,
    number: Int,
    run: RunRecord,
    worker: Int,
    admin: Identifier,
    isAllOrNothing: Bool,
    _ connections: WorkerConnections
  ) throws {
    self.plan = plan
    production = connections.production
    self.isAllOrNothing = isAllOrNothing
    loader = try plan.snapshot.map {
      try SnapshotLoader($0, connections.production, isAllOrNothing: isAllOrNothing)
    }
    progress = try SnapshotProgress(plan, admin: admin).map {
      try SnapshotProgress.Writer($0, runID: run.id, name: "progress_\(number)", connections.production)
    }
    claim = Claim(plan: plan, staging: connections.staging)
    routes = RouteChoice(plan, isOneDatabase: !connections.isSplit)
    probe = try Probe(plan, production, statementName: "probe_\(number)")
    apply = try Apply(plan, production, batchTable: Identifier("merge_engine_batch_\(number)"))
    if routes.isOpen(.withinServer) {
      applyWithinServer = try ApplyWithinServer(plan, production, statementName: "within_\(number)")
    }
    tieCheck = try plan.ties.map { comparison in
      try TieCheck(plan, comparison, on: connections.production, statementName: "ties_\(number)")
    }
    record = try BatchRecord(
      plan,
      run: run,
      worker: worker,
      admin: admin,
      name: "record_\(number)",
      production
    )
    quarantine = Quarantine(
      record: RefusalRecord(plan: plan, runID: run.id, admin: admin, connections: connections)
    )
  }

  /// Carries the rows of a batch into production, within the transaction that is open.
  mutating func carry(_ place: BatchPlace, _ mode: Mode, _ memory: inout BatchMemory) throws -> VerdictCounts {
    let start = ContinuousClock.now
    switch place {
    case .blocks(let range): return try carry(range, mode, &memory, since: start)
    case .slice(let slice):
      guard let range = try loader?.load(slice) else { preconditionFailure("slices are of snapshots only") }
      try progress?.add(slice)
      return try carry(range, mode, &memory, since: start)
    }
  }

  private mutating func carry(
    _ range: TupleRange,
    _ mode: Mode,
    _ memory: inout BatchMemory,
    since start: ContinuousClock.Instant
  ) throws -> VerdictCounts {
    var refusedCount = 0
    let route = mode == .fast ? routes.next : .wholeRows
    if mode == .careful && !isAllOrNothing {
      // Deferred constraints would speak up at the commit, when no row can be told from another any more.
      try production.execute("SET CONSTRAINTS ALL IMMEDIATE", "making deferred constraints immediate")
      refusedCount = try claim.readCarefully(range, into: &memory.batch, refuse: quarantine.record.write)
    } else {
      try claim.read(range, columnCount: route == .wholeRows ? nil : plan.comparedColumnCount, into: &memory.batch)
    }
    try memory.order.arrange(&memory.batch, plan)
    try probe.lookUp(memory.batch, on: production, &memory.answer)
    try memory.classifier.classify(&memory.batch, memory.answer, plan)
    if let differing = try tieCheck?.differing(memory.classifier.ties, of: memory.batch, on: production) {
      memory.classifier.update(differing, &memory.batch)
    }
    routes.learn(
      insertedCount: memory.classifier.inserts.count,
      updatedCount: memory.classifier.updates.count,
      rowCount: memory.batch.rows.count
    )
    let written =
      switch route {
      case .wholeRows: try write(mode, &memory)
      case .lateRows: try writeLate(&memory)
      case .withinServer: try writeWithinServer(memory)
      }
    let counts = tally(memory.batch, written, refusedCount)
    if counts.read > 0 { try record.add(counts, elapsed: .now - start) }
    return counts
  }

  private mutating func writeLate(_ memory: inout BatchMemory) throws -> Apply.Counts {
    do {
      try claim.readWhole(memory.classifier.inserts + memory.classifier.updates, of: &memory.batch)
    } catch let error as RowRoute.Closed {
      routes.close(.lateRows)
      throw error
    }
    return try write(.fast, &memory)
  }

  private mutating func writeWithinServer(_ memory: BatchMemory) throws -> Apply.Counts {
    guard applyWithinServer != nil else { preconditionFailure("the route is open only with its statements") }
    do {
      return try applyWithinServer?.write(
        memory.batch,
        inserts: memory.classifier.inserts,
        updates: memory.classifier.updates
      ) ?? Apply.Counts()
    } catch let error as RowRoute.Closed {
      routes.close(.withinServer)
      throw error
    }
  }

  private mutating func write(_ mode: Mode, _ memory: inout BatchMemory) throws -> Apply.Counts {
    let inserts = memory.classifier.inserts
    let updates = memory.classifier.updates
    guard mode == .careful else { return try apply.writeFast(memory.batch, inserts: inserts, updates: updates) }
    guard !isAllOrNothing else { return try apply.writeExactly(memory.batch, inserts: inserts, updates: updates) }
    var counts = Apply.Counts()
    while true {
      let refusals = try writeAroundRefused(memory, &counts)
      try quarantine.put(refusals, of: memory.batch)
      for refusal in refusals { memory.batch.setVerdict(.error, row: refusal.row) }
      guard !refusals.isEmpty, memory.batch.hasDuplicates else { return counts }
      try reviveDuplicates(&memory)
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
    return refusedInserts + refusedUpdates
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
    try quarantine.write(
      rows,
      on: production,
      counts: &counts,
      after: { try apply.emptyBatchTable() },
      by: { try verdict == .insert ? apply.insertExactly($0, of: batch) : apply.updateExactly($0, of: batch) }
    )
  }

  /// Tries rows again that may have been refused only because other rows of the batch were not there yet (a foreign key
  /// within the table) or were still there (a unique value that moves from one row to another).
  private mutating func giveSecondChance(
    _ refusals: inout [Quarantine.Refusal],
    _ verdict: Verdict,
    _ batch: StagedBatch,
    _ counts: inout Apply.Counts
  ) throws {
    let hopeful = refusals.filter { $0.error.sqlState?.dependsOnOtherRows == true }
    guard !hopeful.isEmpty else { return }
    refusals.removeAll { $0.error.sqlState?.dependsOnOtherRows == true }
    refusals += try writeCarefully(hopeful.reversed().map(\.row), verdict, batch, &counts)
  }

  /// A refused row may have kept an older row of its key from being merged: the duplicates get their chance against
  /// production as it is now, with what this batch has written.
  private mutating func reviveDuplicates(_ memory: inout BatchMemory) throws {
    try memory.order.arrange(&memory.batch, plan, onlyDuplicates: true)
    for row in memory.batch.candidates { memory.batch.setVerdict(.unchanged, row: row) }
    try probe.lookUp(memory.batch, on: production, &memory.answer)
    try memory.classifier.classify(&memory.batch, memory.answer, plan)
    // Those that are not needed after all are what they were.
    for row in memory.batch.candidates where !memory.batch.rows[Int(row)].verdict.isWritten {
      memory.batch.setVerdict(.duplicate, row: row)
    }
  }

  /// Counts the verdicts; rows that lost the race count as stale.
  private func tally(_ batch: StagedBatch, _ written: Apply.Counts, _ refusedCount: Int) -> VerdictCounts {
    var counts = VerdictCounts()
    counts.read = batch.rows.count + refusedCount
    counts.inserted = written.inserted
    counts.updated = written.updated
    counts.lostRaces = written.lostRaces
    counts.stale = written.lostRaces
    counts.errors = refusedCount
    for row in batch.rows {
      switch row.verdict {
      case .insert, .update: break
      case .unchanged: counts.unchanged += 1
      case .stale: counts.stale += 1
      case .duplicate: counts.duplicate += 1
      case .error: counts.errors += 1
      }
    }
    counts.batches = 1
    return counts
  }
}
