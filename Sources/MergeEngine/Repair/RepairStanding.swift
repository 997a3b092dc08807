import Libpq

/// How lines of the file stand to production now, and what that leaves to be done about them.
struct RepairStanding {
  private let sql: RepairSQL
  private let production: Connection

  init(_ sql: RepairSQL, _ production: Connection) {
    self.sql = sql
    self.production = production
  }

  /// What was found, of each line.
  struct Look {
    /// What applying the difference would come to now.
    let outcomes: [RepairOutcome]
    /// Where production's row is (``RowPlaces``).
    let places: [String?]
    /// This very transaction has written one of the rows.
    let isAnyOwn: Bool
  }

  /// - Parameter isInStaging: whether staging has the row as it was seen; of extra rows it is asked here.
  func look(_ differences: [Difference], isInStaging: [Bool]) throws(PostgresError) -> Look {
    let isExtra = differences.first?.kind == .extra
    let result = try production.query(
      sql.standings(ofExtra: isExtra),
      KeyTexts.parameters(sql.plan, differences.map(\.key)),
      "looking at rows of \(sql.plan.production)"
    )
    var rows = [Int: Int](minimumCapacity: result.count)
    for row in 0..<result.count { rows[(result.integer(row, 0) ?? 0) - 1] = row }
    let places = differences.indices.map { rows[$0].flatMap { result.text($0, 2) } }
    let outcomes = differences.indices.map { index -> RepairOutcome in
      let found = rows[index].map { row in
        (
          isSame: result.text(row, 1) == differences[index].productionRow?.xmin,
          isInStaging: result.bool(row, 3) == true,
          child: result.text(row, 4)
        )
      }
      switch differences[index].kind {
      case .deletedSince, .unreadable: return .left(.deletedWhileVerified)
      case .missing:
        guard isInStaging[index] else { return .left(.goneFromStaging) }
        return found == nil ? .inserted : .left(.insertedSince)
      case .outdated, .differing:
        guard let found else { return .left(.deletedSince) }
        guard found.isSame else { return .left(.changedSince) }
        return isInStaging[index] ? .updated : .left(.goneFromStaging)
      case .extra:
        guard let found else { return .left(.deletedSince) }
        guard found.isSame else { return .left(.changedSince) }
        if found.isInStaging { return .left(.inStagingByNow) }
        return found.child.map { .left(.referredTo(by: $0)) } ?? .deleted
      }
    }
    let isAnyOwn = (0..<result.count).contains { result.bool($0, 5) == true }
    return Look(outcomes: outcomes, places: places, isAnyOwn: isAnyOwn)
  }
}
