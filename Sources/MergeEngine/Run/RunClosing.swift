import Foundation
import Libpq
import Logging

/// Closes a run: statuses, times and notes in the admin tables, and cleaned staging if that was asked for.
struct RunClosing {
  let record: RunRecord
  let plan: MergePlan
  let options: MergeOptions
  let pauses: [Pressure.Pause]
  /// What was found after the run was opened, and told.
  let foundLater: [Finding]
  let logger: Logger

  /// What the admin tables say at the end.
  struct ClosedRun {
    let status: RunStatus
    let tables: [RunReport.TableReport]
    let failures: [String]
    let warnings: [String]
    /// Rows that earlier runs have refused, and that are still there as they were.
    let standingCount: Int
    /// Rows of staging that are not merged.
    let pendingCount: Int
  }

  /// - Parameters:
  ///   - connection: to production's database; it works.
  ///   - staging: to staging's, if that is another one.
  /// - Throws: ``PostgresError`` when the run can't be closed. The next run will close it as ABORTED.
  func close(
    _ outcome: RunOutcome,
    isInterrupted: Bool,
    _ connection: Connection,
    staging: () throws -> Connection
  ) throws -> ClosedRun {
    let counts = try record.committedCounts(connection)
    let tables = zip(plan.tables, outcome.tables).map { table, outcome in
      RunReport.TableReport(
        table: table.name,
        counts: counts[table.name] ?? VerdictCounts(),
        elapsedMilliseconds: outcome.elapsedMilliseconds,
        pages: outcome.pages,
        isCold: outcome.isCold
      )
    }
    for table in tables {
      try record.closeTable(
        table.table,
        elapsedMilliseconds: table.elapsedMilliseconds,
        pages: table.pages,
        connection
      )
    }
    let readCount = tables.reduce(0) { $0 + $1.counts.read }
    let failures = failures(outcome, readCount: readCount)
    let refusedCount = tables.reduce(0) { $0 + $1.counts.errors }
    let isThrough = !isInterrupted && failures.isEmpty
    let (standingCount, exchanges) = isThrough ? try lookAtRefusals(connection, staging) : (0, [])
    let status: RunStatus =
      isInterrupted
      ? .aborted : !failures.isEmpty ? .failed : refusedCount + standingCount > 0 ? .partial : .success
    // Before somebody makes a warning of an error.
    try connection.executeWaiting()
    let cleaning = options.cleanup ? try cleanUp(status, production: connection, staging: staging) : []
    for warning in exchanges + cleaning { logger.warning("\(warning)") }
    let coldNotes = tables.compactMap { table in table.coldNote.map { "\(table.table): \($0)." } }
    let warnings = exchanges + cleaning + pauses.map(\.description) + coldNotes
    try connection.beginWithNext("closing the run")
    if isThrough {
      try ReplayProgress(plan, options.schemas).finish(connection)
    }
    try record.close(
      status,
      notes: notes(
        status,
        failures,
        readCount: readCount,
        refusedCount: refusedCount,
        standingCount: standingCount
      ),
      warnings: foundLater + warnings.map { .warning(.runEnd, nil, $0) },
      connection,
      then: [Companion("COMMIT", "closing the run")]
    )
    if let fatalError = outcome.fatalError as? MergeFailure { throw fatalError }
    return ClosedRun(
      status: status,
      tables: tables,
      failures: failures,
      warnings: warnings,
      standingCount: standingCount,
      pendingCount: isThrough || !outcome.unreadCounts.isEmpty
        ? outcome.unreadCounts.values.reduce(0, +)
        : PendingRows(plan: plan, options: options, runID: record.id)
          .count(tables, production: connection, staging: staging)
    )
  }

  /// - Returns: how many rows stand refused by runs before this one, and which rows hinder each other.
  private func lookAtRefusals(_ production: Connection, _ staging: () throws -> Connection) throws -> (Int, [String]) {
    let replay = ReplayProgress(plan, options.schemas)
    guard !replay.isReplay else { return (try replay.standingCount(before: record.id, production), []) }
    let staging = try staging()
    let standing = RefusalStanding(admin: Identifier(options.schemas.admin), production: production, staging: staging)
    var standingCount = 0
    var exchanges: [String] = []
    for table in plan.tables {
      let source = try StagingSource(
        table.staging,
        isElsewhere: staging !== production,
        after: table.reading.state.source,
        staging
      )
      let refusals = try standing.refusals(of: table, source)
      try standing.retire(except: refusals, of: table, source)
      standingCount += refusals.count { $0.runID != record.id }
      guard staging === production else { continue }
      let exchange = try KnotFinding(
        table: table,
        production: production,
        refusals: refusals,
        batchRows: options.batchRows
      )
      .finding()
      exchanges += exchange.map { [$0] } ?? []
    }
    return (standingCount, exchanges)
  }

  /// - Returns: which tables were not truncated, and why not.
  private func cleanUp(
    _ status: RunStatus,
    production: Connection,
    staging: () throws -> Connection
  ) throws -> [String] {
    guard status == .success else {
      return plan.tables.map { "the staging table \($0.name) was not truncated: the run is \(status.rawValue)" }
    }
    return try StagingCleanup(
      plan: plan,
      rule: .merged(except: nil, ofRun: nil),
      admin: Identifier(options.schemas.admin),
      production: production,
      staging: try staging()
    ).truncate().compactMap(\.warning)
  }

  /// - Parameter readCount: how many rows were read by what is committed.
  private func failures(_ outcome: RunOutcome, readCount: Int) -> [String] {
    var failures = zip(plan.tables, outcome.tables).compactMap { table, outcome in
      outcome.failure.map { "\(table.name): \(Self.text($0))" }
        ?? (outcome.isSkipped ? "\(table.name): not started, since a table it refers to failed" : nil)
    }
    if outcome.isOverRefusalLimit {
      failures.append(
        "more rows were refused than --max-errors \(options.maxErrors ?? 0) allows: merge-engine errors list shows them, and "
          + "errors retry has them read again once the cause is fixed"
      )
    }
    if let fatalError = outcome.fatalError { failures.append(Self.text(fatalError)) }
    guard outcome.isClean else {
      if options.atomic, readCount > 0, !failures.isEmpty {
        failures.append(
          "the run's one transaction, with what staging held when it began, is committed: what failed came behind it, rows that earlier "
            + "runs had refused or that were added since"
        )
      }
      return failures
    }
    failures += outcome.unreadCounts.sorted { $0.key < $1.key }.filter { $0.value > 0 }.map { index, count in
      "\(plan.tables[index].name): \(count.rows) of staging \(count == 1 ? "is" : "are") not merged yet, since rows were "
        + "added or changed faster than they were merged; run the merge again"
    }
    return failures
  }

  /// - Parameter readCount: how many rows were read by what is committed.
  private func notes(
    _ status: RunStatus,
    _ failures: [String],
    readCount: Int,
    refusedCount: Int,
    standingCount: Int
  ) -> String {
    switch status {
    case .success:
      options.from == nil && options.to == nil
        ? "All staging rows merged." : "All staging rows within the window merged."
    case .partial:
      [
        refusedCount > 0 ? "\(refusedCount.rows) \(refusedCount == 1 ? "was" : "were") refused." : nil,
        standingCount > 0
          ? "\(standingCount.rows) \(standingCount == 1 ? "stands" : "stand") refused by earlier runs." : nil,
        "merge-engine errors list shows them.",
      ].compactMap(\.self).joined(separator: " ")
    case .aborted where options.atomic && readCount == 0:
      "Interrupted. --atomic has rolled back everything; run the merge again."
    case .aborted: "Interrupted. The batches before are committed; run the merge again to continue."
    case .failed, .running, .loading: failures.joined(separator: "\n")
    }
  }

  private static func text(_ error: any Error) -> String {
    if case MergeFailure.unreachable(let inner) = error { return "\(inner)" }
    return "\(error)"
  }
}
