import Libpq

/// How far the replay of a snapshot has come, in `snapshot_progress`: what marks are to staging rows.
///
/// Ranges of rows are written in the transaction that merges them, so that after a crash at any moment the same replay
/// goes on where it stopped. They are removed when a replay is done, and the next one begins anew.
struct SnapshotProgress {
  let admin: Identifier
  let table: TablePlan
  let snapshot: SnapshotTablePlan

  init?(_ table: TablePlan, admin: Identifier) {
    guard let snapshot = table.snapshot else { return nil }
    self.admin = admin
    self.table = table
    self.snapshot = snapshot
  }

  /// The replay that a range belongs to: another window is other work, and so is a table that was made anew.
  private static let condition: SQL = """
    snapshot_id = $1 AND table_name = $2 AND production_oid = $3
    AND coalesce(version_from = $4, version_from IS NULL AND $4 IS NULL)
    AND coalesce(version_to = $5, version_to IS NULL AND $5 IS NULL)
    """

  private var identity: [Parameter] {
    [
      .text(snapshot.snapshotID), .text(table.plainName), .bigint(Int(table.productionOid)), .text(table.window.from),
      .text(table.window.to),
    ]
  }

  /// The rows that are done, in order and without overlap.
  func done(_ connection: Connection) throws(PostgresError) -> [Range<Int>] {
    let ranges = try connection.query(
      """
      SELECT lower(r), upper(r)
      FROM unnest((SELECT range_agg(int8range(first_row, first_row + row_count))
                   FROM \(admin).snapshot_progress WHERE \(Self.condition))) AS r
      ORDER BY 1
      """,
      identity,
      "reading how far the replay of \(table.name) has come"
    )
    return (0..<ranges.count).map { (ranges.integer($0, 0) ?? 0)..<(ranges.integer($0, 1) ?? 0) }
  }

  /// Forgets how far a replay has come.
  func forget(_ connection: Connection) throws(PostgresError) {
    _ = try connection.query(
      "DELETE FROM \(admin).snapshot_progress WHERE \(Self.condition)",
      identity,
      "forgetting how far the replay of \(table.name) has come"
    )
  }

  /// Notes that the rows which earlier replays of the snapshot had refused are tried again: all that are read anew, which
  /// with a window are those whose version lies in it. A version that can't be read as production's type keeps a table's
  /// refusals as they are: they are listed once too often rather than lost.
  func retireRefusals(_ connection: Connection) throws(PostgresError) {
    do {
      _ = try connection.query(
        """
        UPDATE \(admin).merge_errors SET retried_at = clock_timestamp() AT TIME ZONE 'UTC'
        WHERE snapshot_id = $1 AND table_name = $2 AND production_schema = $3 AND retried_at IS NULL\(windowCondition)
        """,
        [.text(snapshot.snapshotID), .text(table.plainName), .text(table.production.schema.name)],
        "noting that refused rows of \(table.name) are tried again"
      )
    } catch {
      guard !isWhole, error.refusesRow else { throw error }
    }
  }

  /// The replay is one of the whole file.
  private var isWhole: Bool { table.window.from == nil && table.window.to == nil }

  /// Which refused rows the window covers; begins with AND.
  private var windowCondition: SQL {
    let version = table.version.stagedName
    guard !isWhole, let type = snapshot.columns.first(where: { $0.name == version })?.type else { return "" }
    return """
       AND EXISTS (SELECT FROM (SELECT (row_data ->> \(Literal(version.name)))::\(type) AS \(version)) AS s
                   WHERE true\(ClaimSQL.windowCondition(table)))
      """
  }

  /// How many rows were refused for these reasons in this run.
  func waitingCount(runID: Int, _ states: [SQLState], _ connection: Connection) throws(PostgresError) -> Int {
    try connection.query(
      """
      SELECT count(*) FROM \(admin).merge_errors
      WHERE run_id = $1 AND table_name = $2 AND snapshot_id = $3 AND sqlstate = ANY ($4) AND retried_at IS NULL
      """,
      [.bigint(runID), .text(table.plainName), .text(snapshot.snapshotID), .textArray(states.map(\.code))],
      "counting the refused rows of \(table.name)"
    ).integer(0, 0) ?? 0
  }

  /// Takes the rows out of what is done that were refused for these reasons in this run, and out of its counts.
  func reopen(runID: Int, _ states: [SQLState], _ connection: Connection) throws(PostgresError) {
    _ = try connection.query(
      """
      WITH reopened AS (
        UPDATE \(admin).merge_errors SET retried_at = clock_timestamp() AT TIME ZONE 'UTC'
        WHERE run_id = $6 AND table_name = $2 AND snapshot_id = $1 AND sqlstate = ANY ($7) AND retried_at IS NULL
        RETURNING snapshot_row
      ), uncounted AS (
        UPDATE \(admin).merge_logs SET records_error = records_error - c.count, records_read = records_read - c.count
        FROM (SELECT count(*) FROM reopened) AS c
        WHERE run_id = $6 AND table_name = $2
      ), removed AS (
        DELETE FROM \(admin).snapshot_progress WHERE \(Self.condition) RETURNING first_row, row_count
      ), kept AS (
        INSERT INTO \(admin).snapshot_progress
          (snapshot_id, table_name, production_oid, version_from, version_to, first_row, row_count, run_id)
        SELECT $1, $2, $3, $4, $5, lower(r), upper(r) - lower(r), $6
        FROM unnest((SELECT range_agg(int8range(first_row, first_row + row_count)) FROM removed)
                    - (SELECT coalesce(range_agg(int8range(snapshot_row, snapshot_row + 1)), '{}') FROM reopened)) AS r
      )
      SELECT count(*) FROM reopened
      """,
      identity + [.bigint(runID), .textArray(states.map(\.code))],
      "taking refused rows of \(table.name) up again"
    )
  }

  /// Writes the rows of one batch after the other down as done.
  struct Writer {
    private let statement: PreparedStatement
    private let connection: Connection
    private let identity: [Parameter]
    private let runID: Int

    init(_ progress: SnapshotProgress, runID: Int, name: String, _ connection: Connection) throws(PostgresError) {
      self.connection = connection
      self.runID = runID
      identity = progress.identity
      statement = try connection.prepare(
        name,
        """
        INSERT INTO \(progress.admin).snapshot_progress
          (snapshot_id, table_name, production_oid, version_from, version_to, first_row, row_count, run_id)
        SELECT $1, $2, $3, $4, $5, r.first::bigint, r.count::bigint, $6
        FROM unnest($7, $8) AS r (first, count)
        """,
        parameterTypes: [
          TypeOID.text, TypeOID.text, TypeOID.int8, TypeOID.text, TypeOID.text, TypeOID.int8, TypeOID.textArray,
          TypeOID.textArray,
        ],
        "recording how far the replay of \(progress.table.name) has come"
      )
    }

    /// In the batch's transaction.
    func add(_ slice: SnapshotSlice) throws(PostgresError) {
      _ = try connection.execute(
        statement,
        identity + [
          .bigint(runID), .textArray(slice.rows.map { "\($0.lowerBound)" }),
          .textArray(slice.rows.map { "\($0.count)" }),
        ]
      )
    }
  }
}
