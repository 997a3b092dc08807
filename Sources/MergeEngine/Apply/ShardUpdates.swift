import Libpq

/// Updates a table that lies in shards, one shard after the other, each from its own rows of the batch table.
///
/// The statement is the one that ``Apply`` has for other tables, with what makes Citus send it to a single shard: as it is, Citus would
/// have every shard look up all rows. Server CPU for 25,000 newer rows, 20 µs a row on plain PostgreSQL: as it is 40 µs on
/// 8 shards and 85 on 32, shard by shard 20 and 27. INSERT … ON CONFLICT DO UPDATE, which Citus routes by itself, takes as
/// little, and brings rows back that somebody has deleted since the look-up.
struct ShardUpdates {
  private var shards: ShardKeys
  private var keys: KeyArrays
  private let update: PreparedStatement
  /// Of the rows in the batch table, positions in ``StagedBatch/rows``, shard by shard.
  private var groups: [[UInt32]] = []

  /// - Returns: nil where production has no such shards, or where a trigger has to be watched.
  /// - Precondition: the batch table is there, or will be before the next statement.
  init?(_ plan: TablePlan, _ production: Connection, batchTable: Identifier) throws(PostgresError) {
    guard let statement = ApplySQL.updateShard(plan, batchTable),
      let shards = try ShardKeys(plan, production, statementName: "\(batchTable)_shards")
    else { return nil }
    self.shards = shards
    keys = KeyArrays(plan)
    update = try production.prepareWithNext(
      "\(batchTable)_update",
      statement,
      parameterTypes: ProbeSQL.parameterTypes(plan),
      "updating \(plan.production)"
    )
  }

  /// Divides the rows that the batch table has been filled with: a question of its own, to be asked before the first lock.
  mutating func divide(_ rows: ArraySlice<UInt32>, of batch: StagedBatch, on production: Connection) throws {
    let rows = Array(rows)
    groups = try shards.divide(rows, of: batch, on: production).map { $0.map { rows[$0] } }
  }

  /// - Returns: how many rows were still older, and are updated.
  /// - Precondition: the batch table holds the rows that were divided last.
  mutating func execute(_ batch: StagedBatch, _ budget: LockBudget, on production: Connection) throws -> Int {
    var count = 0
    for (index, group) in groups.enumerated() {
      try keys.collect(group, of: batch)
      if index > 0 { try budget.limitNext(on: production) }
      count += try production.execute(update, keys.parameters).affectedRowCount
    }
    return count
  }
}
