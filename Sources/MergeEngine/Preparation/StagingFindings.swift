import Libpq

/// What staging does to a merge: no room for marks, rows outside the window, somebody else at work.
struct StagingFindings {
  let table: TablePlan
  let connection: Connection

  /// With more than this in a block, the second version of a marked row may find no room beside the first.
  static let hotFillFactorLimit = 50

  func all() throws(PostgresError) -> [Finding] {
    try roomForMarks() + triggersOnMarks() + rowsOutsideWindow() + otherSessions()
  }

  /// What a trigger keeps from being marked, progress knows all the same; who reads the column does not.
  func triggersOnMarks() throws(PostgresError) -> [Finding] {
    guard table.writing.marksRows else { return [] }
    let rows = try connection.query(Self.triggersOnMarks(table))
    guard let names = rows.text(0, 0) else { return [] }
    return [
      .warning(
        .statusColumn,
        table.name,
        "the trigger \(names) of \(table.staging) runs at each update, and so at each mark: what it swallows is not what "
          + "\(TablePlanner.statusColumn) should say, what it changes in a marked row is not merged, and a row that it writes anew may be taken for a new one. merge-engine itself goes "
          + "by its own records: merge with --mark none, or disable the trigger."
      )
    ]
  }

  /// Triggers that run when a row is updated.
  static func triggersOnMarks(_ table: TablePlan) -> Query {
    Query(
      """
      SELECT string_agg(t.tgname::text, ', ' ORDER BY t.tgname)
      FROM pg_trigger t
      WHERE t.tgrelid = \(Literal(table.staging.quoted))::regclass AND NOT t.tgisinternal
        AND (t.tgenabled = 'A' OR t.tgenabled = CASE WHEN current_setting('session_replication_role') = 'replica' THEN 'R' ELSE 'O' END)
        -- on UPDATE
        AND t.tgtype::integer & 16 = 16
      """,
      [],
      "reading the triggers of \(table.staging)"
    )
  }

  /// - Parameter leastBlockCount: smaller tables are not worth a word.
  func roomForMarks(leastBlockCount: Int = 0) throws(PostgresError) -> [Finding] {
    guard table.writing.marksRows else { return [] }
    let sizes = try TableSizes(table.staging, version: TablePlanner.statusColumn, connection)
    guard sizes.blockCount >= leastBlockCount else { return [] }
    var findings: [Finding] = []
    if sizes.fillFactor > Self.hotFillFactorLimit {
      findings.append(
        .warning(
          .statusColumn,
          table.name,
          "\(table.staging) has fillfactor \(sizes.fillFactor), which leaves no room for HOT marks: marking takes about "
            + "five times as long. Create staging with init (fillfactor 45), or merge with --mark none if it is truncated "
            + "right after."
        )
      )
    }
    if sizes.columnIsIndexed {
      findings.append(
        .warning(
          .statusColumn,
          table.name,
          "an index of \(table.staging) holds \(TablePlanner.statusColumn), so no mark can be a HOT update. Drop it; "
            + "merge-engine does not use it."
        )
      )
    }
    return findings
  }

  private func rowsOutsideWindow() throws(PostgresError) -> [Finding] {
    guard table.reading.window.from != nil || table.reading.window.to != nil else { return [] }
    var everything = table
    everything.reading.window = .unbounded
    let pending = ClaimSQL.isWanted(everything, in: .everything)
    let result: ResultSet
    do {
      result = try connection.query(
        """
        SELECT count(*) FROM \(table.staging) AS s
        WHERE \(pending) AND NOT coalesce(true\(ClaimSQL.rowCondition(table)), false)
        """,
        "counting the rows outside the window in \(table.staging)"
      )
    } catch {
      guard error.origin == .server, error.sqlState != .queryCanceled else { throw error }
      return [.warning(.outsideWindow, table.name, "rows outside the window could not be counted: \(error.message).")]
    }
    let count = result.integer(0, 0) ?? 0
    guard count > 0 else { return [] }
    return [
      .warning(
        .outsideWindow,
        table.name,
        "\(count.rows) of \(table.staging) outside the window (--from, --to), or without a version: not merged."
      )
    ]
  }

  /// Sessions that hold a write lock on staging, or that call themselves DMS.
  func otherSessions() throws(PostgresError) -> [Finding] {
    try StagingWriters(table: table.staging, connection: connection).sessions().map { session in
      .warning(
        .stagingWriter,
        table.name,
        session.modes.isEmpty
          ? "\(session.description) looks like a connected DMS task. If it is still loading \(table.staging), "
            + "the rows it has yet to load are left out."
          : "\(session.description) is writing to \(table.staging) now (\(session.modes)): rows that it has not committed "
            + "yet are left out."
      )
    }
  }
}
