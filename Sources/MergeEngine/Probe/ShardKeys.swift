import BinaryCopy
import Libpq

/// Rows of a batch, divided by the shards of production that their keys lie in.
struct ShardKeys {
  private var arrays: KeyArrays
  private let groups: ShardGroups

  /// - Returns: nil where production has no shards, or none that can be told from the key.
  init?(_ plan: TablePlan, _ production: Connection, statementName: String) throws(PostgresError) {
    guard let index = plan.shardKeyIndex else { return nil }
    arrays = KeyArrays(plan)
    groups = try ShardGroups(
      plan.productionOid,
      keys: ProbeSQL.keys(plan),
      value: ProbeSQL.key(index, plan),
      parameterTypes: ProbeSQL.parameterTypes(plan),
      production,
      statementName: statementName
    )
  }

  /// - Parameter rows: positions in ``StagedBatch/rows``.
  /// - Returns: positions in `rows`, ascending, shard by shard; none of rows without a key, which are found nowhere.
  mutating func divide(_ rows: [UInt32], of batch: StagedBatch, on production: Connection) throws -> [[Int]] {
    guard !rows.isEmpty else { return [] }
    try arrays.collect(rows, of: batch)
    return try groups.divide(arrays.parameters, on: production)
  }
}
