import Foundation
import Libpq

/// Looks at staging before a round: what it is, what of it is merged, and whose rows are to be read.
struct StagingReader {
  let admin: Identifier
  let production: Connection
  let staging: Connection
  /// `merge_progress` is there.
  var hasLedger = true
  /// Nothing counts as merged, for who only looks (`--again`).
  var startsAnew = false

  private var isSplit: Bool { staging !== production }

  /// What was found of one table.
  struct Look: Sendable {
    var reading: TablePlan.Reading
    var blockCount: Int
    /// As ``ProgressTable/Findings/forgottenRowCount``.
    var forgottenRowCount: Int
  }

  /// - Parameters:
  ///   - onlyRun: only what this run has merged counts (`--again`); nil for all.
  ///   - isToBeMerged: takes a horizon, so that what is read can be noted; else whatever is there is looked at.
  func look(at table: TablePlan, onlyRun: Int? = nil, isToBeMerged: Bool) throws -> Look {
    // In this order: what the horizon has seen lies within the blocks that are counted after it.
    let horizon = isToBeMerged ? try Horizon(of: "\(table.staging)", staging) : nil
    if horizon != nil, isSplit { try waitUntilDurable() }
    let source = try StagingSource(table.staging, isElsewhere: isSplit, staging)
    var look = Look(
      reading: TablePlan.Reading(horizon: horizon, source: source),
      blockCount: source.blockCount,
      forgottenRowCount: 0
    )
    guard !startsAnew else { return look }
    guard hasLedger else {
      try adopt(table, source, look: &look, notes: false)
      return look
    }
    let nextID = try horizon?.next ?? Horizon.nextID(staging)
    let ledger = ProgressTable(admin: admin)
    let findings = try ledger.findings(of: table, source, onlyRun: onlyRun, nextID: nextID, production)
    look.reading.coverage = findings.coverage
    look.forgottenRowCount = findings.forgottenRowCount
    if findings.isNew, try adopt(table, source, look: &look, notes: isToBeMerged), !isToBeMerged { return look }
    let refusals = try RefusalStanding(admin: admin, production: production, staging: staging).unretried(of: table, source)
    look.reading.refused = refusals.filter { !$0.isDismissed }.map(\.address).sorted()
    look.reading.dismissed = refusals.filter(\.isDismissed).map(\.address).sorted()
    return look
  }

  /// - Parameter notes: whether what is taken over is written down, too.
  /// - Returns: whether there was anything.
  @discardableResult
  private func adopt(_ table: TablePlan, _ source: StagingSource, look: inout Look, notes: Bool) throws -> Bool {
    let adoption = StagingAdoption(admin: admin, production: production, staging: staging)
    guard let adopted = try adoption.adopted(of: table, source, hasLedger: hasLedger) else { return false }
    look.reading.coverage.add(LedgerEntry(id: 0, runID: 0, content: .merged(nil, adopted.horizon, .unbounded)))
    look.reading.coverage.add(LedgerEntry(id: 0, runID: 0, content: .reopened(adopted.unmerged)))
    look.reading.refused = adopted.refused
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

  /// Waits until nothing of what can be seen in staging's database can be lost by a crash of its server any more: ids could
  /// be given out a second time then. Transactions that did not wait for their commit are flushed within moments.
  private func waitUntilDurable() throws(PostgresError) {
    let operation = "waiting for staging's server to write its log"
    // Whoever has an id of its own commits, so that the log's writer has something to write up to.
    let limit = try staging.query(
      """
      SELECT CASE WHEN pg_is_in_recovery() THEN NULL
                  WHEN pg_current_xact_id() IS NOT NULL THEN (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint END
      """,
      operation
    ).integer(0, 0)
    guard let limit else { return }
    while try staging.query(
      "SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint < $1",
      [.bigint(limit)],
      operation
    ).bool(0, 0) == true {
      // The log's writer wakes five times a second.
      Thread.sleep(forTimeInterval: 0.02)
    }
  }
}
