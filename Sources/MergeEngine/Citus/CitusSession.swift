import Libpq

/// What sessions that write to tables of Citus need besides ``SessionSettings``.
enum CitusSession {
  /// For workers whose batches have no key in common. With the prevention of deadlocks, each UPDATE of several shards takes a lock on
  /// all of them until the commit, and the workers of a run wait for each other. Deadlocks with others are detected as ever, and
  /// tried again.
  ///
  /// One connection to a node serves all of its shards. With one for every shard, as Citus would have it, each batch takes the settings
  /// and the two phases of its commit to all of them, and 64 server processes work for two workers: on 32 shards twice the CPU. Only
  /// INSERT … SELECT, where a batch has to be careful, opens more all the same; these are kept for the next one.
  static let ofWorker: SQL = """
    SET citus.enable_deadlock_prevention = off; SET citus.multi_shard_modify_mode = 'sequential';
    SET citus.max_cached_conns_per_worker = 64
    """

  /// For the beginning of each transaction: has the nodes plan their part of a statement as ``SessionSettings/batches`` has the
  /// coordinator do. Settings of a session don't reach them, and a shard's planner would read all of it for each batch.
  static let ofBatch: SQL = """
    SET LOCAL citus.propagate_set_commands = 'local';
    SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_seqscan = off;
    SET LOCAL enable_bitmapscan = off; SET LOCAL jit = off
    """

  /// For the rest of a transaction that makes schemas of our own: ordinary ones, where Citus would shard new schemas as a whole.
  static func keepSchemasLocal(_ connection: Connection) throws(PostgresError) {
    _ = try connection.query(
      """
      SELECT set_config('citus.enable_schema_based_sharding', 'off', true)
      WHERE current_setting('citus.enable_schema_based_sharding', true) = 'on'
      """,
      "keeping schemas from being sharded"
    )
  }
}

extension PostgresError {
  /// Whether another server did not answer the one that was asked: a node that starts anew, or moves.
  ///
  /// - Parameter isOfCitus: of a connection to a node that was lost in a transaction Citus says so as an internal error, and as one of
  ///   input and output where it was copying rows there ("failed to COPY to shard").
  func isOfAnotherServer(isOfCitus: Bool) -> Bool {
    guard origin == .server, let sqlState else { return false }
    return sqlState.category == "08" || ["57P01", "57P02", "57P03"].contains(sqlState.code)
      || isOfCitus && (sqlState == .internalError || sqlState == .ioError)
  }

  /// An error of COPY into a table of Citus, as one that refuses a row.
  ///
  /// Citus passes the messages of nodes on without their SQLSTATE, as internal errors: that a key is there by now looks like a
  /// CHECK that a row violates, or like any other failure. So none of them is the last word: the batch is written by INSERT,
  /// whose errors come with their SQLSTATE.
  var ofCitusCopy: PostgresError {
    guard origin == .server, sqlState == .internalError else { return self }
    var refusal = self
    refusal.sqlState = .integrityConstraintViolation
    return refusal
  }
}
