import Foundation
import Libpq

/// How a run ended.
public enum RunStatus: String, Sendable, Codable {
  /// Its rows are still being loaded into staging; nobody need be there meanwhile.
  case loading = "LOADING"
  /// Still going on, or its process died and nobody has noticed yet.
  case running = "RUNNING"
  /// All rows merged.
  case success = "SUCCESS"
  /// All rows merged but the ones in quarantine.
  case partial = "PARTIAL"
  /// Ended by an error; committed batches stay.
  case failed = "FAILED"
  /// Interrupted, or its process died; committed batches stay.
  case aborted = "ABORTED"
}

extension RunStatus {
  /// What `merge_summary.status` says while a run is being taken back.
  static let rollingBack = "ROLLING BACK"
}

/// The rows of one run in `merge_summary` and `merge_logs`, on a connection and in transactions of their own, so
/// that they are there whatever happens to the batches.
struct RunRecord {
  let id: Int
  /// The rows in `merge_logs`, by table.
  let logIDs: [String: Int]
  private let admin: Identifier

  /// Runs that seem to be under way.
  static func running(_ admin: Identifier) -> Query {
    Query(
      "SELECT id FROM \(admin).merge_summary WHERE status IN ('RUNNING', 'ROLLING BACK')",
      "looking for runs that died"
    )
  }

  /// Closes the runs whose process is gone.
  ///
  /// A live run holds an advisory lock by its id; a run that is RUNNING with its lock free has died.
  static func closeDeadRuns(_ connection: Connection, _ schemas: Schemas) throws(PostgresError) {
    let admin = Identifier(schemas.admin)
    let running = try connection.query(running(admin))
    for row in 0..<running.count {
      guard let id = running.integer(row, 0) else { continue }
      let key = AdvisoryLock.runKey(id, admin: schemas.admin)
      guard try AdvisoryLock.tryAcquire(AdvisoryLock.runClass, key, on: connection) else { continue }
      let closing: Result<Void, PostgresError>
      do throws(PostgresError) {
        try close(deadRun: id, admin, connection)
        closing = .success(())
      } catch {
        closing = .failure(error)
      }
      // Also when the role may not close it: held on, the lock would make the dead run look alive.
      try AdvisoryLock.release(AdvisoryLock.runClass, key, on: connection)
      try closing.get()
    }
  }

  private static func close(deadRun id: Int, _ admin: Identifier, _ connection: Connection) throws(PostgresError) {
    _ = try connection.query(
      """
      WITH rolling_back AS (
        UPDATE \(admin).merge_summary
        SET status = 'ROLLED BACK IN PART',
            notes = concat_ws(E'\\n', notes, 'The process ended in the middle of the rollback; run it again.')
        WHERE id = $1 AND status = 'ROLLING BACK'
      )
      UPDATE \(admin).merge_summary
      SET status = 'ABORTED', merge_end = clock_timestamp() AT TIME ZONE 'UTC',
          notes = 'The process ended without closing the run. Batches up to then are committed; run it again.'
      WHERE id = $1 AND status = 'RUNNING'
      """,
      [.bigint(id)],
      "closing a run that died"
    )
  }

  /// The same for commands that only look: whoever may not write can still look.
  static func closeDeadRunsIfAllowed(_ connection: Connection, _ schemas: Schemas) throws(PostgresError) {
    do {
      try closeDeadRuns(connection, schemas)
    } catch {
      guard error.sqlState == .insufficientPrivilege || error.sqlState == .readOnlyTransaction else { throw error }
    }
  }

  /// Opens a run, or one again that was loading or broke off: its row in `merge_summary`, and one in `merge_logs` for
  /// every table.
  ///
  /// - Parameters:
  ///   - warnings: what was found before the run; kept with it, so that a report can tell it later.
  ///   - addToOpening: what else must be there from the run's first moment, or not at all; in the same transaction.
  init(
    _ connection: Connection,
    _ schemas: Schemas,
    tables: [RecordedTable],
    options: MergeOptions,
    warnings: [Finding],
    together addToOpening: (_ id: Int) throws -> Void = { _ in }
  ) throws {
    admin = Identifier(schemas.admin)
    let parameters: [Parameter] = [
      .jsonb(try options.json()), .text(EngineVersion.current), .jsonb(try Self.json(warnings)),
    ]
    if let continuedID = options.continuedRunID {
      try connection.beginWithNext("opening the run")
      let row = try connection.query(Self.reopening(continuedID, admin), parameters, "opening the run")
      guard row.count == 1 else {
        try connection.execute("ROLLBACK", "giving up opening the run")
        throw MergeFailure.blocked([
          .blocker(.notFound, nil, "there is no run \(continuedID) in \(schemas.admin).merge_summary to continue.")
        ])
      }
      id = continuedID
    } else {
      id = try RunNumber.open(
        admin,
        columns: "merge_start, status, parameters, engine_version, warnings",
        values: "clock_timestamp() AT TIME ZONE 'UTC', 'RUNNING', $1, $2, $3",
        parameters,
        connection
      )
    }
    try RunLocks.takeRun(id, admin: admin, connection)
    let logs = try connection.query(
      """
      WITH added AS (
        INSERT INTO \(admin).merge_logs
          (run_id, staging_schema, production_schema, table_name, version_from, version_to, merge_time, records_updated,
           records_inserted, records_read, records_unchanged, records_stale, records_duplicate, records_error, lost_races,
           batches, elapsed_ms)
        SELECT $1, CASE WHEN t.staging <> '' THEN t.staging END, t.production, t.name,
               CASE WHEN t.version_from <> '' THEN t.version_from END, CASE WHEN t.version_to <> '' THEN t.version_to END,
               clock_timestamp() AT TIME ZONE 'UTC', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
        FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
          WITH ORDINALITY AS t (staging, production, name, version_from, version_to, position)
        WHERE NOT EXISTS (SELECT FROM \(admin).merge_logs l
                          WHERE l.run_id = $1 AND l.table_name = t.name AND l.production_schema = t.production)
        ORDER BY t.position
        RETURNING id, production_schema, table_name
      )
      SELECT id, production_schema::text, table_name::text FROM added
      UNION ALL SELECT id, production_schema::text, table_name::text FROM \(admin).merge_logs WHERE run_id = $1
      """,
      [
        .bigint(id), .textArray(tables.map { $0.stagingSchema ?? "" }),
        .textArray(tables.map(\.production.schema.name)), .textArray(tables.map(\.production.name.name)),
        .textArray(tables.map { $0.window.from ?? "" }), .textArray(tables.map { $0.window.to ?? "" }),
      ],
      "opening the run"
    )
    try addToOpening(id)
    logIDs = (0..<logs.count).reduce(into: [:]) { ids, row in
      let (schema, plainName) = (logs.text(row, 1) ?? "", logs.text(row, 2) ?? "")
      let table = tables.first { $0.production == QualifiedName(schema: schema, name: plainName) }
      ids[table?.name ?? plainName] = logs.integer(row, 0)
    }
    try connection.execute("COMMIT", "opening the run")
  }

  private static func reopening(_ id: Int, _ admin: Identifier) -> SQL {
    """
    UPDATE \(admin).merge_summary
    SET status = 'RUNNING', merge_end = NULL, notes = NULL, parameters = $1, engine_version = $2, warnings = $3
    WHERE id = \(id)
    RETURNING id, \(RunNumber.outlivesCrash)
    """
  }

  /// Writes how long a table took, and how many of production's pages were visited; goes with the next statement.
  func closeTable(
    _ table: String,
    elapsedMilliseconds: Int,
    pages: PageCounts = PageCounts(),
    _ connection: Connection
  ) throws(PostgresError) {
    try connection.queryWithNext(
      Query(
        """
        UPDATE \(admin).merge_logs
        SET elapsed_ms = $3, merge_time = clock_timestamp() AT TIME ZONE 'UTC', pages_visited = $4, pages_read = $5
        WHERE run_id = $1 AND id = $2
        """,
        [
          .bigint(id), .bigint(logIDs[table] ?? 0), .bigint(elapsedMilliseconds), .bigint(pages.visited),
          .bigint(pages.read),
        ],
        "closing the record of \(table)"
      )
    )
  }

  /// Writes what was done to a table elsewhere, where its batches could not count it here; goes with the next statement.
  func set(_ counts: VerdictCounts, of table: String, _ connection: Connection) throws(PostgresError) {
    try connection.queryWithNext(
      Query(
        """
        UPDATE \(admin).merge_logs
        SET records_read = $3, records_inserted = $4, records_updated = $5, records_unchanged = $6, records_stale = $7,
            records_duplicate = $8, records_error = $9, lost_races = $10, batches = $11
        WHERE run_id = $1 AND id = $2
        """,
        [
          .bigint(id), .bigint(logIDs[table] ?? 0), .bigint(counts.read), .bigint(counts.inserted),
          .bigint(counts.updated),
          .bigint(counts.unchanged), .bigint(counts.stale), .bigint(counts.duplicate), .bigint(counts.errors),
          .bigint(counts.lostRaces), .bigint(counts.batches),
        ],
        "recording what was done to \(table)"
      )
    )
  }

  /// Closes the run, durably: with it all batches before it are on disk.
  ///
  /// - Parameter warnings: what came up during the run, beside what it was opened with.
  func close(
    _ status: RunStatus,
    notes: String,
    warnings: [Finding],
    _ connection: Connection,
    then followers: [Companion] = []
  ) throws {
    _ = try connection.query(
      """
      UPDATE \(admin).merge_summary
      SET status = $2, notes = $3, paused_because = NULL, merge_end = clock_timestamp() AT TIME ZONE 'UTC',
          warnings = coalesce(warnings, '[]') || $4
      WHERE id = $1
      RETURNING \(RunNumber.outlivesCrash)
      """,
      [.bigint(id), .text(status.rawValue), .text(notes), .jsonb(try Self.json(warnings))],
      then: followers,
      "closing the run"
    )
  }

  private static func json(_ warnings: [Finding]) throws -> String {
    String(decoding: try JSONEncoder().encode(warnings), as: UTF8.self)
  }

  /// What the batches of the run have committed, by table: the truth also after lost connections.
  func committedCounts(_ connection: Connection) throws(PostgresError) -> [String: VerdictCounts] {
    let rows = try connection.query(
      """
      SELECT id, \(VerdictCounts.columns)
      FROM \(admin).merge_logs WHERE run_id = $1
      """,
      [.bigint(id)],
      "reading the counts of the run"
    )
    var counts: [String: VerdictCounts] = [:]
    let names = Dictionary(logIDs.map { ($0.value, $0.key) }) { first, _ in first }
    for row in 0..<rows.count {
      if let name = names[rows.integer(row, 0) ?? 0] { counts[name] = VerdictCounts(rows, row, from: 1) }
    }
    return counts
  }
}

extension VerdictCounts {
  /// Its columns in `merge_logs`, in the order in which ``init(_:_:from:)`` reads them.
  static let columns: SQL = """
    records_read, records_inserted::bigint, records_updated::bigint, records_unchanged, records_stale, records_duplicate,
    records_error, lost_races, batches
    """

  /// Reads ``columns`` from a result; NULL, as rows of the guide's own SQL have it, counts as 0.
  init(_ rows: ResultSet, _ row: Int, from column: Int) {
    self.init()
    read = rows.integer(row, column) ?? 0
    inserted = rows.integer(row, column + 1) ?? 0
    updated = rows.integer(row, column + 2) ?? 0
    unchanged = rows.integer(row, column + 3) ?? 0
    stale = rows.integer(row, column + 4) ?? 0
    duplicate = rows.integer(row, column + 5) ?? 0
    errors = rows.integer(row, column + 6) ?? 0
    lostRaces = rows.integer(row, column + 7) ?? 0
    batches = rows.integer(row, column + 8) ?? 0
  }
}
