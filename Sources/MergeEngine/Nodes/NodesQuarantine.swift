import Libpq
import Logging

/// The refused rows of a database wherever they are on record: of ordinary staging where production is, of staging that lies beside
/// production on the node of its shard.
package struct NodesQuarantine: Sendable {
  private let target: ConnectionTarget
  private let stagingTarget: ConnectionTarget?
  private let addresses: NodeAddresses
  private let options: MergeOptions
  private let logger: Logger

  /// - Parameters: as ``QuarantineBrowser/init(target:stagingTarget:options:logger:)``, and how nodes of Citus are reached.
  package init(
    target: ConnectionTarget,
    stagingTarget: ConnectionTarget?,
    addresses: NodeAddresses,
    options: MergeOptions,
    logger: Logger
  ) {
    self.target = target
    self.stagingTarget = stagingTarget
    self.addresses = addresses
    self.options = options
    self.logger = logger
  }

  /// The refused rows that have not been set back since, oldest first.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` when there is no `merge_errors` yet.
  package func list(
    _ standing: QuarantineBrowser.Standing = .standing,
    sqlState: String?,
    limit: Int
  ) throws -> [RefusedRow] {
    let own = try browser.list(standing, sqlState: sqlState, limit: limit)
    let ofNodes = try onNodes { try $0.list(standing, sqlState: sqlState, limit: limit) }
    let rows = own + ofNodes.flatMap { share, rows in rows.map { $0.of(share) } }
    return Array(rows.sorted { $0.failedAt < $1.failedAt }.prefix(limit))
  }

  /// How many rows there are of a standing.
  package func count(_ standing: QuarantineBrowser.Standing, sqlState: String?) throws -> Int {
    let own = try browser.count(standing, sqlState: sqlState)
    return try own + onNodes { try $0.count(standing, sqlState: sqlState) }.reduce(0) { $0 + $1.value }
  }

  /// Has refused rows of staging that are still there read again by the next merge.
  ///
  /// - Returns: how many, by table.
  /// - Throws: ``MergeFailure/blocked(_:)`` when a table is gone, ``MergeFailure/busy(table:by:)`` when another merge holds it.
  package func retry(
    _ wanted: QuarantineBrowser.Standing = .standing,
    sqlState: String?
  ) throws -> [String: Int] {
    let nodes = try stagingOnNodes()
    try nodes?.lock()
    var own = options
    if let nodes {
      own.tables = try (options.tables ?? browser.tables(having: wanted)).filter { !nodes.have($0) }
    }
    var released: [String: Int] = [:]
    if own.tables?.isEmpty != true {
      released = try QuarantineBrowser(target: target, stagingTarget: stagingTarget, options: own, logger: logger)
        .retry(wanted, sqlState: sqlState)
    }
    for (share, counts) in try onNodes(nodes, { try $0.retry(wanted, sqlState: sqlState) }) {
      for (shard, count) in counts { released[share.names.table(shard), default: 0] += count }
    }
    return released
  }

  /// Lets refused rows be: they no longer count as standing.
  ///
  /// - Parameter reason: why; kept with them.
  /// - Returns: how many.
  /// - Throws: ``MergeFailure/blocked(_:)`` when there is no `merge_errors` yet.
  package func dismiss(sqlState: String?, because reason: String) throws -> Int {
    let own = try browser.dismiss(sqlState: sqlState, because: reason)
    return try own + onNodes { try $0.dismiss(sqlState: sqlState, because: reason) }.reduce(0) { $0 + $1.value }
  }

  /// How many refused rows came from the files of snapshots, which nodes don't read.
  package func countReplayed(sqlState: String?) throws -> Int { try browser.countReplayed(sqlState: sqlState) }

  private var browser: QuarantineBrowser {
    QuarantineBrowser(target: target, stagingTarget: stagingTarget, options: options, logger: logger)
  }

  /// - Returns: nil for staging of another database, which lies beside nothing.
  private func stagingOnNodes() throws -> StagingOnNodes? {
    guard stagingTarget == nil else { return nil }
    return try StagingOnNodes(target: target, addresses: addresses, options: options, logger: logger)
  }

  private func onNodes<Value: Sendable>(
    _ body: @escaping @Sendable (QuarantineBrowser) throws -> Value
  ) throws -> [(share: NodeShare, value: Value)] {
    try onNodes(stagingOnNodes(), body)
  }

  /// What comes of it on each node that has merged anything.
  private func onNodes<Value: Sendable>(
    _ nodes: StagingOnNodes?,
    _ body: @escaping @Sendable (QuarantineBrowser) throws -> Value
  ) throws -> [(share: NodeShare, value: Value)] {
    let logger = logger
    let found = try nodes?.each { share throws -> Value? in
      let connection = try Session(target: share.target, schemas: share.options.schemas, logger: logger).reachControl()
      guard try AdminSchema.hasProgress(Identifier(share.options.schemas.admin), connection) else { return nil }
      return try body(
        QuarantineBrowser(target: share.target, stagingTarget: nil, options: share.options, logger: logger)
      )
    }
    return found?.compactMap { share, value in value.map { (share: share, value: $0) } } ?? []
  }
}

extension RefusedRow {
  /// The same, as people know the table.
  fileprivate func of(_ share: NodeShare) -> RefusedRow {
    RefusedRow(
      runID: runID,
      table: share.names.table(table),
      key: key,
      keyText: keyText,
      sqlState: sqlState,
      message: share.names.clean(message),
      detail: detail.map(share.names.clean),
      failedAt: failedAt,
      dismissedBecause: dismissedBecause,
      node: "\(share.node)"
    )
  }
}
