import Libpq

extension MergePlan {
  /// Has refused rows read that a merge would try again by itself (``SecondChances``), so that they are counted.
  mutating func tryRefusedAgain(admin: Identifier, production: Connection, staging: Connection) throws {
    guard tables.contains(where: { !$0.reading.state.refused.isEmpty }), try AdminSchema.hasProgress(admin, production)
    else {
      return
    }
    for index in tables.indices {
      let next =
        try SecondChances.nextTries(of: tables[index], admin: admin, production: production, staging: staging)
      var state = tables[index].reading.state
      state.hopelessCount = next.hopelessCount
      guard !next.tried.isEmpty else {
        read(state, table: index)
        continue
      }
      state.triedAgain = Set(next.tried)
      state.triedForValues = next.forValues
      state.refused.removeAll(where: state.triedAgain.contains)
      state.coverage.add(LedgerEntry(id: .max, runID: 0, content: .reopened(next.tried)))
      read(state, table: index)
    }
  }
}
