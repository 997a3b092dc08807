import BinaryCopy
import Libpq

/// Divides keys by the shard that each lies in, so that a look-up can ask every shard for its own keys alone.
///
/// Asked for keys of several shards, Citus has each of them look up all: a batch would cost as many look-ups a key as there are
/// shards. Asked for keys of one, it sends them there and nowhere else, as long as the statement says so by
/// ``ShardRouting/condition(_:_:_:)``. Where shards are split between this question and a look-up, that look-up goes to several of
/// them: slower, and as right.
struct ShardGroups {
  private let statement: PreparedStatement

  /// A statement for a shard of its own costs as much as so many keys cost that are looked up in all shards. Of fewer keys, as in the
  /// small batches of a server that is slow, all go together. Estimated, from some 5 ms a statement and 85 µs a row on 32 shards.
  private static let leastKeysPerShard = 50

  /// - Parameters:
  ///   - table: the oid of a table that is distributed by hash.
  ///   - keys: `unnest(…) WITH ORDINALITY AS k (…, ordinal)` over the parameters.
  ///   - value: of `k`, the value of the column that the table is distributed by, in its type.
  init(
    _ table: UInt32,
    keys: SQL,
    value: SQL,
    parameterTypes: [UInt32],
    _ connection: Connection,
    statementName: String
  ) throws(PostgresError) {
    statement = try connection.prepareWithNext(
      statementName,
      """
      SELECT array_agg(width_bucket(pg_catalog.worker_hash(\(value)), s.bounds) ORDER BY k.ordinal)
      FROM \(keys)
      CROSS JOIN (SELECT array_agg(d.shardminvalue::integer ORDER BY d.shardminvalue::integer) AS bounds
                  FROM pg_catalog.pg_dist_shard AS d WHERE d.logicalrelid::oid = \(table)::oid) AS s
      """,
      parameterTypes: parameterTypes,
      "asking in which shards keys lie"
    )
  }

  /// - Parameter keys: the statement's parameters, an array for each column of the key.
  /// - Returns: the keys' positions, ascending, shard by shard, or those of few keys all together. Keys that are NULL lie in no shard.
  func divide(_ keys: [Parameter], on connection: Connection) throws -> [[Int]] {
    let answer = try connection.execute(statement, keys)
    guard let shards = answer.bytes(0, 0) else { return [] }
    let bytes = shards.rawSpan
    var cursor = try BinaryArrayCursor(bytes)
    var groups: [[Int]] = []
    for position in 0..<cursor.count {
      guard let number = try bytes.integer(cursor.next(in: bytes)) else { continue }
      let shard = Int(number)
      guard shard >= 0 else { throw BinaryCopyError.unexpectedArray(offset: 0) }
      if shard >= groups.count { groups += Array(repeating: [], count: shard + 1 - groups.count) }
      groups[shard].append(position)
    }
    groups.removeAll(where: \.isEmpty)
    let keyCount = groups.reduce(0) { $0 + $1.count }
    return keyCount >= Self.leastKeysPerShard * groups.count
      ? groups : [groups.joined().sorted()].filter { !$0.isEmpty }
  }
}
