import Foundation
import Libpq

/// Looks at staging before a round: what it is, what of it is merged, and whose rows are to be read.
struct StagingReader {
  let admin: Identifier
  let production: Connection
  let staging: Connection
  /// `merge_progress` is there.
  var hasLedger = true
  /// What is merged is to be read a second time (`--again`); for who only looks nothing counts as merged then.
  var startsAnew = false
  /// What was merged counts by whatever rules rows were judged then (``TablePlan/versionReading``).
  var underAnyRules = false

  private var isSplit: Bool { staging !== production }

  /// What was found of one table.
  struct Look: Sendable {
    var state: TablePlan.StagingState
    var blockCount: Int
    /// How many rows that are merged will be read all the same.
    var rereadings: [Rereading: Int] = [:]
    /// ``ProgressTable/Findings/coverageUnderAnyRules``
    var coverageUnderAnyRules: Coverage?
    /// Of rows that were taken for merged by their marks just now.
    var absence = StagingAdoption.Absence()
  }

  /// Why rows that are merged are read a second time.
  enum Rereading: CaseIterable {
    /// What told them apart is gone: ``ProgressTable/Findings/forgottenRowCount``.
    case forgotten
    /// A statement has written the rows of a merged table anew.
    case rewritten
    /// They were merged by other rules: ``StagingReader/otherwiseReadCount(of:_:)``.
    case readOtherwise
    /// `--again`
    case asked
  }

  /// - Parameters:
  ///   - onlyRun: only what this run has merged counts (`--again`); nil for all.
  ///   - isToBeMerged: takes a horizon, so that what is read can be noted; else whatever is there is looked at.
  func look(at table: TablePlan, onlyRun: Int? = nil, isToBeMerged: Bool) throws -> Look {
    defer { for connection in [production, staging] { connection.forgetAnswers() } }
    // In this order: what the horizon has seen lies within the blocks that are counted after it.
    try staging.ask(
      ahead: (isToBeMerged ? [Horizon.running] : [])
        + [StagingSource.query(table.staging, isElsewhere: isSplit, after: table.reading.state.source)]
    )
    let horizon = isToBeMerged ? try Horizon(of: "\(table.staging)", staging) : nil
    // It has looked for recent rows since: they may lie beyond the blocks there were.
    if let horizon, horizon.oldest < horizon.next { staging.forgetAnswers() }
    if horizon != nil, isSplit { try StagingLog.flush(on: staging) }
    let source = try StagingSource(table.staging, isElsewhere: isSplit, after: table.reading.state.source, staging)
    var look = Look(
      state: TablePlan.StagingState(horizon: horizon, source: source),
      blockCount: source.blockCount
    )
    guard hasLedger else {
      if !startsAnew { try adopt(table, source, look: &look, notes: false) }
      return look
    }
    let nextID = try horizon?.next ?? Horizon.nextID(staging)
    let ledger = ProgressTable(admin: admin)
    let standing = RefusalStanding(admin: admin, production: production, staging: staging)
    try production.ask(
      ahead: [ledger.query(table, source, onlyRun: onlyRun), standing.unretriedQuery(of: table, source)]
    )
    let findings = try ledger.findings(of: table, source, onlyRun: onlyRun, nextID: nextID, production)
    look.state.coverage = findings.coverage
    if underAnyRules, let coverage = findings.coverageUnderAnyRules { look.state.coverage = coverage }
    look.coverageUnderAnyRules = findings.coverageUnderAnyRules
    if startsAnew {
      look.rereadings[.asked] = try rowCount(.merged, of: table, look.state)
      guard isToBeMerged else {
        look.state.coverage = Coverage()
        return look
      }
    } else {
      // Nothing is read of a table that was emptied.
      look.rereadings[.forgotten] = source.blockCount > 0 ? findings.forgottenRowCount : 0
      if findings.hasMovedSinceCompleted {
        look.rereadings[.rewritten] = try rewrittenRowCount(of: table, look.state)
      }
    }
    if findings.isNew, try adopt(table, source, look: &look, notes: isToBeMerged) {
      production.forgetAnswers()
      look.rereadings[.forgotten] = nil
      guard isToBeMerged else { return look }
    }
    var refusals = try standing.unretried(of: table, source)
    // Who is read anyhow stands refused no more: what was judged by other rules, or was merged into a table that is gone, and
    // whatever --again asks for.
    let unread = try self.unread(refusals, of: table, look.state)
    if isToBeMerged, !unread.isEmpty {
      // Marks say what became of a row, and are made when it is read.
      var unmarked = table
      unmarked.writing.marksRows = false
      _ = try ErrorLedger(admin: admin).reopen(
        refusals.filter { unread.contains($0.address) },
        of: unmarked,
        source,
        runID: nil,
        production: production,
        staging: staging
      )
    }
    refusals.removeAll { unread.contains($0.address) }
    look.state.refused = refusals.filter { !$0.isDismissed }.map(\.address).sorted()
    look.state.dismissed = refusals.filter(\.isDismissed).map(\.address).sorted()
    return look
  }

  /// Where the refused rows lie that will be read anyhow.
  private func unread(
    _ refusals: [RefusalStanding.Refusal],
    of table: TablePlan,
    _ state: TablePlan.StagingState
  ) throws(PostgresError) -> Set<UInt64> {
    guard !refusals.isEmpty else { return [] }
    var table = table
    (table.reading.state, table.reading.selection) = (state, .pending)
    let rows = try staging.query(
      """
      SELECT s.ctid::text FROM \(table.staging) AS s
      WHERE \(SQL.rows(at: refusals.map(\.address))) AND \(ClaimSQL.isWanted(table, in: .everything))
      """,
      "looking which refused rows of \(table.staging) are unread"
    )
    return Set((0..<rows.count).compactMap { rows.text($0, 0).flatMap { TupleAddress(text: $0)?.packed } })
  }

  /// Whether production holds no row at all, though some were merged into it: the ledger does not say that they are still there.
  func hasLostAll(_ table: TablePlan, _ look: Look) throws(PostgresError) -> Bool {
    guard !startsAnew, !look.state.coverage.isEmpty else { return false }
    let target = table.production
    let found = try production.query("SELECT FROM \(target) LIMIT 1", "looking whether \(target) holds anything")
    guard found.count == 0 else { return false }
    return try rowCount(.merged, of: table, look.state) > 0
  }

  /// How many rows that were merged by other rules will be read once more; a scan of the table where there are any such.
  func otherwiseReadCount(of table: TablePlan, _ look: Look) throws(PostgresError) -> Int {
    guard !startsAnew, let others = look.coverageUnderAnyRules else { return 0 }
    let isUnread = others.isUnread(in: .everything, version: table.stagedVersion)
    return try rowCount(.pending, of: table, look.state, where: "(\(isUnread)) IS NOT TRUE")
  }

  /// How many rows are read by a selection; a scan of the table.
  private func rowCount(
    _ selection: TablePlan.Selection,
    of table: TablePlan,
    _ state: TablePlan.StagingState,
    where condition: SQL = "true"
  ) throws(PostgresError) -> Int {
    guard selection != .merged || !state.coverage.isEmpty else { return 0 }
    var table = table
    (table.reading.state, table.reading.selection) = (state, selection)
    return try staging.query(
      "SELECT count(*) FROM \(table.staging) AS s WHERE \(ClaimSQL.isWanted(table, in: .everything)) AND \(condition)",
      "counting rows of \(table.staging) that will be read a second time"
    ).integer(0, 0) ?? 0
  }

  /// How many unread rows were written by the very transaction that has changed what the catalog says of the table: ALTER TABLE
  /// copies all rows when it changes a type, fills a new column or moves the table to another kind of storage. VACUUM FULL
  /// and CLUSTER leave the rows' transactions as they are; a load after TRUNCATE has one of its own.
  private func rewrittenRowCount(of table: TablePlan, _ state: TablePlan.StagingState) throws(PostgresError) -> Int {
    guard !state.coverage.isEmpty else { return 0 }
    let oid: SQL = "\(Literal(table.staging.quoted))::regclass"
    return try rowCount(
      .pending,
      of: table,
      state,
      where: """
        s.xmin IN (SELECT c.xmin FROM pg_class c WHERE c.oid = \(oid)
                   UNION ALL SELECT a.xmin FROM pg_attribute a WHERE a.attrelid = \(oid))
        """
    )
  }

  /// - Parameter notes: whether what is taken over is written down, too.
  /// - Returns: whether there was anything.
  @discardableResult
  private func adopt(_ table: TablePlan, _ source: StagingSource, look: inout Look, notes: Bool) throws -> Bool {
    let adoption = StagingAdoption(admin: admin, production: production, staging: staging)
    guard let adopted = try adoption.adopted(of: table, source, hasLedger: hasLedger) else { return false }
    look.state.coverage.add(LedgerEntry(id: 0, runID: 0, content: .merged(nil, adopted.horizon, .unbounded)))
    look.state.coverage.add(LedgerEntry(id: 0, runID: 0, content: .reopened(adopted.unmerged)))
    look.state.refused = adopted.refused
    look.absence = try adoption.absence(of: table, by: adopted.horizon.recent)
    guard notes else { return true }
    try adoption.placeRefusals(of: table, source)
    let ledger = ProgressTable(admin: admin)
    try ledger.complete(
      table,
      source,
      horizon: adopted.horizon,
      window: .unbounded,
      recordCount: 0,
      runID: nil,
      production
    )
    try ledger.reopen(adopted.unmerged, of: table, source, runID: nil, production)
    return true
  }
}
