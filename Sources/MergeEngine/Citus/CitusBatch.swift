import Libpq

/// What a batch's transaction begins with where production is of Citus; nothing anywhere else.
enum CitusBatch {
  /// - Parameters:
  ///   - table: what Citus has made of production.
  ///   - shards: what staging and production are of Citus, on a node of it.
  /// - Throws: ``ShardPair/Moved``, ``PostgresError``.
  static func begin(_ table: CitusTable?, _ shards: ShardPair?, _ connection: Connection) throws {
    if table != nil { try connection.execute(CitusSession.ofBatch, "beginning a batch") }
    try shards?.hold(connection)
  }
}
