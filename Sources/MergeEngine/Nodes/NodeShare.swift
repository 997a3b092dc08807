import Libpq

/// What one node has to do: the pairs of shards that lie there, as the tables of a merge of its own.
struct NodeShare: Sendable {
  let node: CitusNode
  let target: ConnectionTarget
  let placements: [ShardPlacement]
  let options: MergeOptions
  let names: ShardNames

  /// A share for every node that has one of the shards.
  ///
  /// - Parameters:
  ///   - options: those of the whole.
  ///   - coordinator: where the cluster is reached.
  static func shares(
    of placements: [ShardPlacement],
    _ tables: DistributedTables,
    _ options: MergeOptions,
    coordinator: ConnectionTarget,
    _ addresses: NodeAddresses
  ) throws(MergeFailure) -> [NodeShare] {
    let ofNodes = Dictionary(grouping: placements, by: \.node).sorted { $0.key.groupID < $1.key.groupID }
    var shares: [NodeShare] = []
    for (index, (node, placements)) in ofNodes.enumerated() {
      var own = options
      own.onNodes = nil
      own.workers = options.workers.map { part(of: $0, index, of: ofNodes.count) }
      own.maxRowsPerSecond = options.maxRowsPerSecond.map { part(of: $0, index, of: ofNodes.count) }
      own.columns.tables = [:]
      var (names, shards): ([String], [String: ShardPair]) = ([], [:])
      for placement in placements {
        let table = tables.tables[placement.table]
        let name = "\(QualifiedName(schema: table.production.name.schema, name: placement.production))"
        var rules = table.rules ?? ColumnRules.TableRules()
        rules.stagingTable = placement.staging.name
        own.columns.tables[name] = rules
        shards[name] = placement.pair
        names.append(name)
      }
      (own.tables, own.shards) = (names, shards)
      shares.append(
        NodeShare(
          node: node,
          target: try addresses.target(of: node, coordinator),
          placements: placements,
          options: own,
          names: ShardNames(placements, tables)
        )
      )
    }
    return shares
  }

  /// What a node gets of something that there is `total` of; one at least.
  private static func part(of total: Int, _ index: Int, of count: Int) -> Int {
    max(total / count + (index < total % count ? 1 : 0), 1)
  }
}
