/// What should be known of a verification besides its counts.
struct VerifyFindings {
  let plan: MergePlan
  /// One entry a table.
  let outcomes: [RowCheckOutcome]

  func all() -> [Finding] {
    zip(plan.tables, outcomes).flatMap { table, outcome in
      [unmarked(table, outcome.counts), unreadable(table, outcome.counts), vanished(table, outcome.counts)]
        .compactMap { $0.map { .warning(.notCompared, table.name, $0) } }
    }
  }

  /// A table without a single merged row was hardly what somebody wanted to verify.
  private func unmarked(_ table: TablePlan, _ counts: RowCheckCounts) -> String? {
    guard counts.read == 0 else { return nil }
    return table.reading.selection == .merged
      ? "\(table.staging) has no merged row\(window(table)), so nothing was compared. verify --mark none compares "
        + "all rows there are."
      : "\(table.staging) has no row\(window(table)) to compare."
  }

  private func window(_ table: TablePlan) -> String {
    table.reading.window.isUnbounded ? "" : " in the window"
  }

  /// Only where all rows are compared: a merge refuses these, and they are not read then.
  private func unreadable(_ table: TablePlan, _ counts: RowCheckCounts) -> String? {
    guard counts.unreadable > 0 else { return nil }
    return
      "\(counts.unreadable.rows) of \(table.staging) can't be read as the types of \(table.production), so they can't have "
      + "been merged: they were not compared. Merges quarantine them; merge-engine errors list shows why."
  }

  /// Rows that looked wrong and are gone from staging: nobody knows any more whether they were.
  private func vanished(_ table: TablePlan, _ counts: RowCheckCounts) -> String? {
    guard counts.vanished > 0 else { return nil }
    return
      "\(counts.vanished.rows) of \(table.staging) that differed from production at first had disappeared from staging, "
      + "or changed there, when checked again: they count neither as equal nor as different. Verify while nobody empties staging."
  }
}
