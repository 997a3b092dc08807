import Libpq

/// Asks staging at the end of a run what of it is not merged, as it is then.
///
/// SUCCESS rests on this and not on what was planned: rows may have been added, changed or moved meanwhile.
struct Completion {
  let admin: Identifier
  let production: Connection
  let staging: Connection
  /// nil for who notes nothing.
  var stagingLog: StagingLog?

  /// Counts the rows that are left, and where there are none notes that the table is merged, in one entry that stays true
  /// when the table is rewritten.
  ///
  /// - Parameters:
  ///   - onlyRun: only what this run has merged counts (`--again`); nil for all.
  ///   - runID: the run that is at its end; nil notes nothing.
  func unreadCount(of table: TablePlan, onlyRun: Int? = nil, runID: Int?) throws -> Int {
    if let runID, table.writing.marksRows {
      var table = table
      table.reading.state = try StagingReader(admin: admin, production: production, staging: staging)
        .look(at: table, onlyRun: onlyRun, isToBeMerged: false).state
      let connections = WorkerConnections(production: production, staging: staging, stagingLog: stagingLog)
      try StagingMarks(table, admin: admin, connections).repair(runID: runID)
    }
    let operation = "checking what is left of \(table.staging)"
    // One snapshot for all: what the entry will speak of is what was looked at.
    try staging.beginWithNext(operation, by: "BEGIN ISOLATION LEVEL REPEATABLE READ")
    var table = table
    let horizon: Horizon
    let counts: ResultSet
    do {
      let reader = StagingReader(admin: admin, production: production, staging: staging)
      table.reading.state = try reader.look(at: table, onlyRun: onlyRun, isToBeMerged: false).state
      horizon = try Horizon(of: "\(table.staging)", staging)
      counts = try staging.query(
        """
        SELECT count(*), count(*) FILTER (WHERE \(ClaimSQL.isWanted(table, in: .everything))) FROM \(table.staging) AS s
        """,
        operation
      )
      try staging.execute("COMMIT", operation)
    } catch {
      if !staging.isBroken { try staging.execute("ROLLBACK", operation) }
      throw error
    }
    let unreadCount = counts.integer(0, 1) ?? 0
    if unreadCount == 0, let runID, let source = table.reading.state.source {
      try stagingLog?.flush()
      try ProgressTable(admin: admin).complete(
        table,
        source,
        horizon: horizon,
        window: table.reading.window,
        recordCount: counts.integer(0, 0) ?? 0,
        runID: runID,
        production
      )
      if onlyRun != nil, table.reading.window.isUnbounded {
        try StagingAdoption(admin: admin, production: production, staging: staging)
          .end(of: table, source, runID: runID)
      }
    }
    return unreadCount
  }
}
