import Libpq
import Logging

/// The shards of all staging that lies beside production, for commands on the coordinator that ask what the nodes have on record.
struct StagingOnNodes {
  let tables: DistributedTables
  private let shares: [NodeShare]
  private let options: MergeOptions
  private let control: Connection
  /// Says whether an address leads to its node.
  let rehearsal: NodeRehearsal

  /// - Parameters:
  ///   - target: the coordinator's database; of any other server there are no shares.
  ///   - options: schemas, tables and column rules.
  /// - Throws: ``MergeFailure/unreachable(_:)``, ``MergeFailure/blocked(_:)`` for shards that no node has alone.
  init(
    target: ConnectionTarget,
    addresses: NodeAddresses,
    options: MergeOptions,
    logger: Logger,
    stop: StopSignal = StopSignal()
  ) throws {
    let session = Session(target: target, stagingTarget: nil, options: options, isReadOnly: true, logger: logger)
    control = try session.reachControl()
    self.options = options
    rehearsal = NodeRehearsal(logger: logger, stop: stop)
    tables = try DistributedTables(lyingSideBySide: options, control)
    shares =
      tables.tables.isEmpty
      ? [] : try NodeShare.shares(of: tables.placements(control), tables, options, coordinator: target, addresses)
  }

  /// Whether a name is that of a table whose staging lies beside production, or of one of its shards: a coordinator that has shards has
  /// their refused rows on record.
  func have(_ table: String) -> Bool {
    let names = tables.tables.flatMap { [$0.name, "\($0.production.name)", $0.production.name.name.name] }
    let shards = shares.flatMap { share in (share.options.tables ?? []) + share.placements.map(\.production.name) }
    return names.contains(table) || shards.contains(table)
  }

  /// A shard of production, and whose it is.
  struct Shard {
    let share: NodeShare
    let placement: ShardPlacement
    /// What the node's merge calls it.
    let name: String
  }

  /// All of them.
  var shards: [Shard] {
    shares.flatMap { share in
      zip(share.placements, share.options.tables ?? []).map { placement, name in
        Shard(share: share, placement: placement, name: name)
      }
    }
  }

  /// The shard that has the rows of a key.
  ///
  /// - Precondition: one table was chosen.
  func shard(of key: AskedKey) throws -> Shard? {
    let table = tables.tables[0].production
    guard case .distributed(let column, _) = table.citus?.kind, let value = key.named[column.name] else { return nil }
    // The function takes a value of any type and reads it as the column's.
    let found = try control.query(
      "SELECT pg_catalog.get_shard_id_for_distribution_column(\(table.oid)::oid::regclass, $1::text)",
      [.text(value)],
      "reading which shard has the key"
    )
    return shards.first { $0.placement.pair.production == found.integer(0, 0) }
  }

  /// Keeps merges on the nodes from beginning, for as long as this value is there.
  ///
  /// - Throws: ``MergeFailure/busy(table:by:)`` when one is under way.
  func lock() throws {
    try tables.locks(admin: options.schemas.admin).takeTables(control)
  }

  /// - Parameter body: what is done on each node, all at the same time.
  /// - Throws: what `body` has thrown on the first node that failed; the others are done.
  func each<Value: Sendable>(
    _ body: @escaping @Sendable (NodeShare) throws -> Value
  ) throws -> [(share: NodeShare, value: Value)] {
    let rehearsal = rehearsal
    let results = try NodeThreads.run(shares) { _, share in
      try rehearsal.requireNode(share)
      return try body(share)
    }
    return try zip(shares, results).map { share, result in (share: share, value: try result.get()) }
  }
}
