import Libpq

extension Session {
  /// Opens a connection on which batch-sized statements get the plans they were written for.
  ///
  /// The statements of probe and apply join a batch with production by production's primary key. Without these
  /// settings the planner, which knows nothing of a temporary table or an array parameter, may hash all of production
  /// (2.3 s for 4M rows), or merge-join it from its first row on, batch after batch. What is left is the nested loop
  /// over the index. A batch is too small for JIT and parallel plans to pay. `synchronous_commit` is off because a
  /// batch's rows, marks and counts commit together: a server crash loses whole batches, which the next run takes
  /// again, and the run's own last commit is synchronous.
  func connectWorker(_ number: Int, runID: Int) throws(PostgresError) -> Connection {
    let connection = try connect(role: "run \(runID) worker \(number)")
    try connection.execute(
      """
      SET enable_hashjoin = off;
      SET enable_mergejoin = off;
      SET enable_seqscan = off;
      SET enable_bitmapscan = off;
      SET jit = off;
      SET max_parallel_workers_per_gather = 0;
      SET synchronous_commit = off;
      """,
      "setting up a worker's session"
    )
    return connection
  }
}
