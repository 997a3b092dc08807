import Libpq

/// Looks for extra rows in all tables, twice if there are any, and deletes them if that was asked for and they are few.
struct Completeness {
  let plan: MergePlan
  let options: VerifyOptions
  let lastRun: LastRun?
  let session: Session
  let stop: StopSignal

  /// What was given, else what the last run had, for the tables that it merged.
  private func window(_ table: TablePlan) -> VersionWindow {
    let merge = options.merge
    guard merge.from == nil && merge.to == nil else { return VersionWindow(from: merge.from, to: merge.to) }
    guard let lastRun, lastRun.tables.contains(table.name) else { return VersionWindow(from: nil, to: nil) }
    return VersionWindow(from: lastRun.from, to: lastRun.to)
  }

  /// Rows that CDC has brought since the load are newer than every bound: without one they would be deleted.
  ///
  /// - Throws: ``MergeFailure/usage(_:)``.
  func checkWindows() throws {
    guard options.extra == .delete else { return }
    for table in plan.tables {
      let window = window(table)
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
    let denied = try plan.tables.compactMap { table in
      try ExtraDeletion(
        ExtraRows(table, window(table), on: connection),
        StagingState(table.staging, connection),
        schemas: session.schemas,
        on: connection
      ).missingRights()
    }
    guard denied.isEmpty else { throw MergeFailure.blocked(denied) }
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
    let tables = plan.tables.map { ExtraRows($0, window($0), on: production) }
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
