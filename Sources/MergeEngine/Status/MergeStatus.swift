import Libpq
import Logging

/// Where staging and the runs stand; encodes as the contract's JSON of `status`.
public struct MergeStatus: Sendable, Codable {
  /// One entry a staging table.
  public let tables: [StagingStatus]
  /// The latest run; nil if there was none.
  public let lastRun: RunSummary?
  /// The latest runs, newest first.
  public let runs: [RunSummary]
  /// Refused rows on record whose staging is another database's, and that were neither retried nor dismissed: whether they are still
  /// there can't be seen from here.
  public let errorsElsewhere: Int
  /// Tables of which rows that a merge with a window has merged count as pending: only a merge or a plan knows how it read their
  /// versions, as in another type or zone.
  public let windowsReadOtherwise: [String]
  /// Tables of which all rows that were merged before production's primary key has changed count as pending: the next merge reads
  /// them once more.
  public let keysChanged: [String]
  /// The admin schema's name, if there is no such schema.
  package private(set) var missingAdminSchema: String?
  /// Staging tables that Citus has distributed and nobody has counted.
  package private(set) var ofCitus: [String] = []

  private enum CodingKeys: String, CodingKey {
    case tables
    case lastRun = "last_run"
    case runs
    case errorsElsewhere = "errors_elsewhere"
    case windowsReadOtherwise = "windows_read_otherwise"
    case keysChanged = "keys_changed"
  }

  /// The contract's object; `last_run` is there, as null, before the first run too.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(tables, forKey: .tables)
    try container.encode(lastRun, forKey: .lastRun)
    try container.encode(runs, forKey: .runs)
    try container.encode(errorsElsewhere, forKey: .errorsElsewhere)
    try container.encode(windowsReadOtherwise, forKey: .windowsReadOtherwise)
    try container.encode(keysChanged, forKey: .keysChanged)
  }

  /// A row of `merge_summary`.
  public struct RunSummary: Sendable, Codable {
    /// The run's id.
    public let runID: Int
    /// How it ended.
    public let status: String
    /// When it began, UTC, ISO 8601.
    public let startedAt: String?
    /// When it ended, UTC, ISO 8601; nil while it goes on.
    public let finishedAt: String?
    /// What was noted at the end.
    public let notes: String?
    /// Why a running merge begins no batch; nil when it does.
    public let pausedBecause: String?
    /// Rows read, of all tables.
    public let read: Int
    /// Rows inserted, of all tables.
    public let inserted: Int
    /// Rows updated, of all tables.
    public let updated: Int
    /// Rows refused, of all tables.
    public let errors: Int

    private enum CodingKeys: String, CodingKey {
      case runID = "run_id"
      case status
      case startedAt = "started_at"
      case finishedAt = "finished_at"
      case notes, read, inserted, updated, errors
      case pausedBecause = "paused_because"
    }
  }

  /// The same with tables that nodes have counted.
  ///
  /// - Parameters:
  ///   - readOtherwise: those of them of which merged rows may count as pending.
  ///   - ofFormerKeys: those of them whose key has changed since.
  ///   - left: tables that Citus has distributed and nobody has counted.
  func adding(_ counted: [StagingStatus], readOtherwise: [String], ofFormerKeys: [String], leaving left: [String])
    -> MergeStatus
  {
    MergeStatus(
      tables: (tables + counted).sorted { $0.table < $1.table },
      lastRun: lastRun,
      runs: runs,
      errorsElsewhere: errorsElsewhere,
      windowsReadOtherwise: (windowsReadOtherwise + readOtherwise).sorted(),
      keysChanged: (keysChanged + ofFormerKeys).sorted(),
      missingAdminSchema: missingAdminSchema,
      ofCitus: left
    )
  }

  /// Reads the status; closes runs whose process has died on the way.
  ///
  /// - Parameters:
  ///   - target: the database.
  ///   - schemas: where to look.
  ///   - tables: only these; nil for all.
  ///   - columns: what staging calls otherwise than production.
  ///   - runLimit: how many runs at most.
  ///   - logger: gets the server's notices.
  ///   - stop: ends it early.
  /// - Throws: ``MergeFailure`` or ``PostgresError``.
  package static func read(
    target: ConnectionTarget,
    schemas: Schemas,
    tables: [String]?,
    columns: ColumnRules = ColumnRules(),
    runLimit: Int = 5,
    logger: Logger,
    stop: StopSignal = StopSignal()
  ) throws -> MergeStatus {
    let session = Session(target: target, schemas: schemas, logger: logger)
    let connection = try session.reachControl()
    return try stop.covering(connection) {
      try read(connection, schemas: schemas, tables: tables, columns: columns, runLimit: runLimit)
    }
  }

  private static func read(
    _ connection: Connection,
    schemas: Schemas,
    tables: [String]?,
    columns: ColumnRules,
    runLimit: Int
  ) throws -> MergeStatus {
    let check = try SchemaCheck(connection)
    for name in schemas.allStaging + schemas.allProduction { try check.requireNoSlip(name) }
    try StagingStatus.require(tables, on: connection, schemas: schemas, columns)
    let runs = try readRuns(connection, schemas, limit: runLimit)
    let hasAdminSchema = try connection.query(
      "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)",
      [.text(schemas.admin)],
      "looking for the admin schema"
    ).bool(0, 0)
    let staging = try StagingStatus.read(connection, schemas, columns, only: tables)
    return MergeStatus(
      tables: staging.counted,
      lastRun: runs.first,
      runs: runs,
      errorsElsewhere: try errorsElsewhere(connection, schemas, tables),
      windowsReadOtherwise: staging.readOtherwise,
      keysChanged: staging.ofFormerKeys,
      missingAdminSchema: hasAdminSchema == true ? nil : schemas.admin,
      ofCitus: staging.ofCitus
    )
  }

  private static func errorsElsewhere(_ connection: Connection, _ schemas: Schemas, _ tables: [String]?)
    throws(PostgresError) -> Int
  {
    let admin = Identifier(schemas.admin)
    guard try AdminSchema.hasProgress(admin, connection) else { return 0 }
    let pair = PairSQL(schemas: schemas)
    return try connection.query(
      """
      SELECT count(*) FROM \(admin).merge_errors AS e
      WHERE e.retried_at IS NULL AND e.dismissed_at IS NULL AND e.staging_xmin IS NOT NULL AND \(pair.owns("e"))
        AND \(StagingSource.isElsewhere("e.staging_source"))
        AND ($1::text[] IS NULL OR e.table_name = ANY ($1) OR \(pair.tableName("e")) = ANY ($1))
      """,
      [tables.map { .textArray($0) } ?? Parameter(binary: nil, type: TypeOID.textArray)],
      "looking for refused rows of other databases"
    ).integer(0, 0) ?? 0
  }

  /// - Parameter closesDeadRuns: not for who looks every second: a run that has lost its connection and is about to
  ///   renew it, lock and all, is not dead.
  static func readRuns(
    _ connection: Connection,
    _ schemas: Schemas,
    limit: Int,
    closesDeadRuns: Bool = true
  ) throws(PostgresError) -> [RunSummary] {
    // The guide's own tables have no run_id yet; a database without admin tables has had no run.
    let columns = try AdminSchema(schemas: schemas).columns(connection)
    guard columns.isSuperset(of: AdminSchema.runColumns) else { return [] }
    let pausedBecause: SQL =
      columns.contains("merge_summary.paused_because")
      ? "CASE WHEN r.status IN ('RUNNING', 'ROLLING BACK') THEN r.paused_because END" : "NULL::text"
    if closesDeadRuns { try RunRecord.closeDeadRunsIfAllowed(connection, schemas) }
    let admin = Identifier(schemas.admin)
    let rows = try connection.query(
      """
      SELECT r.id, r.status::text,
             to_char(r.merge_start, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), to_char(r.merge_end, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
             r.notes,
             coalesce(sum(l.records_read), 0)::bigint, coalesce(sum(l.records_inserted), 0)::bigint,
             coalesce(sum(l.records_updated), 0)::bigint, coalesce(sum(l.records_error), 0)::bigint,
             \(pausedBecause)
      FROM (SELECT * FROM \(admin).merge_summary AS r WHERE \(PairSQL(schemas: schemas).ownsRun("r"))
            ORDER BY id DESC LIMIT \(limit)) AS r
      LEFT JOIN \(admin).merge_logs l ON l.run_id = r.id
      GROUP BY r.id, r.status, r.merge_start, r.merge_end, r.notes, 10
      ORDER BY r.id DESC
      """,
      "reading the runs"
    )
    return (0..<rows.count).map { row in
      RunSummary(
        runID: rows.integer(row, 0) ?? 0,
        status: rows.text(row, 1) ?? "",
        startedAt: rows.text(row, 2),
        finishedAt: rows.text(row, 3),
        notes: rows.text(row, 4),
        pausedBecause: rows.text(row, 9),
        read: rows.integer(row, 5) ?? 0,
        inserted: rows.integer(row, 6) ?? 0,
        updated: rows.integer(row, 7) ?? 0,
        errors: rows.integer(row, 8) ?? 0
      )
    }
  }
}
