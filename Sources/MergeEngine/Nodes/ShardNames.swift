import Libpq

/// Which tables the shards are of: people know the tables.
struct ShardNames: Sendable {
  private let tables: [String: String]
  private let shardIDs: Set<Int>

  init(_ placements: [ShardPlacement], _ tables: DistributedTables) {
    var names: [String: String] = [:]
    for placement in placements {
      let table = tables.tables[placement.table]
      names[placement.production.name] = table.production.name.name.name
      names[placement.staging.name] = table.staging.name.name.name
      names["\(table.production.name.schema).\(placement.production)"] = table.name
    }
    self.tables = names
    shardIDs = Set(placements.flatMap { [$0.pair.staging, $0.pair.production] })
  }

  /// The table that a report calls by its shard.
  func table(_ shard: String) -> String { tables[shard] ?? shard }

  /// A sentence with the tables' names in place of the shards', and without the numbers that their indexes and constraints have.
  func clean(_ text: String) -> String {
    text.replacing(#/[\p{L}\p{N}_$]+/#) { match in table(String(match.output)) }
      .replacing(#/_([0-9]+)(?![\p{L}\p{N}_$])/#) { match in
        Int(match.output.1).map(shardIDs.contains) == true ? "" : String(match.output.0)
      }
  }

  func clean(_ finding: Finding) -> Finding {
    Finding(
      grade: finding.grade,
      kind: finding.kind,
      table: finding.table.map(table),
      message: clean(finding.message)
    )
  }
}

extension [Finding] {
  /// The same without what was said before, in the order in which it came.
  var withoutRepetitions: [Finding] {
    var seen: Set<Finding> = []
    return filter { seen.insert($0).inserted }
  }
}
