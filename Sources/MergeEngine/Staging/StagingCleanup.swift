import Libpq

/// Truncates staging tables, if that loses nothing.
struct StagingCleanup {
  let plan: MergePlan
  let rule: Rule
  let admin: Identifier
  let production: Connection
  let staging: Connection

  /// When a table may be emptied.
  enum Rule {
    /// Every row is merged, by the ledger, and none stands refused; rows that a run's load brought beyond its window don't count.
    case merged(except: LoadedSpan?, ofRun: Int?)
    /// In any case.
    case always
  }

  /// Empties what may be emptied, table by table.
  func truncate() throws -> [StagingArea.Emptied] { try plan.tables.map(truncate) }

  private func truncate(_ table: TablePlan) throws -> StagingArea.Emptied {
    do {
      try staging.execute(
        "BEGIN; LOCK TABLE \(table.staging) IN ACCESS EXCLUSIVE MODE",
        "locking \(table.staging) to truncate it"
      )
      let count = try count("true", of: table)
      let reason = try unmergedReason(table) ?? lossReason(table, stagedCount: count)
      try staging.execute(
        reason == nil ? "TRUNCATE TABLE \(table.staging); COMMIT" : "ROLLBACK",
        "truncating \(table.staging)"
      )
      return .init(table: table.name, truncated: reason == nil ? count : nil, reason: reason)
    } catch let error as PostgresError {
      guard error.origin == .server else { throw error }
      try staging.execute("ROLLBACK", "giving up truncating \(table.staging)")
      return .init(table: table.name, truncated: nil, reason: error.message)
    }
  }

  /// Looks under the lock, when nobody can add a row any more. Known by row and not by count: as many rows may have been
  /// deleted as were added.
  private func unmergedReason(_ table: TablePlan) throws -> String? {
    guard case .merged(let span, let runID) = rule else { return nil }
    let hasLedger = try AdminSchema.hasProgress(admin, production)
    let reader = StagingReader(admin: admin, production: production, staging: staging, hasLedger: hasLedger)
    var table = table
    // A table is emptied whole.
    table.reading.window = .unbounded
    table.reading.selection = .pending
    let look = try reader.look(at: table, isToBeMerged: false)
    table.reading.state = look.state
    let unread = ClaimSQL.isWanted(table, in: .everything)
    var isLeft = unread
    if let span, let runID, let source = look.state.source {
      // What the load's own merge has not seen was brought by somebody else.
      let seen =
        try hasLedger
        ? ProgressTable(admin: admin)
          .seen(by: runID, of: table, source, nextID: Horizon.nextID(staging), production) : Coverage()
      let isLater = seen.isUnread(in: .everything, version: table.stagedVersion)
      isLeft = "\(unread) AND ((\(isLater)) OR NOT \(try isBeyondWindow(table, span)))"
    }
    let count = try count(isLeft, of: table)
    if let reason = Self.reason(count) {
      let others = try reader.otherwiseReadCount(of: table, look)
      guard others > 0 else { return reason }
      return reason
        + " by the rules that are set now: \(others.rows) \(others == 1 ? "was" : "were") merged by others (version column, "
        + "time zone, DateStyle or key). Have file and database say what the merge went by, or merge again"
    }
    let adoption = StagingAdoption(admin: admin, production: production, staging: staging)
    if let source = look.state.source {
      let isNew = table.hasStatusColumn && (!hasLedger || look.unfoundCount > 0)
      let adopted = isNew || !hasLedger ? [] : try adoption.adoptedIDs(of: table, source)
      if isNew || !adopted.isEmpty,
        let unfound = try adoption.unfoundCount(of: table, by: isNew ? nil : adopted), unfound > 0
      {
        return
          "\(unfound.rows) of it \(unfound == 1 ? "is" : "are") marked PROCESSED, and not in \(table.production), or older there "
          + "(--again merges them once more)"
      }
    }
    if hasLedger, let source = look.state.source {
      let uncompared = try adoption.uncomparedCount(of: table, by: adoption.adoptedIDs(of: table, source))
      if uncompared > 0 {
        return
          "\(uncompared.rows) of it \(uncompared == 1 ? "was" : "were") taken for merged by marks, and nobody has compared "
          + "\(uncompared == 1 ? "it" : "them") with \(table.production) (--again merges them once more)"
      }
    }
    let refusedCount = table.reading.state.refused.count
    guard refusedCount == 0 else {
      return "\(refusedCount.rows) of it \(refusedCount == 1 ? "stands" : "stand") refused"
    }
    return try hasLedger ? otherReason(table) : nil
  }

  /// The same staging may have been merged into other production tables, too, and be needed there still: a rollback has released rows,
  /// or some stand refused. Rows that were never read for such a table are no concern of this one.
  private func otherReason(_ table: TablePlan) throws -> String? {
    guard let source = table.reading.state.source else { return nil }
    let others = try ProgressTable(admin: admin).otherTables(of: table, source, production)
    for other in others {
      var reader = StagingReader(admin: admin, production: production, staging: staging)
      reader.underAnyRules = true
      var plan = table.merged(into: other.name, oid: other.oid)
      plan.reading.state = try reader.look(at: plan, isToBeMerged: false).state
      let released = plan.reading.state.coverage.reopenedAddresses
      let releasedCount =
        try released.isEmpty
        ? 0 : count("\(SQL.rows(at: released)) AND \(ClaimSQL.isWanted(plan, in: .everything))", of: plan)
      var leftCount = releasedCount + plan.reading.state.refused.count
      // Marks of this table's runs have moved the rows, so that no record knows which of them these were.
      if leftCount == 0, table.hasStatusColumn, try ProgressTable(admin: admin).isOwed(other.oid, source, production) {
        leftCount = try count(ClaimSQL.isWanted(plan, in: .everything), of: plan)
      }
      guard leftCount > 0 else { continue }
      return
        "\(leftCount.rows) of it \(leftCount == 1 ? "waits" : "wait") to be merged into \(other.name) once more, into which a run on record has "
        + "merged it as well (refused there, or taken back)"
    }
    return nil
  }

  /// The ledger says what was merged, and not that it is still there: who has emptied production since needs staging.
  private func lossReason(_ table: TablePlan, stagedCount: Int) throws(PostgresError) -> String? {
    guard case .merged = rule, stagedCount > 0 else { return nil }
    let target = table.production
    let found = try production.query("SELECT FROM \(target) LIMIT 1", "looking whether \(target) holds anything")
    return found.count > 0
      ? nil : "\(target) is empty: what was merged is in staging alone (--again merges it once more)"
  }

  private static func reason(_ count: Int) -> String? {
    count == 0 ? nil : "\(Numbers.grouped(count)) of its rows \(count == 1 ? "is" : "are") not merged"
  }

  /// Loaded, though the merge was not asked for it: unread only because nobody wants it.
  private func isBeyondWindow(_ table: TablePlan, _ span: LoadedSpan) throws(PostgresError) -> SQL {
    let type = table.version.baseType
    let (window, load) = try span.exact(as: type, staging)
    let version = VersionWindow.Version(value: table.version.readExpression) { "\($0)::\(type.plainName)" }
    func time(_ text: String?) -> SQL { "\(Literal(text ?? ""))::\(type.plainName)" }
    return """
      (\(version.value) >= \(time(load.from)) AND \(version.value) <= \(time(load.to))
       AND NOT (\(window.condition(on: version)))) IS TRUE
      """
  }

  private func count(_ condition: SQL, of table: TablePlan) throws(PostgresError) -> Int {
    let result = try staging.query(
      "SELECT count(*) FROM \(table.staging) AS s WHERE \(condition)",
      "counting \(table.staging)"
    )
    return result.integer(0, 0) ?? 0
  }
}
