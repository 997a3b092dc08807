import Libpq

/// How far the replay of a snapshot has come, in `merge_progress`: what the ledger is to a staging table.
///
/// A place is a stretch of the file's rows by their numbers. Entries count until a replay has met every row of its files; then
/// they are superseded, and the next one begins anew.
struct SnapshotProgress {
  let admin: Identifier
  let table: TablePlan
  let snapshot: SnapshotTablePlan

  init?(_ table: TablePlan, admin: Identifier) {
    guard let snapshot = table.reading.snapshot else { return nil }
    self.admin = admin
    self.table = table
    self.snapshot = snapshot
  }

  /// The replay that a range belongs to: another window is other work, and so are other rules and a table that was made anew.
  private var condition: SQL {
    "production_oid = $1 AND source = $2 AND superseded_at IS NULL AND \(Self.windowCondition) AND \(rulesCondition)"
  }

  /// By what rules rows are judged, as a replay notes it; see ``TablePlan/versionReading``.
  private var rules: SQL { table.versionReading.map { "\(Literal($0))::text" } ?? "NULL::text" }

  private var matching: SQL { "\(Literal(table.matching))::text" }

  private var rulesCondition: SQL {
    """
    coalesce(version_reading = \(rules), version_reading IS NULL AND \(rules) IS NULL)
    AND coalesce(matched_by = \(matching), true)
    """
  }

  private static let windowCondition: SQL = """
    coalesce(version_from = $3, version_from IS NULL AND $3 IS NULL)
    AND coalesce(version_to = $4, version_to IS NULL AND $4 IS NULL)
    """

  private var identity: [Parameter] {
    [
      .bigint(Int(table.productionOid)), .text(snapshot.source.identity), .text(table.reading.window.from),
      .text(table.reading.window.to),
    ]
  }

  /// The rows that are done, in order and without overlap.
  func done(_ connection: Connection) throws(PostgresError) -> [Range<Int>] {
    let ranges = try connection.query(
      """
      SELECT lower(r), upper(r)
      FROM unnest((SELECT range_agg(int8range(first_row, first_row + row_count))
                   FROM \(admin).merge_progress WHERE \(condition))) AS r
      ORDER BY 1
      """,
      identity,
      "reading the replay progress of \(table.name)"
    )
    return (0..<ranges.count).map { (ranges.integer($0, 0) ?? 0)..<(ranges.integer($0, 1) ?? 0) }
  }

  /// Forgets how far a replay has come.
  func forget(_ connection: Connection) throws(PostgresError) {
    _ = try connection.query(
      """
      UPDATE \(admin).merge_progress SET superseded_at = clock_timestamp() AT TIME ZONE 'UTC' WHERE \(condition)
      """,
      identity,
      "resetting the replay progress of \(table.name)"
    )
  }

  /// The table in which versions before 0.2 kept the progress of replays.
  static let formerTable = "snapshot_progress"

  /// Takes over what an earlier version has noted of this replay, where its table is still there. Rows are moved and not copied, so
  /// that they count once, also when the two versions are used by turns.
  func adoptFormer(_ connection: Connection) throws(PostgresError) {
    _ = try connection.query(
      """
      WITH former AS (
        DELETE FROM \(admin).\(Identifier(Self.formerTable))
        WHERE production_oid = $1 AND snapshot_id = $6 AND table_name = $5 AND \(Self.windowCondition)
        RETURNING run_id, version_from, version_to, first_row, row_count
      )
      INSERT INTO \(admin).merge_progress
        (run_id, table_name, production_oid, source, version_from, version_to, first_row, row_count, records, version_reading,
         matched_by, recorded_at)
      SELECT run_id, $5, $1, $2, version_from, version_to, first_row, row_count, row_count, \(rules),
             \(matching), clock_timestamp() AT TIME ZONE 'UTC'
      FROM former
      """,
      identity + [.text(table.plainName), .text(snapshot.snapshotID)],
      "adopting the replay progress of \(table.name)"
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
        WHERE snapshot_id = $1 AND table_name = $2 AND production_schema = $3 AND retried_at IS NULL\(isInWindow)
        """,
        [.text(snapshot.snapshotID), .text(table.plainName), .text(table.production.schema.name)],
        "recording that refused rows of \(table.name) are tried again"
      )
    } catch {
      guard !isWhole, error.refusesRow else { throw error }
    }
  }

  /// The replay is one of the whole file.
  private var isWhole: Bool { table.reading.window.from == nil && table.reading.window.to == nil }

  /// Which refused rows the window covers; begins with AND.
  private var isInWindow: SQL {
    let version = table.version.stagedName
    guard !isWhole, let type = snapshot.columns.first(where: { $0.name == version })?.type else { return "" }
    return """
       AND EXISTS (SELECT FROM (SELECT (row_data ->> \(Literal(version.name)))::\(type) AS \(version)) AS s
                   WHERE true\(ClaimSQL.windowCondition(table)))
      """
  }

  /// A refusal `e` that stands, of a row which this replay has met: in this run, or in one that broke off before it. What the replay
  /// of another window has refused may lie outside of this one, where nobody would try it.
  private var stands: SQL {
    """
    e.table_name = $5 AND e.production_schema = $6 AND e.snapshot_id = $7 AND e.retried_at IS NULL AND e.dismissed_at IS NULL
    AND e.run_id IN (SELECT run_id FROM \(admin).merge_progress
                     WHERE production_oid = $1 AND source = $2 AND \(Self.windowCondition) AND \(rulesCondition))
    AND e.snapshot_row <@ (SELECT range_agg(int8range(first_row, first_row + row_count))
                           FROM \(admin).merge_progress WHERE \(condition))
    """
  }

  /// ``identity`` and what else ``stands`` asks for.
  private var standing: [Parameter] {
    identity + [.text(table.plainName), .text(table.production.schema.name), .text(snapshot.snapshotID)]
  }

  /// How many rows stand refused by runs that broke off before this one.
  func standingCount(before runID: Int, _ connection: Connection) throws(PostgresError) -> Int {
    try connection.query(
      "SELECT count(*) FROM \(admin).merge_errors AS e WHERE \(stands) AND e.run_id <> $8",
      standing + [.bigint(runID)],
      "counting the refused rows of \(table.name)"
    ).integer(0, 0) ?? 0
  }

  /// How many rows stand refused for these reasons.
  func waitingCount(_ states: [SQLState], _ connection: Connection) throws(PostgresError) -> Int {
    try connection.query(
      "SELECT count(*) FROM \(admin).merge_errors AS e WHERE \(stands) AND e.sqlstate = ANY ($8)",
      standing + [.textArray(states.map(\.code))],
      "counting the refused rows of \(table.name)"
    ).integer(0, 0) ?? 0
  }

  /// Takes the rows out of what is done that stand refused for these reasons, and out of the counts of this run where it refused them.
  func reopen(runID: Int, _ states: [SQLState], _ connection: Connection) throws(PostgresError) {
    _ = try connection.query(
      """
      WITH reopened AS (
        UPDATE \(admin).merge_errors AS e SET retried_at = clock_timestamp() AT TIME ZONE 'UTC'
        WHERE \(stands) AND e.sqlstate = ANY ($8)
        RETURNING e.snapshot_row, e.run_id
      ), uncounted AS (
        UPDATE \(admin).merge_logs SET records_error = records_error - c.count, records_read = records_read - c.count
        FROM (SELECT count(*) FROM reopened WHERE run_id = $9) AS c
        WHERE run_id = $9 AND table_name = $5 AND production_schema = $6
      ), superseded AS (
        UPDATE \(admin).merge_progress SET superseded_at = clock_timestamp() AT TIME ZONE 'UTC'
        WHERE \(condition) RETURNING first_row, row_count
      )
      INSERT INTO \(admin).merge_progress
        (run_id, table_name, production_oid, source, version_from, version_to, first_row, row_count, records, version_reading,
         matched_by, recorded_at)
      SELECT $9, $5, $1, $2, $3, $4, lower(r), upper(r) - lower(r), upper(r) - lower(r), \(rules),
             \(matching), clock_timestamp() AT TIME ZONE 'UTC'
      FROM unnest((SELECT range_agg(int8range(first_row, first_row + row_count)) FROM superseded)
                  - (SELECT coalesce(range_agg(int8range(snapshot_row, snapshot_row + 1)), '{}') FROM reopened)) AS r
      """,
      standing + [.textArray(states.map(\.code)), .bigint(runID)],
      "reopening refused rows of \(table.name)"
    )
  }
}
