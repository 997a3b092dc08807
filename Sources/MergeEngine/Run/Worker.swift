import BinaryCopy
import Foundation
import Libpq
import Logging

/// One connection on one thread that carries batches until none is left.
final class Worker {
  private let number: Int
  private let context: RunContext
  private let queue: WorkQueue
  private var connections: WorkerConnections?
  private var stations: [Int: Stations] = [:]
  private var memory = BatchMemory()
  /// Tables of which rows were refused.
  private var asksFirst: Set<Int> = []
  /// Tables whose marks would pass off as merged what a trigger writes.
  private var unmarked: Set<Int> = []
  /// When the batch before was done; nil before the first one, which has statements to prepare.
  private var freeSince: ContinuousClock.Instant?

  init(number: Int, _ context: RunContext, _ queue: WorkQueue) {
    self.number = number
    self.context = context
    self.queue = queue
  }

  /// Connects, and carries batches until none is left.
  ///
  /// - Parameter connectedCount: of the round's workers, which do without those that come too late.
  /// - Throws: what ends the whole run.
  func work(_ connectedCount: Monitor<Int>) throws {
    do {
      guard try connect() else { return }
    } catch MergeFailure.unreachable(let reason) where connectedCount.update({ $0 > 0 }) {
      return context.logger.warning(
        "a worker got no connection; the others continue without it",
        metadata: ["worker": "\(number)", "reason": "\(reason)"]
      )
    }
    connectedCount.update { $0 += 1 }
    context.growth.join(worker: number)
    try run()
  }

  /// Opens the worker's connections, as patiently as the run is.
  ///
  /// - Returns: false when nobody needs them any more.
  /// - Throws: ``MergeFailure/unreachable(_:)`` when there is none within the time limit.
  private func connect() throws -> Bool {
    let queue = queue
    stations = [:]
    connections = nil
    connections = try context.retries.connectPatiently(context.stop, unless: { queue.isOver }) {
      () throws(PostgresError) in
      let connections = try context.session.connectWorker(
        number,
        runID: context.record.id,
        marksRows: context.plan.tables.contains(where: \.writing.marksRows),
        isAtomic: context.isAtomic,
        carriesText: context.plan.carriesText,
        comparesText: context.plan.comparesText
      )
      if context.plan.hasCitusTables {
        try connections.production.execute(CitusSession.ofWorker, "setting up the session")
        // Citus breaks off where settings and a savepoint come to its nodes in one message.
        connections.production.sendsSingly = true
      }
      context.sessions.add(connections)
      return connections
    }
    return connections != nil
  }

  /// Carries batches, each in a transaction of its own, or with `--atomic` all in one.
  ///
  /// - Throws: what ends the whole run: a failed atomic run. The failure of one table is left with the queue.
  /// - Precondition: connected.
  private func run() throws {
    if context.isAtomic {
      try connections?.execute("BEGIN", "beginning the transaction")
      try marks.forEach { try $0.begin() }
    }
    while context.pressure.enter(worker: number, unless: { queue.isOver }) {
      defer { context.pressure.leave(worker: number) }
      guard let item = queue.take() else { break }
      try carry(item)
    }
    guard context.isAtomic else { return }
    let isWhole = context.stop.signal == nil && queue.seal()
    if isWhole {
      try StagingMarks.markAll(marks, runID: context.record.id)
    }
    try connections?.commit(isWhole ? "COMMIT" : "ROLLBACK", "ending the transaction")
  }

  /// Those of all tables.
  private var marks: [StagingMarks] {
    guard let connections else { return [] }
    return context.plan.tables.map { StagingMarks($0, admin: Identifier(context.schemas.admin), connections) }
  }

  /// Carries one batch, also when its connection is lost while it is rolled back.
  private func carry(_ item: WorkQueue.Item) throws {
    do {
      try carryPatiently(item)
    } catch let error as PostgresError {
      guard connections?.isBroken != false, !context.isAtomic else { throw error }
      lose(item, error)
    }
  }

  /// Carries one batch, again and again as long as there is hope.
  private func carryPatiently(_ item: WorkQueue.Item) throws {
    var mode = beginning(item)
    var attempt = 0
    /// Refused rows that were none any more.
    var gone: Set<UInt64> = []
    let deadline = ContinuousClock.now + .seconds(context.retries.patienceSeconds)
    while context.stop.signal == nil {
      let (start, trips) = (ContinuousClock.now, connections?.production.tripCount)
      do {
        let carried = try attemptBatch(item, mode)
        if let production = connections?.production, let trips, let trip = production.shortestTrip {
          let tripCount = production.tripCount - trips
          context.growth.note(
            GrowthRule.FirstBatch(
              time: .now - start,
              rowCount: carried.counts.read,
              trip: trip,
              tripCount: tripCount
            )
          )
        }
        queue.complete(
          item,
          carried,
          byteCount: memory.batch.bytes.count,
          lockShare: stations[item.table]?.budget.share
        )
        context.pressure.spend(rowCount: carried.counts.read, worker: number)
        if let freeSince { context.growth.note(rowCount: carried.counts.read, since: freeSince) }
        freeSince = .now
        memory.batch.shrink(above: 2 * BatchLimit.byteCount)
        return
      } catch is Claim.TooLarge {
        try undo()
        return queue.divide(item)
      } catch is BatchRecord.StagingRewritten {
        try undo()
        context.logger.warning(
          "staging was rewritten or truncated while it was being read; examining it again",
          metadata: ["table": "\(context.plan.tables[item.table].name)"]
        )
        return queue.suspend(item, BatchRecord.StagingRewritten())
      } catch is RowRoute.Closed {
        // The stations take another one from now on.
        try undo()
      } catch let error as StagingMarks.OtherRows where !context.isAtomic {
        try undo()
        unmarked.insert(item.table)
        context.logger.warning(
          "a trigger writes rows of its own into staging while a batch is merged; marking when the run ends, unless it writes others then",
          metadata: ["table": "\(context.plan.tables[item.table].name)"]
        )
        // The statements of the table were prepared for marks.
        if try !connectAnew() { return queue.suspend(item, error) }
      } catch let error as RefusalRecord.RowsGone {
        // Each goes once, unless the batch itself takes it away.
        guard gone.isDisjoint(with: error.addresses) else { return try fail(item, error) }
        gone.formUnion(error.addresses)
        try undo()
      } catch let error as PostgresError {
        guard context.stop.signal == nil else { break }
        attempt += 1
        let isOutOfTries = error.isRaised && attempt > Self.raiseTryCount
        switch reaction(to: error, on: item, mode, mayWait: ContinuousClock.now < deadline && !isOutOfTries) {
        case .endRound: return lose(item, error)
        case .again(let next):
          try undo()
          mode = next
        case .shrink:
          try undo()
          context.logger.debug("batch divided", metadata: ["reason": "\(error)", "rows": "\(memory.batch.rows.count)"])
          let rows = memory.batch.rows
          return queue.shrink(item, at: rows.isEmpty ? nil : rows[rows.count / 2].address, rowCount: rows.count)
        case .retry:
          try undo()
          if error.sqlState == .readOnlyTransaction, attempt == 1 {
            context.logger.warning(
              "the server takes no writes; trying again for \(Int(context.retries.patienceSeconds)) s",
              metadata: ["table": "\(context.plan.tables[item.table].name)", "reason": "\(error)"]
            )
          }
          if attempt > 1, context.isAtomic, try isAwaited() { return try fail(item, GaveWay(reason: error)) }
          context.logger.debug("batch tried again", metadata: ["reason": "\(error)", "attempt": "\(attempt)"])
          context.stop.sleep(seconds: context.retries.waitSeconds(afterAttempt: attempt))
        case .yield(let workerCount):
          try undo()
          context.logger.warning(
            "the server has no room for so many workers; continuing with \(workerCount)",
            metadata: ["reason": "\(error)"]
          )
          if stations[item.table] == nil { _ = try connectAnew() }
          return queue.giveBack(item)
        case .fail: return try fail(item, error)
        }
        if stations[item.table] == nil, !context.isAtomic, try !connectAnew() { return queue.suspend(item, error) }
      } catch {
        // Bytes that are no rows, a file that can't be read, a shard that is elsewhere now, a table that was changed: no other
        // attempt would find it otherwise.
        guard
          error is BinaryCopyError || error is SnapshotError || error is ShardPair.Moved || error is PlannedShape.Broken
            || error is BatchRecord.RunGone
        else { throw error }
        return try fail(item, error)
      }
    }
    // Interrupted: the batch is rolled back with the connection, if not before.
    queue.stop()
    if connections?.isBroken == false { try? undo() }
  }

  /// Whether others wait for what an atomic run has written before: no attempt of this batch would set that free, and they may hold
  /// what it waits for.
  private func isAwaited() throws(PostgresError) -> Bool {
    try connections?.production.query(
      """
      SELECT EXISTS (SELECT FROM (SELECT DISTINCT pid FROM pg_locks WHERE NOT granted) AS l
                     WHERE pg_backend_pid() = ANY (pg_blocking_pids(l.pid)))
      """,
      "looking who waits for this run"
    )
    .bool(0, 0) == true
  }

  /// Of an atomic run, whose locks end with all of it.
  private struct GaveWay: Error, CustomStringConvertible {
    let reason: PostgresError

    var description: String {
      "\(reason). Others wait for rows that this run's one transaction has written while it waits itself, so it gave way. Run it again when "
        + "less is written to production, or without --atomic"
    }
  }

  /// Rows are set apart so many at a time. More of them were refused for what other rows were like, and may pass together.
  private static let largestPortion = 64

  /// A trigger that raises what passes by itself may want to be tried again; after so many times the row is refused. Arbitrary.
  private static let raiseTryCount = 3

  /// How a batch is carried at first.
  private func beginning(_ item: WorkQueue.Item) -> Stations.Mode {
    if case .rows(let rows) = item.place { return rows.count <= Self.largestPortion ? .careful : .fast }
    return asksFirst.contains(item.table) ? .asking : .fast
  }

  private enum Reaction {
    case retry, shrink, endRound, fail
    case again(Stations.Mode)
    /// Others carry the batch, and so many workers are left.
    case yield(workerCount: Int)
  }

  /// What an error means for a batch: nothing, that it is tried again, in another way, or with fewer rows, or its table's end.
  private func reaction(
    to error: PostgresError,
    on item: WorkQueue.Item,
    _ mode: Stations.Mode,
    mayWait: Bool
  ) -> Reaction {
    switch error.origin {
    // A broken connection takes an atomic run's transaction with it.
    case .connectionLost, .connecting: return context.isAtomic ? .fail : .endRound
    case .malformedAnswer, .foreignSession: return .fail
    case .server: break
    }
    guard let state = error.sqlState else { return .fail }
    // Tables are prepared before the savepoint: there is none to go back to.
    if context.isAtomic && stations[item.table] == nil { return .fail }
    let rowCount = memory.batch.rows.count
    let isOfCitus = context.plan.tables[item.table].citus != nil
    // Nobody has asked to stop, so what was cancelled took too long: a batch its locks, or --statement-timeout. What is
    // read-only now may be writable again when a switch-over is through.
    if state.isWorthRetrying || state == .queryCanceled || state == .readOnlyTransaction
      || error.isOfAnotherServer(isOfCitus: isOfCitus)
    {
      let tookLong = error.isCancelled || state == .lockNotAvailable && !error.isRaised
      let holdsLocks = stations[item.table]?.budget.startedAt != nil
      if tookLong, holdsLocks, rowCount > 1, !context.isAtomic { return .shrink }
      if mayWait { return .retry }
      guard error.isRaised else { return .fail }
    }
    if state == .outOfMemory {
      if let workerCount = context.pressure.makeRoom(for: number) { return .yield(workerCount: workerCount) }
      if mayWait { return .retry }
      guard error.isRaised else { return .fail }
    }
    guard error.refusesRow else { return .fail }
    switch mode {
    case .careful: return .fail
    case _ where context.isAtomic || rowCount <= queue.fewRows: return .again(.careful)
    case .asking: return .shrink
    case .fast:
      // What is set apart must be found again by its address.
      if case .slice = item.place { return .shrink }
      // Where one row was refused others will be.
      asksFirst.insert(item.table)
      return .again(.asking)
    }
  }

  private func attemptBatch(_ item: WorkQueue.Item, _ mode: Stations.Mode) throws -> Carried {
    guard let connections else { throw PostgresError(.connectionLost, message: "no connection", operation: "merging") }
    return try connections.covered(by: context.stop) {
      if stations[item.table] == nil {
        var plan = context.plan.tables[item.table]
        if unmarked.contains(item.table) { plan.writing.marksRows = false }
        stations[item.table] = try Stations(
          plan,
          number: item.table,
          run: context.record,
          worker: number,
          admin: Identifier(context.schemas.admin),
          isAllOrNothing: context.isAtomic,
          connections
        )
      }
      if context.isAtomic {
        try connections.execute("SAVEPOINT batch", "beginning a batch")
      } else {
        try connections.beginWithNext("beginning a batch")
      }
      let table = context.plan.tables[item.table]
      try CitusBatch.begin(table.citus, table.shards, connections.production)
      try RunLocks.joinBatches(of: table.productionOid, connections.production)
      let carried = try stations[item.table]?
        .carry(item, mode, within: context.budget, memory: &memory)
      return carried ?? Carried(counts: VerdictCounts(), place: item.place)
    }
  }

  private func undo() throws {
    try connections?.undo(
      context.isAtomic ? "ROLLBACK TO SAVEPOINT batch; RELEASE SAVEPOINT batch" : "ROLLBACK",
      "rolling back a batch"
    )
  }

  private func fail(_ item: WorkQueue.Item, _ error: any Error) throws {
    guard !context.isAtomic else {
      queue.fail(item.table, error)
      return queue.stop()
    }
    var reason = error
    defer { queue.fail(item.table, reason) }
    guard let connections, !connections.isBroken else { return }
    try undo()
    // The server's words for bytes of another type say nothing of why they are.
    let plan = context.plan.tables[item.table]
    guard error is PostgresError || error is RefusalRecord.RowsGone else { return }
    // Where that can't be asked, the words are all there is.
    if (try? PlannedShape(plan).stands(connections)) == false { reason = PlannedShape.Broken(plan: plan) }
  }

  /// Gives the batch to the next round, which has new connections.
  private func lose(_ item: WorkQueue.Item, _ error: PostgresError) {
    context.logger.warning("connection lost, reconnecting", metadata: ["reason": "\(error)"])
    queue.suspend(item, error)
  }

  /// Throws a connection away on which a table was prepared by half: the names of its statements are taken.
  ///
  /// - Returns: whether there is another one.
  private func connectAnew() throws -> Bool {
    do {
      return try connect()
    } catch MergeFailure.unreachable {
      return false
    }
  }
}
