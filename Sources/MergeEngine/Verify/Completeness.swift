import Libpq

/// Looks for extra rows in all tables, twice if there are any, and deletes them if that was asked for and they are few.
struct Completeness {
  let plan: MergePlan
  let window: TablePlan.Window
  let options: VerifyOptions
  let session: Session
  let stop: StopSignal

  /// - Parameters:
  ///   - production: a connection whose planner is free to choose; read-only.
  ///   - isSplit: staging is in another database, where the server can't join the two.
  /// - Returns: one outcome a table.
  func check(_ production: Connection, isSplit: Bool) throws -> [ExtraRows.Outcome] {
    guard !isSplit else {
      return plan.tables.map { _ in
        var outcome = ExtraRows.Outcome()
        outcome.note = "not looked for: staging is in another database."
        return outcome
      }
    }
    let tables = plan.tables.map { ExtraRows($0, window, production) }
    var outcomes = try tables.map { try $0.find(sampleLimit: options.sampleLimit) }
    let found = outcomes.indices.filter { outcomes[$0].count > 0 }
    guard !found.isEmpty, stop.signal == nil else { return outcomes }
    // CDC may be about to delete them.
    stop.sleep(seconds: options.recheckAfterSeconds)
    for index in found { outcomes[index] = try tables[index].find(sampleLimit: options.sampleLimit) }
    guard options.extra == .delete, stop.signal == nil else { return outcomes }
    var writing = session
    writing.isReadOnly = false
    let connection = try Reaching.database { () throws(PostgresError) in try writing.connectControl() }
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
      outcomes[index].deletedCount = try tables[index].delete(connection)
    }
    return outcomes
  }
}
