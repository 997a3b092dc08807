import Libpq

/// Looks for extra rows in all tables, twice if there are any.
struct Completeness {
  let plan: MergePlan
  let options: VerifyOptions
  let lastRun: LastRun?
  let stop: StopSignal

  /// What was given, else what the last run had, for the tables that it merged.
  func window(_ table: TablePlan) -> VersionWindow {
    let merge = options.merge
    guard merge.from == nil && merge.to == nil else { return VersionWindow(from: merge.from, to: merge.to) }
    guard let lastRun, lastRun.tables.contains(table.name) else { return VersionWindow(from: nil, to: nil) }
    return VersionWindow(from: lastRun.from, to: lastRun.to)
  }

  /// - Parameters:
  ///   - production: a connection whose planner is free to choose; read-only.
  ///   - output: gets the rows that are extra both times.
  /// - Returns: one outcome a table.
  func check(_ production: Connection, isSplit: Bool, _ output: VerifyOutput?) throws -> [ExtraRows.Outcome] {
    guard !isSplit else {
      return plan.tables.map { _ in
        var outcome = ExtraRows.Outcome()
        outcome.note = "not looked for: staging is in another database."
        return outcome
      }
    }
    let tables = plan.tables.map { ExtraRows($0, window($0), on: production) }
    var outcomes = try tables.map { try $0.find(sampleLimit: options.sampleLimit) }
    let found = outcomes.indices.filter { outcomes[$0].count > 0 }
    guard !found.isEmpty, stop.signal == nil else { return outcomes }
    // CDC may be about to delete them.
    stop.sleep(seconds: options.recheckAfterSeconds)
    for index in found where stop.signal == nil {
      outcomes[index] = try tables[index].findAgain(sampleLimit: options.sampleLimit, output)
    }
    return outcomes
  }
}
