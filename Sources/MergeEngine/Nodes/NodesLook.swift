import Libpq
import Logging

/// Something that only reads, on all nodes at the same time.
struct NodesLook: Sendable {
  let target: ConnectionTarget
  let addresses: NodeAddresses
  let options: MergeOptions
  let logger: Logger
  let stop: StopSignal
  /// Whether it is looked at as by one who merges.
  let writes: Bool

  /// - Parameters:
  ///   - target: the coordinator's database.
  ///   - stagingTarget: must be nil; for the message.
  ///   - addresses: how the nodes are reached.
  ///   - options: what is, or would be, merged.
  ///   - logger: gets what is logged on the nodes, with the node's name.
  ///   - stop: ends it early, on all nodes.
  ///   - writes: whether it is looked at as by one who merges.
  /// - Throws: ``MergeFailure/usage(_:)`` for options that a merge on the nodes can't keep.
  init(
    target: ConnectionTarget,
    stagingTarget: ConnectionTarget?,
    addresses: NodeAddresses,
    options: MergeOptions,
    logger: Logger,
    stop: StopSignal,
    writes: Bool
  ) throws {
    try NodeLimits.require(options, isSplit: stagingTarget != nil)
    self.target = target
    self.addresses = addresses
    self.options = options
    self.logger = logger
    self.stop = stop
    self.writes = writes
  }

  /// - Parameters:
  ///   - onProgress: gets the sum of the nodes, on this thread.
  ///   - body: what is done on a node; the logger and the progress are the node's own.
  /// - Returns: the tables, and what came of it on every node.
  /// - Throws: ``MergeFailure/blocked(_:)`` when something stands against the tables, or shards were moved meanwhile: what was read
  ///   may then be what the move has left behind.
  func run<Report: Sendable>(
    _ clock: ReportClock,
    _ onProgress: (RunProgress) -> Void,
    _ body: @escaping @Sendable (NodeShare, Logger, (RunProgress) -> Void) throws -> Report
  ) throws -> (DistributedTables, [(share: NodeShare, report: Report)]) {
    let session = Session(target: target, stagingTarget: nil, options: options, isReadOnly: true, logger: logger)
    let control = try session.reachControl()
    let tables = try stop.covering(control) { try DistributedTables(options, writes: writes, logger: logger, control) }
    let placements = try tables.placements(control)
    let shares = try NodeShare.shares(of: placements, tables, options, coordinator: target, addresses)
    let progress = NodeProgress()
    let names = tables.tables.map(\.name)
    let (receiver, rehearsal) = (logger, NodeRehearsal(logger: logger, stop: stop))
    let results = try NodeThreads.run(
      shares,
      whileWaiting: { onProgress(progress.sum(names, since: clock.start, runID: nil)) },
      { index, share in
        try rehearsal.requireNode(share)
        return try body(share, NodeLog.logger(share, receiver)) { progress.note($0, of: index, share.names) }
      }
    )
    let reports = try zip(shares, results).map { share, result in (share: share, report: try result.get()) }
    // The connection was idle for as long as it took; another one asks.
    guard try stop.signal != nil || tables.placements(session.reachControl()) == placements else {
      throw MergeFailure.blocked([
        .blocker(
          .other,
          nil,
          "shards were moved meanwhile, so what was read of them may be what they left behind. Run it again."
        )
      ])
    }
    return (tables, reports)
  }
}
