import Libpq

/// Keeps the status column of staging true, where there is one: PROCESSED for what a batch has carried, ERROR for what
/// was refused.
///
/// The last thing that a batch does to staging, and outside of any savepoint: a mark is a new version of its row, which the
/// ledger knows to be merged by the transaction that made it, wherever it lies. So that transaction must not write anything else
/// into staging.
struct StagingMarks {
  /// Something else has, a trigger as a rule: its rows would be passed off as merged.
  struct OtherRows: Error, CustomStringConvertible {
    let plan: TablePlan

    var description: String {
      "a trigger writes rows of its own into \(plan.staging) while rows of it are merged; they can't be told from marked ones, so "
        + "merge with --mark none"
    }
  }

  private let plan: TablePlan
  private let staging: Connection
  private let production: Connection
  private let stagingLog: StagingLog?
  private let admin: Identifier

  init(_ plan: TablePlan, admin: Identifier, _ connections: WorkerConnections) {
    self.plan = plan
    self.admin = admin
    staging = connections.staging
    production = connections.production
    stagingLog = connections.stagingLog
  }

  /// The transaction that will mark, where it is not the batch's own: it must be known before the batch commits, and to staging's log.
  func marker() throws(PostgresError) -> Int? {
    guard plan.writing.marksRows, staging !== production else { return nil }
    return try ownID()
  }

  /// The id of the transaction that is open in staging's database.
  private func ownID() throws(PostgresError) -> Int {
    let id = try staging.query(
      "SELECT pg_current_xact_id()::text::bigint",
      "beginning to mark rows of \(plan.staging)"
    ).integer(0, 0)
    try stagingLog?.flush()
    return id ?? 0
  }

  /// Marks what is merged or stands refused and is not marked so: rows whose marks were lost on another server, or that a run was not to mark.
  ///
  /// - Precondition: the plan's reading is of now, and nobody merges.
  func repair(runID: Int) throws(PostgresError) {
    guard plan.writing.marksRows, plan.reading.snapshot == nil, let source = plan.reading.state.source else { return }
    try repairMerged(source, runID: runID)
    try repairRefused(source, runID: runID)
  }

  private func repairMerged(_ source: StagingSource, runID: Int) throws(PostgresError) {
    var merged = plan
    merged.reading.selection = .merged
    let status = TablePlanner.statusColumn
    let isUntrue: SQL = """
      \(ClaimSQL.isWanted(merged, in: .everything)) AND (s.\(status) IN ('PROCESSED', 'ERROR')) IS NOT TRUE
      """
    let operation = "looking for rows of \(plan.staging) whose marks were lost"
    let isNeeded = try staging.query("SELECT EXISTS (SELECT FROM \(plan.staging) AS s WHERE \(isUntrue))", operation)
    guard isNeeded.bool(0, 0) == true else { return }
    try staging.execute("BEGIN", operation)
    do {
      try begin()
      try ProgressTable(admin: admin).note(marker: ownID(), of: plan, source, runID: runID, production)
      let markedCount = try staging.execute(
        "UPDATE \(plan.staging) AS s SET \(status) = 'PROCESSED' WHERE \(isUntrue)",
        "marking rows of \(plan.staging)"
      )
      // Marks are for whoever looks at them: better none than rows that are not read.
      let isAlone = try wroteAtMost(markedCount)
      try staging.execute(isAlone ? "COMMIT" : "ROLLBACK", operation)
    } catch {
      if staging.isInTransaction { try staging.execute("ROLLBACK", operation) }
      throw error
    }
  }

  private func repairRefused(_ source: StagingSource, runID: Int) throws(PostgresError) {
    let refused = plan.reading.state.refused + plan.reading.state.dismissed
    guard !refused.isEmpty else { return }
    let untrue = try staging.query(
      """
      SELECT s.ctid::text FROM \(plan.staging) AS s
      WHERE \(SQL.rows(at: refused)) AND (s.\(TablePlanner.statusColumn) = 'ERROR') IS NOT TRUE
      """,
      "looking for rows of \(plan.staging) whose marks were lost"
    )
    guard untrue.count > 0 else { return }
    let unmarked = Set((0..<untrue.count).compactMap { untrue.text($0, 0) })
    let standing = try RefusalStanding(admin: admin, production: production, staging: staging)
      .unretried(of: plan, source)
    var ids: [String: Int] = [:]
    // A record that may be of several rows can follow none of them.
    for (id, refusals) in Dictionary(grouping: standing, by: \.id) where refusals.count == 1 {
      let address = TupleAddress(refusals[0].address).description
      if unmarked.contains(address) { ids[address] = id }
    }
    guard !ids.isEmpty else { return }
    let addresses = ids.keys.compactMap { TupleAddress(text: $0)?.packed }.sorted()
    try markApart(addresses, source, runID: runID) { moved throws(PostgresError) in
      try follow(moved, ids: moved.old.map { ids[$0] ?? 0 }, source)
    }
  }

  /// Has a transaction tell later what it has written into staging: to be called before it writes there, again and again as it may be.
  func begin() throws(PostgresError) {
    guard plan.writing.marksRows else { return }
    // The statistics also hold what earlier transactions of the session have written, until it has time to pass them on.
    try staging.executeWithNext(
      """
      SELECT set_config(\(countedBefore), (\(counted))::text, true)
      WHERE coalesce(current_setting(\(countedBefore), true), '') = ''
      """,
      "beginning to mark rows of \(plan.staging)"
    )
  }

  /// Whether this transaction has written no more versions of rows into staging than its marks, as the server's statistics have it.
  /// Where the server does not count, or other servers hold staging's rows, they have less.
  private func wroteAtMost(_ markCount: Int) throws(PostgresError) -> Bool {
    // What would run at the commit writes before that is asked.
    try staging.executeWithNext("SET CONSTRAINTS ALL IMMEDIATE", "running deferred triggers of \(plan.staging)")
    return try staging.query(
      "SELECT \(counted) - current_setting(\(countedBefore))::bigint <= \(markCount)",
      "looking what was written into \(plan.staging)"
    ).bool(0, 0) == true
  }

  /// The setting that keeps ``counted`` until the transaction ends.
  private var countedBefore: Literal { Literal("merge_engine.written_\(plan.stagingOid)") }

  /// Versions of rows that the session has written into staging lately.
  private var counted: SQL {
    let relation: SQL = "\(Literal(plan.staging.quoted))::regclass"
    return """
      (SELECT coalesce(sum(pg_stat_get_xact_tuples_inserted(t.relid) + pg_stat_get_xact_tuples_updated(t.relid)), 0)::bigint
       FROM (SELECT \(relation) AS relid UNION SELECT relid FROM pg_partition_tree(\(relation)) WHERE relid IS NOT NULL) AS t)
      """
  }

  /// Marks the rows of a batch.
  ///
  /// - Parameters:
  ///   - refused: the addresses of those that were refused; their records follow them.
  ///   - setApart: the addresses of those that were left for later.
  /// - Throws: ``OtherRows``, ``PostgresError``.
  func mark(_ place: StagedPlace, refused: [UInt64], leaving setApart: [UInt64] = [], runID: Int) throws {
    try requireAlone(try makeMarks(place, refused: refused, leaving: setApart, runID: runID))
  }

  /// Marks all rows of several tables in one transaction.
  ///
  /// - Throws: as ``mark(_:refused:leaving:runID:)``: marks of one table may have a trigger write into another that was marked before.
  static func markAll(_ tables: [StagingMarks], runID: Int) throws {
    let counts = try tables.map { try $0.makeMarks(.range(.everything), refused: [], leaving: [], runID: runID) }
    for (table, count) in zip(tables, counts) { try table.requireAlone(count) }
  }

  /// - Throws: ``OtherRows``, ``PostgresError``.
  private func requireAlone(_ markCount: Int) throws {
    guard plan.writing.marksRows else { return }
    guard try wroteAtMost(markCount) else { throw OtherRows(plan: plan) }
  }

  /// - Returns: how many rows were marked.
  private func makeMarks(_ place: StagedPlace, refused: [UInt64], leaving setApart: [UInt64], runID: Int) throws -> Int
  {
    guard plan.writing.marksRows else { return 0 }
    let status = TablePlanner.statusColumn
    let operation = "marking rows of \(plan.staging)"
    let others = refused + setApart
    let isOther: SQL = others.isEmpty ? "" : " AND s.ctid <> ALL (\(TupleAddress.list(others)))"
    let mergedCount = try staging.execute(
      """
      UPDATE \(plan.staging) AS s SET \(status) = 'PROCESSED'
      WHERE \(ClaimSQL.isWanted(plan, at: place))\(isOther)
      """,
      operation
    )
    let refusedCount = staging === production ? try follow(markRefused(refused), runID: runID) : 0
    return mergedCount + refusedCount
  }

  /// Marks refused rows in another database, when the batch has committed on both sides.
  ///
  /// - Throws: what has ended a connection. Marks that can't be made are left out, since the batch is done.
  func markRefusedElsewhere(_ refused: [UInt64], runID: Int) throws(PostgresError) {
    guard plan.writing.marksRows, staging !== production, !refused.isEmpty, let source = plan.reading.state.source
    else {
      return
    }
    try markApart(refused, source, runID: runID) { moved throws(PostgresError) in try follow(moved, runID: runID) }
  }

  /// Marks refused rows, and nothing else. In another database staging comes first: until the records follow, the rows are unread, and refused
  /// once more if that is as far as it gets. The other way round a commit that staging has lost would leave records of rows that are not there.
  private func markApart(
    _ refused: [UInt64],
    _ source: StagingSource,
    runID: Int,
    following: (Moved) throws(PostgresError) -> Void
  ) throws(PostgresError) {
    let operation = "marking rows of \(plan.staging)"
    do {
      try staging.execute("BEGIN", operation)
      try begin()
      let moved = try markRefused(refused)
      guard try wroteAtMost(moved.old.count), let transaction = moved.transaction else {
        try staging.execute("ROLLBACK", operation)
        return
      }
      if staging !== production {
        try staging.execute("COMMIT", operation)
        try stagingLog?.flush()
        try production.execute("BEGIN", operation)
      }
      // They have been read, wherever they lie.
      try ProgressTable(admin: admin).note(marker: transaction, of: plan, source, runID: runID, production)
      try following(moved)
      try production.execute("COMMIT", operation)
    } catch {
      guard error.origin == .server else { throw error }
      for connection in [staging, production] where connection.isInTransaction {
        try connection.execute("ROLLBACK", operation)
      }
    }
  }

  /// Refused rows: where they were, where their marks have put them, and by which transaction.
  private struct Moved {
    let old: [String]
    let new: [String]
    let transaction: Int?
  }

  private func markRefused(_ refused: [UInt64]) throws(PostgresError) -> Moved {
    guard !refused.isEmpty else { return Moved(old: [], new: [], transaction: nil) }
    let moved = try staging.query(
      """
      UPDATE \(plan.staging) AS s SET \(TablePlanner.statusColumn) = 'ERROR'
      FROM unnest(\(TupleAddress.list(refused))) AS a (address)
      WHERE s.ctid = a.address\(plan.reading.state.horizon.map { " AND \($0.hasSeen())" } ?? "")
      RETURNING a.address::text, s.ctid::text, pg_current_xact_id()::text::bigint
      """,
      "marking rows of \(plan.staging)"
    )
    return Moved(
      old: (0..<moved.count).map { moved.text($0, 0) ?? "" },
      new: (0..<moved.count).map { moved.text($0, 1) ?? "" },
      transaction: moved.count > 0 ? moved.integer(0, 2) : nil
    )
  }

  /// Has the records of rows that this run has refused follow them.
  ///
  /// - Returns: how many there are.
  @discardableResult
  private func follow(_ moved: Moved, runID: Int) throws(PostgresError) -> Int {
    guard !moved.old.isEmpty else { return 0 }
    _ = try production.query(
      """
      UPDATE \(admin).merge_errors AS e SET staging_address = m.new::tid, staging_xmin = $4
      FROM unnest($1::text[], $2::text[]) AS m (old, new)
      WHERE e.run_id = \(runID) AND e.table_name = $3 AND e.staging_address = m.old::tid AND e.retried_at IS NULL
      """,
      [
        .textArray(moved.old), .textArray(moved.new), .text(plan.plainName),
        .bigint(moved.transaction.map { $0 % (1 << 32) }),
      ],
      "marking rows of \(plan.staging)"
    )
    return moved.old.count
  }

  /// Has records follow rows that they may have been found by otherwise than by their addresses.
  private func follow(_ moved: Moved, ids: [Int], _ source: StagingSource) throws(PostgresError) {
    _ = try production.query(
      """
      UPDATE \(admin).merge_errors AS e SET staging_address = m.new::tid, staging_xmin = $3, staging_file_node = $4
      FROM unnest($1::text[]::bigint[], $2::text[]) AS m (id, new) WHERE e.id = m.id
      """,
      [
        .textArray(ids.map { "\($0)" }), .textArray(moved.new), .bigint(moved.transaction.map { $0 % (1 << 32) }),
        .bigint(source.fileNode),
      ],
      "marking rows of \(plan.staging)"
    )
  }
}
