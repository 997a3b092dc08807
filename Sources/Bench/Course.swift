import Foundation
import Libpq
import Logging
import MergeEngine

/// Runs contenders on a loaded workload, each from the same starting state.
struct Course {
  let workload: Workload
  let options: BenchOptions
  let databases: ScratchDatabases
  let stop: StopSignal
  /// The copy that a contender works on.
  private let target: ConnectionTarget
  /// The same copy as contenders see it: from afar, where the workload has it so.
  private let contenderTarget: ConnectionTarget
  /// What production must hold in the end.
  private let expectedFingerprint: String
  /// How many rows must be refused.
  private let refusedRowCount: Int

  private var size: WorkloadSize { WorkloadSize(workload, options) }
  private var sql: WorkloadSQL { WorkloadSQL(workload, size) }

  /// Loads the workload into the template.
  init(
    _ workload: Workload,
    options: BenchOptions,
    _ databases: ScratchDatabases,
    through proxy: DelayingProxy? = nil,
    stop: StopSignal
  ) throws {
    self.workload = workload
    self.options = options
    self.databases = databases
    self.stop = stop
    target = databases.target(of: ScratchDatabases.run)
    contenderTarget = try proxy?.target.database(named: ScratchDatabases.run.name) ?? target
    let sql = WorkloadSQL(workload, WorkloadSize(workload, options))
    try databases.createTemplate()
    let template = databases.target(of: ScratchDatabases.template)
    let connection = try ScratchDatabases.connect(to: template)
    (expectedFingerprint, refusedRowCount) = try stop.covering(connection) {
      try connection.execute(Self.observerSettings, "setting up the session")
      for statement in sql.makeProduction { try connection.execute(statement, "loading production") }
      for schema in [WorkloadSQL.staging, WorkloadSQL.markedStaging] {
        var setup = StagingOptions()
        setup.schemas.staging = schema.name
        setup.hasStatusColumn = schema == WorkloadSQL.markedStaging
        _ = try StagingSetup(target: template, options: setup, logger: Self.silence).run()
      }
      for statement in sql.fillStaging { try connection.execute(statement, "loading staging") }
      for statement in sql.fillAnswer { try connection.execute(statement, "computing the answer") }
      try connection.execute("VACUUM (FREEZE, ANALYZE)", "vacuuming the workload")
      return (
        try connection.query(sql.expectedFingerprint, "computing the answer").text(0, 0) ?? "",
        try connection.query(sql.refusedRowCount, "computing the answer").integer(0, 0) ?? 0
      )
    }
  }

  /// Copies the template, runs the contender on the copy, and looks at what it left behind.
  func measure(_ contender: Contender) throws -> Measurement {
    try databases.createRun()
    let observer = try ScratchDatabases.connect(to: target)
    try observer.execute(Self.observerSettings, "setting up the session")
    let prepared = try prepare(contender, observer)
    let log = try logPosition(observer)
    _ = ProcessUsage.resetPeak()
    let server = try ServerUsage(of: observer)
    let (serverBefore, sessionsBefore) = (server?.cpuSeconds ?? 0, server?.sessions ?? [])
    let usage = ProcessUsage.now()
    let writer = workload == .refusals ? CDCWriter(sql, rowCount: size.stagedRowCount, target) : nil
    let clock = ContinuousClock.now
    let run = Result { try prepared() }
    let elapsed = (ContinuousClock.now - clock) / .seconds(1)
    let longestWrite = Result { try writer?.end() }
    try run.get()
    let cpu = ProcessUsage.now().cpuSeconds - usage.cpuSeconds
    let walBytes = try bytesLogged(since: log, observer)
    var measurement = Measurement(
      elapsedSeconds: elapsed,
      walBytes: walBytes,
      deadTuples: try deadTuples(observer),
      serverCPUSeconds: server.map { $0.cpuSeconds(whenGone: sessionsBefore) - serverBefore },
      isRight: try isRight(contender, observer)
    )
    measurement.longestWriteSeconds = try longestWrite.get()
    if contender.isEngine {
      measurement.clientCPUSeconds = cpu
      measurement.clientPeakBytes = ProcessUsage.peakResidentBytes()
    }
    return measurement
  }

  /// What bench itself reads of whole tables is read by several processes: the contenders are waiting.
  private static let observerSettings: SQL = """
    SET max_parallel_workers_per_gather = 4; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET jit = off
    """

  /// Whether production holds just the rows that it must, and staging is marked if the contender says so.
  private func isRight(_ contender: Contender, _ observer: Connection) throws(PostgresError) -> Bool {
    // What it has found is held against the workload where it is found; it writes nothing.
    if contender.isVerification { return true }
    if contender.marksRows {
      let areMarked = sql.areMarked(in: contender.stagingSchema)
      guard try observer.query(areMarked, "checking the marks").bool(0, 0) == true else { return false }
    }
    return try observer.query(sql.fingerprint, "checking the result").text(0, 0) == expectedFingerprint
  }

  /// Does what must not count, and gives back what does.
  private func prepare(_ contender: Contender, _ observer: Connection) throws -> () throws -> Void {
    let statements = StatementSQL(workload.table, staging: contender.stagingSchema, marks: contender.marksRows)
    switch contender {
    case .engineAuto:
      return { try merge(workers: nil, from: contender.stagingSchema) }
    case .engine(let workers, _):
      return { try merge(workers: workers, from: contender.stagingSchema) }
    case .guide:
      return { try transact([statements.guide]) }
    case .merge:
      return { try transact([statements.merge]) }
    case .onConflictJoined:
      return { try transact([statements.onConflictJoined]) }
    case .onConflict(1, _):
      return { try transact([statements.onConflict(nil)]) }
    case .onConflict(let connections, _):
      let ranges = try observer.query(statements.keyRanges(connections), "dividing staging")
      let parts = (0..<ranges.count).map { row in
        statements.onConflict((ranges.integer(row, 0) ?? 0)...(ranges.integer(row, 1) ?? 0))
      }
      return { try transact(parts) }
    case .verify(let workers):
      return { try requireDifferences(try verify(workers: workers)) }
    case .fullJoin:
      return {
        let connection = try ScratchDatabases.connect(to: target)
        let answer = try stop.covering(connection) {
          try connection.execute("SET jit = off", "setting up the session")
          return try connection.query(statements.fullJoin, "comparing by SQL")
        }
        try requireDifferences((0..<3).map { answer.integer(0, $0) ?? 0 })
      }
    case .floor(let connections):
      let floor = Floor(workload.table, connections: connections, batchRows: options.batchRows)
      let shares = try floor.shares(observer)
      return {
        try WorkerThreads.run(count: shares.count) { [stop, contenderTarget] number in
          let connection = try ScratchDatabases.connect(to: contenderTarget)
          try stop.covering(connection) { try floor.write(shares[number - 1], connection) }
        }
      }
    }
  }

  /// - Returns: rows that production lacks, older ones, and ones with other values.
  private func verify(workers: Int) throws -> [Int] {
    var verification = VerifyOptions()
    verification.merge.schemas.staging = WorkloadSQL.staging.name
    verification.merge.workers = workers
    verification.merge.batchRows = options.batchRows
    // No merge has made these tables alike.
    verification.mark = MergeOptions.Mark.none
    verification.recheckAfterSeconds = 0
    verification.sampleLimit = 0
    let report = try Verification(target: target, options: verification, logger: Self.silence, stop: stop).run()
    let counts = report.tables.map(\.counts)
    return [
      counts.reduce(0) { $0 + $1.missing }, counts.reduce(0) { $0 + $1.outdated },
      counts.reduce(0) { $0 + $1.differing },
    ]
  }

  /// - Throws: ``BenchError/mergeFailed(_:)`` when others were found than the workload has.
  private func requireDifferences(_ found: [Int]) throws {
    let sharedCount = min(size.stagedRowCount, size.productionRowCount / size.keyStep)
    let planted = [size.stagedRowCount - sharedCount, sharedCount / Workload.rowsPerDifference, 0]
    guard found != planted, stop.signal == nil else { return }
    throw BenchError.mergeFailed("\(found) differences were found instead of \(planted)")
  }

  private func merge(workers: Int?, from staging: Identifier) throws {
    var merge = MergeOptions()
    merge.schemas.staging = staging.name
    merge.workers = workers
    merge.batchRows = options.batchRows
    let report = try MergeRun(
      target: contenderTarget,
      options: merge,
      logger: Self.silence,
      stop: stop
    ).run()
    let isAsItMustBe = report.totals.errors == refusedRowCount && [.success, .partial].contains(report.status)
    guard isAsItMustBe || stop.signal != nil else {
      let reasons = report.failures.isEmpty ? ["\(report.totals.errors) rows refused"] : report.failures
      throw BenchError.mergeFailed("\(report.status.rawValue), \(reasons.joined(separator: "; "))")
    }
  }

  /// Runs each list of statements as one transaction on a connection of its own, all side by side.
  ///
  /// Without JIT, as the engine and the floor: compiling is not what is compared.
  private func transact(_ transactions: [[SQL]]) throws {
    try WorkerThreads.run(count: transactions.count) { [stop, contenderTarget] number in
      let connection = try ScratchDatabases.connect(to: contenderTarget)
      try stop.covering(connection) {
        try connection.execute("SET jit = off", "setting up the session")
        try connection.execute("BEGIN", "beginning")
        for statement in transactions[number - 1] { try connection.execute(statement, "merging by SQL") }
        try connection.execute("COMMIT", "committing")
      }
    }
  }

  private func logPosition(_ connection: Connection) throws(PostgresError) -> String {
    try connection.query("SELECT pg_current_wal_insert_lsn()::text", "reading the log's position").text(0, 0) ?? "0/0"
  }

  private func bytesLogged(since position: String, _ connection: Connection) throws(PostgresError) -> Int {
    try connection.query(
      "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), \(Literal(position))::pg_lsn)::bigint",
      "reading the log's position"
    ).integer(0, 0) ?? 0
  }

  /// Sessions report what they did when they end. Since 15 it can be seen as soon as they are gone; before, a process
  /// collects it, which takes up to a second.
  private func waitForStatistics(_ connection: Connection) throws(PostgresError) {
    guard connection.serverVersionNumber >= 150_000 else {
      try connection.execute("SELECT pg_sleep(1)", "waiting for the statistics")
      return
    }
    // Five seconds at most; 5 ms are arbitrary.
    for _ in 0..<1000 {
      let others = try connection.query(
        """
        SELECT EXISTS (SELECT FROM pg_stat_activity
                       WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend')
        """,
        "waiting for the statistics"
      )
      guard others.bool(0, 0) == true else { return }
      try connection.execute("SELECT pg_sleep(0.005)", "waiting for the statistics")
    }
  }

  private func deadTuples(_ connection: Connection) throws(PostgresError) -> Int {
    try waitForStatistics(connection)
    return try connection.query(
      """
      SELECT coalesce(sum(n_dead_tup), 0)::bigint FROM pg_stat_user_tables
      WHERE schemaname IN ('production', \(Literal(WorkloadSQL.staging.name)), \(Literal(WorkloadSQL.markedStaging.name)),
                           \(Literal(WorkloadSQL.guideStaging.name)))
      """,
      "counting dead tuples"
    ).integer(0, 0) ?? 0
  }

  private static let silence = Logger(label: "merge-engine bench") { _ in SwiftLogNoOpLogHandler() }
}
