import Foundation
import Libpq
import Logging

/// A merge of tables that Citus has distributed, staging beside production: a ``MergeRun`` on every node, over the shards that lie
/// there.
///
/// ```
/// coordinator   which shards lie where ─▶ the tables' locks, the run's record ─────────────────────▶ sums, status
/// every node                              shards as ordinary tables: MergeRun, ledger, refusals ──┘
/// ```
/// Rows of a shard of staging can only go to the shard of production with the same range of hashes, which lies on the same node. So
/// nothing travels between nodes, and a batch is a transaction of one of them.
package struct NodesRun: Sendable {
  private let target: ConnectionTarget
  private let addresses: NodeAddresses
  private let options: MergeOptions
  private let session: Session
  private let logger: Logger
  private let stop: StopSignal
  private let retries: RetryPolicy

  /// Shards that are moved faster than they are merged would keep a run from ever ending. Arbitrary.
  private static let roundLimit = 5

  /// - Parameters:
  ///   - target: the coordinator's database.
  ///   - stagingTarget: must be nil; for the message.
  ///   - addresses: how the nodes are reached.
  ///   - options: what to merge, and how.
  ///   - logger: gets what the nodes' merges log, with the node's name.
  ///   - stop: ends the run early, on all nodes.
  /// - Throws: ``MergeFailure/usage(_:)`` for options that a merge on the nodes can't keep.
  package init(
    target: ConnectionTarget,
    stagingTarget: ConnectionTarget? = nil,
    addresses: NodeAddresses,
    options: MergeOptions,
    logger: Logger,
    stop: StopSignal = StopSignal()
  ) throws {
    try NodeLimits.require(options, isSplit: stagingTarget != nil)
    var options = options
    options.onNodes = true
    self.target = target
    self.addresses = addresses
    self.options = options
    self.logger = logger
    self.stop = stop
    session = Session(target: target, stagingTarget: nil, options: options, logger: logger)
    retries = RetryPolicy(
      patienceSeconds: RetryPolicy.patienceSeconds(lockTimeoutMilliseconds: options.lockTimeoutMilliseconds),
      reconnectLimitSeconds: Double(options.reconnectLimitSeconds)
    )
  }

  /// Merges; blocks the calling thread until the run is closed.
  ///
  /// - Parameter onProgress: called on this thread a few times a second.
  /// - Returns: what was done on all nodes, also when tables failed or the run was interrupted.
  /// - Throws: as ``MergeRun/run(onProgress:)``.
  package func run(onProgress: (RunProgress) -> Void = { _ in }) throws -> RunReport {
    let clock = ReportClock()
    let control = try ControlConnection(session, retries, stop: stop)
    let (tables, placements, record) = try control.patiently { connection in
      let tables = try DistributedTables(options, writes: true, logger: logger, connection)
      let placements = try tables.placements(connection)
      let locks = tables.locks(admin: options.schemas.admin)
      try locks.takeTables(connection)
      try NodeRehearsal(logger: logger, stop: stop).require(try shares(placements, tables))
      let record = try open(tables, connection)
      control.hold(locks, runID: record.id)
      return (tables, placements, record)
    }
    for warning in tables.warnings {
      logger.warning("\(warning.message)", metadata: warning.table.map { ["table": "\($0)"] })
    }

    var sum = NodesOutcome(tables)
    var placed = placements
    var left = try shares(placements, tables)
    for round in 1... {
      let (outcomes, controlError) = try carry(left, tables, record, control, clock, onProgress)
      if let controlError {
        sum.add(outcomes)
        sum.fail("the run can no longer reach the coordinator, or has lost its locks there: \(controlError)")
        break
      }
      let now: [ShardPlacement]
      do {
        _ = try control.renewIfLost()
        now = try tables.placements(control.current)
      } catch {
        sum.add(outcomes)
        sum.fail("whether shards were moved meanwhile could not be read: \(NodesOutcome.text(error))")
        break
      }
      let again = round < Self.roundLimit && stop.signal == nil ? Self.again(outcomes, was: placed, now: now) : []
      let isAgain = Set(again.map(\.pair))
      sum.add(outcomes) { outcome in outcome.share.placements.contains { isAgain.contains($0.pair) } }
      guard !again.isEmpty else { break }
      logger.warning(
        "shards were moved meanwhile; merging them where they are now",
        metadata: ["run": "\(record.id)", "shards": "\(again.count)"]
      )
      placed = now
      left = try shares(again, tables)
    }
    return try close(sum, record, control, clock)
  }

  private func shares(_ placements: [ShardPlacement], _ tables: DistributedTables) throws(MergeFailure) -> [NodeShare] {
    try NodeShare.shares(of: placements, tables, options, coordinator: target, addresses)
  }

  /// Writes for the first time.
  private func open(_ tables: DistributedTables, _ connection: Connection) throws -> RunRecord {
    try AdminSchema(schemas: options.schemas).complete(connection)
    try MonitoringViews(schemas: options.schemas, rules: options.columns).createMissing(connection, logger)
    try RunRecord.closeDeadRuns(connection, options.schemas)
    return try RunRecord(
      connection,
      options.schemas,
      tables: tables.recorded(options),
      options: options,
      warnings: tables.warnings
    )
  }

  /// Merges on all nodes.
  ///
  /// - Returns: what came of it, and why the run could not be led any longer.
  private func carry(
    _ shares: [NodeShare],
    _ tables: DistributedTables,
    _ record: RunRecord,
    _ control: ControlConnection,
    _ clock: ReportClock,
    _ onProgress: (RunProgress) -> Void
  ) throws -> ([NodesOutcome.OfNode], (any Error)?) {
    let progress = NodeProgress()
    let names = tables.tables.map(\.name)
    let (own, receiver, retries) = (StopSignal(), logger, retries)
    let controls = RunControls(runID: record.id, admin: Identifier(options.schemas.admin))
    var controlError: (any Error)?
    func lead() {
      onProgress(progress.sum(names, since: clock.start, runID: record.id))
      if let signal = stop.signal { own.request(signal: signal) }
      guard controlError == nil else { return }
      do {
        _ = try control.beat { connection throws(PostgresError) in
          let entries = try controls.pending(connection).filter { $0.request == .stop }
          guard !entries.isEmpty else { return }
          try controls.take(entries.map(\.id), connection)
          stop.request(signal: SIGINT)
        }
      } catch {
        // Without its locks a run must not go on.
        controlError = error
        own.request(signal: SIGINT)
      }
    }
    let results = try NodeThreads.run(shares, whileWaiting: lead) { index, share in
      try NodeMerge(share: share, retries: retries, logger: NodeLog.logger(share, receiver), stop: own)
        .run { progress.note($0, of: index, share.names) }
    }
    lead()
    let outcomes = shares.indices.map { index in
      NodesOutcome.OfNode(share: shares[index], result: results[index], lastCounts: progress.counts(of: index))
    }
    return (outcomes, controlError)
  }

  /// The pairs of shards that another round is for: those of nodes whose merge failed while shards left them. What is merged there
  /// already costs little.
  private static func again(
    _ outcomes: [NodesOutcome.OfNode],
    was before: [ShardPlacement],
    now: [ShardPlacement]
  ) -> [ShardPlacement] {
    let current = Set(now)
    let known = Set(before.map(\.pair))
    let failed = outcomes.filter { outcome in
      outcome.isFailed && !outcome.share.placements.allSatisfy(current.contains)
    }
    let pairs = Set(failed.flatMap { $0.share.placements.map(\.pair) })
    // A shard that was split has others in its place.
    return failed.isEmpty ? [] : now.filter { pairs.contains($0.pair) || !known.contains($0.pair) }
  }

  private func close(
    _ sum: NodesOutcome,
    _ record: RunRecord,
    _ control: ControlConnection,
    _ clock: ReportClock
  ) throws -> RunReport {
    _ = try control.renewIfLost()
    let connection = control.current
    for table in sum.tables {
      try record.set(table.counts, of: table.table, connection)
      try record.closeTable(
        table.table,
        elapsedMilliseconds: table.elapsedMilliseconds,
        pages: table.pages,
        connection
      )
    }
    for refusal in sum.refusals { logger.warning("\(refusal)", metadata: ["run": "\(record.id)"]) }
    let status = sum.status(isInterrupted: stop.signal != nil)
    try record.close(
      status,
      notes: sum.notes(status),
      warnings: (sum.warnings + sum.refusals).map { .warning(.runEnd, nil, $0) },
      connection
    )
    return sum.report(status, runID: record.id, clock, batchRows: options.batchRows)
  }
}
