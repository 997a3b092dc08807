import Libpq
import Logging

/// Says what became of one row, wherever it is merged: of a table that is distributed with its staging beside it, the node of its shard.
package enum NodesWhy {
  /// - Parameters: as those of ``Why``, and how the nodes are reached.
  /// - Throws: as ``Why/ask(table:key:)``.
  package static func ask(
    target: ConnectionTarget,
    stagingTarget: ConnectionTarget?,
    addresses: NodeAddresses,
    options: MergeOptions,
    logger: Logger,
    table: String,
    key: [String]
  ) throws -> WhyReport {
    var options = options
    options.tables = [table]
    let nodes =
      stagingTarget == nil
      ? try StagingOnNodes(target: target, addresses: addresses, options: options, logger: logger) : nil
    // Several of a name are told apart where one is chosen.
    guard let nodes, nodes.tables.tables.count == 1, let any = nodes.shards.first else {
      return try Why(target: target, stagingTarget: stagingTarget, options: options, logger: logger)
        .ask(table: table, key: key)
    }
    try nodes.rehearsal.requireNode(any.share)
    let asked = try why(any, logger).asked(table: any.name, key: key)
    guard let shard = try nodes.shard(of: asked) else {
      throw MergeFailure.usage("no shard of \(table) takes the key \(asked).")
    }
    try nodes.rehearsal.requireNode(shard.share)
    var report: WhyReport
    do {
      report = try why(shard, logger).ask(table: shard.name, key: key)
    } catch MergeFailure.usage(let text) {
      throw MergeFailure.usage(shard.share.names.clean(text))
    }
    report.table = nodes.tables.tables[0].name
    report.node = "\(shard.share.node)"
    for index in report.refusals.indices {
      report.refusals[index].message = report.refusals[index].message.map(shard.share.names.clean)
    }
    return report
  }

  private static func why(_ shard: StagingOnNodes.Shard, _ logger: Logger) -> Why {
    Why(target: shard.share.target, options: shard.share.options, logger: NodeLog.logger(shard.share, logger))
  }
}
