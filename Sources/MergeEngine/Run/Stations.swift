import Libpq

/// What a batch needs on its way that does not belong to one table: memory, used again for every batch.
struct BatchMemory {
  var batch = StagedBatch()
  var order = KeyOrder()
  var answer = ProbeAnswer()
  var classifier = Classifier()

  /// Gives every candidate its verdict: by its version, and where ties are compared by what else it holds.
  ///
  /// - Parameter isCompared: which ties are.
  mutating func classify(
    _ plan: TablePlan,
    comparing ties: inout TieCheck?,
    on production: Connection,
    where isCompared: (UInt32) -> Bool = { _ in true }
  ) throws {
    try classifier.classify(&batch, answer, plan)
    guard var check = ties.take() else { return }
    defer { ties = check }
    classifier.update(
      try check.differing(classifier.ties.filter(isCompared), of: batch, on: production),
      &batch
    )
  }

  /// Classifies the older rows of keys with several: a refused row may have kept one of them from being merged.
  ///
  /// They are looked up in production as it is now, with what the batch has written. Ties are compared only of those whose newer row
  /// was refused: the others have lost to a row that is as new as they are.
  mutating func reviveDuplicates(
    _ plan: TablePlan,
    by probe: inout Probe,
    comparing ties: inout TieCheck?,
    on production: Connection
  ) throws {
    let heirs = ties == nil ? [] : batch.heirs
    try order.arrange(&batch, plan, onlyDuplicates: true)
    for row in batch.candidates { batch.setVerdict(.unchanged, row: row) }
    try probe.lookUp(batch, on: production, &answer)
    try classify(plan, comparing: &ties, on: production) { heirs.contains($0) }
    // Those that are not needed after all are what they were.
    for row in batch.candidates where !batch.rows[Int(row)].verdict.isWritten {
      batch.setVerdict(.duplicate, row: row)
    }
  }
}

/// The stations of one table on one connection: claim, probe, classify, apply, record.
struct Stations {
  /// How careful a batch is carried.
  enum Mode {
    /// Every statement once, for the whole batch: right unless somebody interferes or a row is bad.
    case fast
    /// What looks bad is set apart, to be tried by itself, and the rest is written in one go; what others insert meanwhile is
    /// no error.
    case asking
    /// Row by row where needed: what others insert meanwhile is no error, what the server refuses is put aside. Locks are
    /// held while that is searched for, so only for a few rows.
    case careful
  }

  private let plan: TablePlan
  private let connections: WorkerConnections
  private let production: Connection
  /// Only for rows of a snapshot.
  private var loader: SnapshotLoader?
  private let claim: Claim
  private var ways: WayChoice
  private var pageCounter = PageCounter()
  private var probe: Probe
  private var writer: BatchWriter
  /// Only with `--ties compare`.
  private var tieCheck: TieCheck?
  private let record: BatchRecord
  private let ledger: ProgressTable
  private let number: Int
  /// Made when they are asked for the first time.
  private var questions: Questions?
  private let marks: StagingMarks
  private let quarantine: Quarantine
  private let runID: Int
  /// Of the batch under way.
  var budget: LockBudget { writer.budget }
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
    self.connections = connections
    production = connections.production
    self.isAllOrNothing = isAllOrNothing
    runID = run.id
    self.number = number
    ledger = ProgressTable(admin: admin)
    loader = try plan.reading.snapshot.map {
      try SnapshotLoader($0, connections.production, isAllOrNothing: isAllOrNothing)
    }
    claim = Claim(plan: plan, staging: connections.staging)
    ways = WayChoice(plan, isOneDatabase: !connections.isSplit)
    probe = try Probe(plan, production, statementName: "probe_\(number)")
    quarantine = Quarantine(
      record: RefusalRecord(plan: plan, runID: run.id, admin: admin, connections: connections)
    )
    writer = try BatchWriter(
      plan,
      number: number,
      copiesWithinServer: ways.mayCopyWithinServer,
      isAllOrNothing: isAllOrNothing,
      quarantine,
      production
    )
    tieCheck = try plan.writing.ties.map { comparison in
      try TieCheck(plan, comparison, on: connections.production, statementName: "ties_\(number)")
    }
    record = try BatchRecord(
      plan,
      run: run,
      worker: worker,
      admin: admin,
      name: "record_\(number)",
      isOneDatabase: !connections.isSplit,
      production
    )
    marks = StagingMarks(plan, admin: admin, connections)
    try production.executeWaiting()
  }

  /// Carries the rows of a batch into production, and ends the transaction that is open, or the batch's savepoint in it.
  ///
  /// - Parameters:
  ///   - item: the batch; the rows of its place that are beyond its limit are left for another one.
  ///   - budget: how long locks may be held.
  /// - Throws: ``Claim/TooLarge``, ``RowRoute/Closed``, ``BatchRecord/StagingRewritten``; ``PostgresError``.
  mutating func carry(
    _ item: WorkQueue.Item,
    _ mode: Mode,
    within budget: LockBudget,
    memory: inout BatchMemory
  ) throws -> Carried {
    let start = ContinuousClock.now
    writer.begin(within: budget)
    try marks.begin()
    var place = item.place
    let source: StagedPlace
    switch place {
    case .blocks(let blocks): source = .range(blocks)
    case .rows(let rows): source = .rows(rows)
    case .keys(let keyed): source = .rows(keyed.addresses)
    case .slice(let slice):
      guard let loaded = try load(slice) else {
        var counts = VerdictCounts()
        (counts.read, counts.errors, counts.batches) = (1, 1, 1)
        _ = try finish(place, counts, refused: [], setApart: [], since: start)
        return Carried(counts: counts, place: place)
      }
      source = .range(loaded)
    }
    // Among rows with a batch of their own may be some that need each other: they are checked when all of them are written. In a
    // run of one transaction that is at its end.
    let isCheckedLast = if mode == .fast, !isAllOrNothing, case .rows = place { true } else { false }
    let way = ways.next(mode, place)
    let (carried, refusedInReading) = try read(source, rowLimit: item.rowLimit, way.route, mode, memory: &memory)
    switch (place, carried) {
    case (.blocks, .range(let range)): place = .blocks(range)
    // Of rows that were to be read again those outside of the window still are.
    case (.rows, _): place = .rows((memory.batch.rows.map(\.address) + refusedInReading).sorted())
    default: break
    }
    // A single row takes what it takes.
    if memory.batch.rows.count <= 1 { writer.begin(within: LockBudget(nil)) }
    try memory.order.arrange(&memory.batch, plan)
    let lookUpStart = ContinuousClock.now
    if mode == .careful && !isAllOrNothing {
      try lookUpCarefully(&memory)
    } else {
      try probe.lookUp(memory.batch, on: production, readsAhead: way.readsAhead, &memory.answer)
    }
    let lookUpTime = ContinuousClock.now - lookUpStart
    try memory.classify(plan, comparing: &tieCheck, on: production)
    ways.learn(
      insertedCount: memory.classifier.inserts.count,
      updatedCount: memory.classifier.updates.count,
      rowCount: memory.batch.rows.count
    )
    let groups = mode == .asking ? try setApart(&memory) : []
    let setApart = groups.flatMap(\.self)
    let written = try write(mode, way, isCheckedLast: isCheckedLast, &memory)
    var counts = tally(memory.batch, written, refusedCount: refusedInReading.count)
    counts.read -= setApart.count
    var pages = PageCounts()
    // Of a file also what lies outside of the window is done with.
    if counts.read + setApart.count > 0 || plan.reading.snapshot != nil {
      let refused = refusedInReading + memory.batch.refusedAddresses
      let reading = try finish(place, counts, refused: refused, setApart: setApart, since: start)
      if let reading { pages = pageCounter.advance(to: reading) }
    } else {
      try connections.commit(ending.sql, ending.operation)
    }
    ways.learn(pages, lookUpTime: lookUpTime)
    return Carried(counts: counts, place: place, pages: pages, isCold: way.readsAhead, setApart: groups)
  }

  /// Loads rows of a file, which are sent as text of the file's encoding; a row with letters that production's lacks is found by
  /// halves, and refused.
  ///
  /// - Returns: nil for a row that was refused.
  private mutating func load(_ slice: SnapshotSlice) throws -> TupleRange? {
    guard var loader = self.loader.take() else { preconditionFailure("slices are of snapshots only") }
    defer { self.loader = loader }
    func refuses(_ error: PostgresError) -> Bool { error.origin == .server && error.refusesRow && !isAllOrNothing }
    guard slice.rowCount == 1, let row = slice.rows.first?.lowerBound, !isAllOrNothing else {
      do {
        return try loader.load(slice)
      } catch let error as PostgresError where refuses(error) && slice.rowCount > 1 {
        throw Claim.TooLarge()
      }
    }
    do {
      return try Savepoint.attempt(on: production) { try loader.load(slice) }
    } catch let error as PostgresError where refuses(error) {
      try quarantine.record.write(fileRow: row, error)
      return nil
    }
  }

  /// Looks the keys up that production can read, and refuses the rows of the others.
  private mutating func lookUpCarefully(_ memory: inout BatchMemory) throws {
    let production = production
    let unreadable = try probe.lookUpReadable(&memory.batch, on: production, &memory.answer) { lookUp in
      try Savepoint.attempt(on: production) { try lookUp() }
    }
    for (row, _) in unreadable { memory.batch.setVerdict(.error, row: row) }
    try quarantine.put(unreadable.map { Quarantine.Refusal(row: $0.row, error: $0.error) }, of: memory.batch)
  }

  /// Takes what looks bad out of the rows to be written, and with it the older rows of its keys: they get their chance if
  /// the newest is refused.
  ///
  /// - Returns: the addresses of these rows, key by key.
  private mutating func setApart(_ memory: inout BatchMemory) throws -> [[UInt64]] {
    let suspects = try self.suspects(memory)
    guard !suspects.isEmpty else { return [] }
    memory.classifier.leaveOut(suspects)
    return try memory.batch.setApart(suspects, by: plan.versionType)
  }

  /// Which rows to be written production would refuse; none if a row raises an error when that is asked.
  private mutating func suspects(_ memory: BatchMemory) throws -> Set<UInt32> {
    var questions = questions
    defer { self.questions = questions }
    do {
      let suspects = try Savepoint.attempt(on: production) {
        if questions == nil {
          // A parent within the table may come with the batch.
          let objections = try Objections(plan, production).all().filter { !$0.isAboutParent(plan.productionOid) }
          questions = try Questions(plan, objections, production, statementName: "ask_\(number)")
        }
        return try questions?.suspects(
          inserts: memory.classifier.inserts,
          updates: memory.classifier.updates,
          of: memory.batch,
          on: production
        )
      }
      return Set((suspects ?? []).map(\.row))
    } catch let error as PostgresError where error.origin == .server && error.sqlState?.isWorthRetrying == false {
      return []
    }
  }

  /// - Returns: the part of the place that was read, and the rows in it that can't be read as production's types.
  private func read(
    _ place: StagedPlace,
    rowLimit: Int,
    _ route: RowRoute,
    _ mode: Mode,
    memory: inout BatchMemory
  ) throws -> (place: StagedPlace, refused: [UInt64]) {
    let rowLimit = plan.reading.snapshot == nil ? rowLimit : nil
    if mode == .fast || isAllOrNothing, case .range(let range) = place {
      let columnCount = route == .wholeRows ? nil : plan.comparedColumnCount
      let read = try claim.read(range, columnCount: columnCount, rowLimit: rowLimit, into: &memory.batch)
      return (.range(read), [])
    }
    if mode == .fast, case .rows(let rows) = place {
      try claim.read(rows: rows, into: &memory.batch)
      return (place, [])
    }
    // Deferred constraints would speak up at the commit, when no row can be told from another any more.
    try production.execute("SET CONSTRAINTS ALL IMMEDIATE", "setting constraints immediate")
    var place = place
    if case .range(let range) = place, let rowLimit {
      place = .range(try claim.start(of: range, rowLimit: rowLimit))
    }
    var refused: [UInt64] = []
    try claim.readCarefully(place, into: &memory.batch) { address, error in
      refused.append(address)
      try quarantine.record.write([(address, error)])
    }
    return (place, refused)
  }

  /// What ends a batch. With two databases production comes first.
  private var ending: Companion {
    Companion(isAllOrNothing ? "RELEASE SAVEPOINT batch" : "COMMIT", "committing a batch")
  }

  /// Marks the rows, notes what was done, and commits.
  ///
  /// - Returns: as ``BatchRecord/add(_:at:marker:elapsed:then:)``.
  private func finish(
    _ place: BatchPlace,
    _ counts: VerdictCounts,
    refused: [UInt64],
    setApart: [UInt64],
    since start: ContinuousClock.Instant
  ) throws -> PageCounter.Reading? {
    let source: StagedPlace? =
      switch place {
      case .blocks(let range): .range(range)
      case .rows(let rows): .rows(rows)
      case .keys(let keyed): .rows(keyed.addresses)
      case .slice: nil
      }
    let marker = source == nil ? nil : try marks.marker()
    try writer.limitNext()
    // With --atomic a batch is a savepoint; its marks would be of a transaction that nobody knows. All are made at the end.
    if let source, !isAllOrNothing {
      try marks.mark(source, refused: refused, leaving: setApart, runID: runID)
    }
    // Rows that are set apart are unread again only by an entry behind the one that says their place is merged.
    let endsWithRecord = setApart.isEmpty
    let reading = try record.add(
      counts,
      at: place,
      marker: marker,
      elapsed: .now - start,
      then: endsWithRecord ? [ending] : []
    )
    if endsWithRecord {
      try connections.commitStagingAfterProduction(ending.sql, ending.operation)
    } else {
      if let stagingSource = plan.reading.state.source {
        try ledger.reopen(setApart, of: plan, stagingSource, runID: runID, production)
      }
      try connections.commit(ending.sql, ending.operation)
    }
    if !isAllOrNothing { try marks.markRefusedElsewhere(refused, runID: runID) }
    return reading
  }

  private mutating func write(
    _ mode: Mode,
    _ way: WayChoice.Way,
    isCheckedLast: Bool,
    _ memory: inout BatchMemory
  ) throws -> Apply.Counts {
    do {
      return try writer.write(&memory, mode, way.route, isCheckedLast: isCheckedLast, revivingBy: &probe, &tieCheck)
    } catch let error as RowRoute.Closed {
      ways.closeWithinServer()
      throw error
    }
  }

  /// Counts the verdicts; rows that lost the race count as stale.
  private func tally(_ batch: StagedBatch, _ written: Apply.Counts, refusedCount: Int) -> VerdictCounts {
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
