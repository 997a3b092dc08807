/// What becomes of the blockers: a table that has nothing to merge stands in nobody's way.
struct Judgement {
  /// What stands against the merge.
  let blockers: [Finding]
  /// What was said of tables without rows in staging.
  let warnings: [Finding]
  /// The tables that are not merged, with or without rows.
  let tables: Set<String>

  /// - Parameter isEmpty: whether the staging table of this name is there and has no row.
  init(_ found: [Finding], isEmpty: (String) throws -> Bool) rethrows {
    tables = Set(found.compactMap(\.table))
    let empty = try Set(tables.filter(isEmpty))
    let isExcused = { (finding: Finding) in finding.table.map(empty.contains) ?? false }
    blockers = found.filter { !isExcused($0) }
    warnings = found.filter(isExcused).map {
      .warning($0.kind, $0.table, "\($0.message) Its staging table is empty, so nothing is missed.")
    }
  }

  /// Which tables nothing stands against, for who can't wait for the others; nothing where there are none.
  ///
  /// - Parameter blockers: one that names no table stands against them all.
  static func others(of plan: MergePlan, blockers: [Finding]) -> [Finding] {
    guard !plan.tables.isEmpty, blockers.allSatisfy({ $0.table != nil }) else { return [] }
    let names = plan.tables.map(\.name).sorted().map { "--table \($0)" }.joined(separator: " ")
    return [
      .warning(.mergeableAlone, nil, "The other tables can be merged. To merge them in the meantime: \(names)")
    ]
  }
}
