import Libpq

/// Looks for extra rows in all tables, twice if there are any, and deletes them if that was asked for and they are few.
struct Completeness {
  let plan: MergePlan
  let options: VerifyOptions
  let session: Session
  let stop: StopSignal
  /// By table: what was given, else what the last run had.
  private let windows: [VersionWindow]

  init(
    plan: MergePlan,
    options: VerifyOptions,
    lastRun: LastRun?,
    session: Session,
    stop: StopSignal,
    _ production: Connection
  ) throws(PostgresError) {
    self.plan = plan
    self.options = options
    self.session = session
    self.stop = stop
    var windows: [VersionWindow] = []
    for table in plan.tables {
      let last = table.window.isUnbounded ? try lastRun?.window(of: table, production) : nil
      windows.append(last ?? table.window)
    }
    self.windows = windows
  }

  /// Rows that CDC has brought since the load are newer than every bound: without one they would be deleted.
  ///
  /// - Throws: ``MergeFailure/usage(_:)``.
  func checkWindows() throws {
    guard options.extra == .delete else { return }
    for (table, window) in zip(plan.tables, windows) {
      guard window.from == nil || window.to == nil else { continue }
      throw MergeFailure.usage(
        "\(table.name): --extra delete needs a window with two ends: --from and --to, unless the last run had both and "
          + "merged this table."
      )
    }
  }

  /// What has to be settled before hours of comparing: that the role may delete, and that nobody merges meanwhile.
  ///
  /// - Returns: a connection that may write, and holds the tables' locks; nil when nothing is to be deleted.
  /// - Throws: ``MergeFailure/blocked(_:)``, ``MergeFailure/busy(table:)``.
  func openDeletion(isSplit: Bool) throws -> Connection? {
    guard options.extra == .delete, !isSplit else { return nil }
    var writing = session
    writing.isReadOnly = false
    let connection = try writing.reachControl()
    let deletions = try zip(plan.tables, windows).map { table, window in
      try ExtraDeletion(
        ExtraRows(table, window, on: connection),
        StagingState(table.staging, connection),
        schemas: session.schemas,
        on: connection
      )
    }
    let denied = try deletions.compactMap { try $0.missingRights() }
    guard denied.isEmpty else { throw MergeFailure.blocked(denied) }
    for warning in deletions.flatMap(\.slowChecks) { session.logger.warning("\(warning)") }
    try RunLocks(plan: plan).takeTables(connection)
    return connection
  }

  /// - Parameters:
  ///   - production: a connection whose planner is free to choose; read-only.
  ///   - deletion: what ``openDeletion(isSplit:)`` has returned.
  /// - Returns: one outcome a table.
  func check(_ production: Connection, isSplit: Bool, deletion: Connection?) throws -> [ExtraRows.Outcome] {
    guard !isSplit else {
      return plan.tables.map { _ in
        var outcome = ExtraRows.Outcome()
        outcome.note = "not looked for: staging is in another database."
        return outcome
      }
    }
    let tables = zip(plan.tables, windows).map { ExtraRows($0, $1, on: production) }
    let states = try plan.tables.map { try StagingState($0.staging, production) }
    var outcomes = try tables.map { try $0.find(sampleLimit: options.sampleLimit) }
    let found = outcomes.indices.filter { outcomes[$0].count > 0 }
    guard !found.isEmpty, stop.signal == nil else { return outcomes }
    // CDC may be about to delete them.
    stop.sleep(seconds: options.recheckAfterSeconds)
    for index in found { outcomes[index] = try tables[index].find(sampleLimit: options.sampleLimit) }
    guard let deletion, stop.signal == nil else { return outcomes }
    // Children before the parents that they refer to.
    for index in found.reversed() where outcomes[index].count > 0 && stop.signal == nil {
      let outcome = outcomes[index]
      guard outcome.percent <= options.maxExtraPercent else {
        let percent = (outcome.percent * 100).rounded() / 100
        outcomes[index].note =
          "not deleted: \(outcome.count) of \(outcome.windowCount ?? 0) rows (\(percent) %) are more than "
          + "--max-extra-percent \(options.maxExtraPercent) allows. Is staging complete?"
        continue
      }
      try ExtraDeletion(tables[index], states[index], schemas: session.schemas, on: deletion).run(
        &outcomes[index],
        stop
      )
    }
    return outcomes
  }
}
