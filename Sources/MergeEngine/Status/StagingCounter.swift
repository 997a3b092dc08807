import Libpq

/// Counts staging rows again and again without a production server feeling it.
///
/// A count reads all of a staging table: 0.1 s a million rows where it is cached, much more where it is not. So:
/// - Between two counts the last one is carried on by what the run's batches have committed to `merge_logs`, which is a
///   row a table.
/// - A count is repeated at the earliest after twenty times as long as it took: it is busy 5 % of the time at most.
/// - A count gets half an interval; if that is not enough, the server's own estimate (`n_live_tup`) takes its place, and
///   says so.
struct StagingCounter {
  private let schemas: Schemas
  private let names: [String]?
  private let rules: ColumnRules
  private let limit: Duration
  private var base: Base?
  private var notBefore = ContinuousClock.now

  /// The rows of a table, and whether somebody has counted them.
  struct Count {
    var status: StagingStatus
    let isEstimate: Bool
  }

  /// What was counted, and where the run stood at that moment.
  private struct Base {
    let counts: [Count]
    let run: RunCounts?
  }

  /// Between two counts so many times as long as the last one took. Arbitrary: a server that is asked for a twentieth of
  /// its time has nineteen left.
  var pauseFactor = 20

  /// - Parameters:
  ///   - names: only these tables; nil for all.
  ///   - rules: what staging calls otherwise than production.
  ///   - intervalSeconds: how often ``count(_:_:)`` is called.
  init(_ schemas: Schemas, only names: [String]?, rules: ColumnRules = ColumnRules(), intervalSeconds: Double) {
    self.rules = rules
    self.schemas = schemas
    self.names = names
    limit = .seconds(intervalSeconds / 2)
  }

  /// How many rows there are of each status, by now.
  ///
  /// - Parameter run: what the latest run has committed, read just before.
  mutating func count(_ run: RunCounts?, _ connection: Connection) throws(PostgresError) -> [Count] {
    if base == nil || ContinuousClock.now >= notBefore { try countAnew(connection) }
    guard let base else { return [] }
    guard let run, !run.isReplay else { return base.counts }
    return base.counts.map { count in
      let table = count.status.table
      let now = run.tables[table] ?? VerdictCounts()
      let then = (base.run?.id == run.id ? base.run?.tables[table] : nil) ?? VerdictCounts()
      let status = count.status.advanced(read: now.read - then.read, refused: now.errors - then.errors)
      return Count(status: status, isEstimate: count.isEstimate)
    }
  }

  private mutating func countAnew(_ connection: Connection) throws(PostgresError) {
    let start = ContinuousClock.now
    // One snapshot, so that no batch commits between the count and the counts that it is carried on by.
    try connection.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY", "counting staging")
    let run = try RunCounts.latest(connection, schemas)
    let estimates = try estimates(run, connection)
    var counts: [Count] = []
    // Small tables first: what is left of the time may do for them, and never for the large one.
    for estimate in estimates.sorted(by: { $0.status.total < $1.status.total }) {
      let left = limit - (ContinuousClock.now - start)
      counts.append(
        try counted(estimate.table, within: left, connection) ?? Count(status: estimate.status, isEstimate: true)
      )
    }
    try connection.execute("COMMIT", "counting staging")
    base = Base(counts: counts.sorted { $0.status.table < $1.status.table }, run: run)
    notBefore = .now + (ContinuousClock.now - start) * pauseFactor
  }

  /// - Returns: nil when the time is over, be it that the table is large or that somebody has locked it.
  private func counted(
    _ table: StagingStatus.Table,
    within limit: Duration,
    _ connection: Connection
  ) throws(PostgresError) -> Count? {
    guard limit > .milliseconds(1) else { return nil }
    try connection.execute("SAVEPOINT counting", "counting \(table.name)")
    do {
      try connection.execute(
        "SET LOCAL statement_timeout = \(limit.milliseconds)",
        "limiting the count of \(table.name)"
      )
      let status = try StagingStatus.count(table, connection, admin: Identifier(schemas.admin))
      try connection.execute("RELEASE SAVEPOINT counting", "counting \(table.name)")
      return Count(status: status, isEstimate: false)
    } catch {
      guard error.sqlState == .queryCanceled else { throw error }
      // The limit goes with the savepoint.
      try connection.execute("ROLLBACK TO SAVEPOINT counting", "giving up counting \(table.name)")
      return nil
    }
  }

  /// The server's estimate of all rows; what the latest run has read of them counts as processed, and the rest as
  /// pending. What earlier runs had read is not known without a count.
  private func estimates(
    _ run: RunCounts?,
    _ connection: Connection
  ) throws(PostgresError) -> [(table: StagingStatus.Table, status: StagingStatus)] {
    let rows = try connection.query(
      """
      SELECT n.nspname::text, c.relname::text, greatest(coalesce(s.n_live_tup, 0), c.reltuples::bigint, 0)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
      WHERE n.nspname = ANY ($1::text[])
      """,
      [.textArray(schemas.allStaging)],
      "estimating staging"
    )
    var totals: [QualifiedName: Int] = [:]
    for row in 0..<rows.count {
      totals[QualifiedName(schema: rows.text(row, 0) ?? "", name: rows.text(row, 1) ?? "")] = rows.integer(row, 2)
    }
    let tables = try StagingStatus.tables(connection, schemas, rules).filter { $0.isMeant(by: names) }
    return tables.map { table in
      let name = table.shownName
      let total = totals[table.name] ?? 0
      let all = StagingStatus(table: name, total: total, pending: total, processed: 0, errors: 0)
      guard let run, !run.isReplay, let counts = run.tables[name] else { return (table, all) }
      return (table, all.advanced(read: counts.read, refused: counts.errors))
    }
  }
}
