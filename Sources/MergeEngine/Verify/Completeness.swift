import Libpq

/// Looks for extra rows in all tables, twice if there are any.
struct Completeness {
  let plan: MergePlan
  let options: VerifyOptions
  let lastRun: LastRun?
  let stop: StopSignal
  /// By table: what was given, else what the last run had.
  let windows: [VersionWindow]

  init(
    plan: MergePlan,
    options: VerifyOptions,
    lastRun: LastRun?,
    stop: StopSignal,
    _ production: Connection
  ) throws(PostgresError) {
    self.plan = plan
    self.options = options
    self.lastRun = lastRun
    self.stop = stop
    var windows: [VersionWindow] = []
    for table in plan.tables {
      let last = table.reading.window.isUnbounded ? try lastRun?.window(of: table, production) : nil
      windows.append(last ?? table.reading.window)
    }
    self.windows = windows
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
    let tables = try zip(plan.tables, windows).map { try ExtraRows($0, $1, on: production) }
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
