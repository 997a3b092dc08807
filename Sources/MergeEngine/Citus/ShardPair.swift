import Libpq

/// A shard of staging and the shard of production that its rows go to: of the same range of hashes, and so on one node.
package struct ShardPair: Sendable, Hashable, Codable {
  /// Their ids in `pg_dist_shard`.
  let staging: Int
  let production: Int

  /// One of the two has left the node, or has been split. What was committed before went with it; nothing was written since.
  struct Moved: Error, CustomStringConvertible {
    var description: String { "its shard has moved to another node" }
  }

  /// Keeps both shards on this node until the transaction ends.
  ///
  /// A move takes the stronger lock on every node before it switches, so that it waits for the transaction, or this waits for the
  /// move. Without the lock the move would go through under the open transaction; without the look after it, all would be written to
  /// the shard that was left behind. Either way every statement would succeed, and the rows would be lost.
  ///
  /// - Throws: ``Moved`` when one of them is no longer here.
  /// - Precondition: a transaction is open, in which every statement sees what was committed before it.
  func hold(_ connection: Connection) throws {
    let operation = "keeping the shards where they are"
    // ShareLock. A statement of its own: what is seen after it must be as the move has left it.
    _ = try connection.query("SELECT \(Self.lock)(5, ARRAY[\(staging), \(production)]::bigint[])", operation)
    let here = try connection.query(
      """
      SELECT count(DISTINCT s.shardid) FROM pg_catalog.pg_dist_shard AS s
      JOIN pg_catalog.pg_dist_placement AS p ON p.shardid = s.shardid
      JOIN pg_catalog.pg_dist_local_group AS g ON g.groupid = p.groupid
      WHERE s.shardid IN (\(staging), \(production))
      """,
      operation
    )
    guard here.integer(0, 0) == 2 else { throw Moved() }
  }

  private static let lock: SQL = "pg_catalog.lock_shard_metadata"
}
