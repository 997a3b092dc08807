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
    if let reason = try unreadReason(table, look, reader, except: span, ofRun: runID) { return reason }
    if let reason = try adoptedReason(table, look, hasLedger: hasLedger) { return reason }
    let refusedCount = look.state.refused.count
    guard refusedCount == 0 else {
      return "\(refusedCount.rows) of it \(refusedCount == 1 ? "stands" : "stand") refused"
    }
    guard hasLedger else { return nil }
    return try OtherTargets(admin: admin, production: production, staging: staging).reason(toKeep: table)
  }

  /// That rows are not merged.
  private func unreadReason(
    _ table: TablePlan,
    _ look: StagingReader.Look,
    _ reader: StagingReader,
    except span: LoadedSpan?,
    ofRun runID: Int?
  ) throws -> String? {
    var isLeft = ClaimSQL.isWanted(table, in: .everything)
    if let span, let runID, let source = look.state.source {
      // What the load's own merge has not seen was brought by somebody else.
      let seen =
        try reader.hasLedger
        ? ProgressTable(admin: admin)
          .seen(by: runID, of: table, source, nextID: Horizon.nextID(staging), production) : Coverage()
      let isLater = seen.isUnread(in: .everything, version: table.stagedVersion)
      isLeft = "\(isLeft) AND ((\(isLater)) OR NOT \(try isBeyondWindow(table, span)))"
    }
    let count = try count(isLeft, of: table)
    guard count > 0 else { return nil }
    let reason = "\(Numbers.grouped(count)) of its rows \(count == 1 ? "is" : "are") not merged"
    let others = try reader.otherwiseReadCount(of: table, look)
    guard others > 0 else { return reason }
    return reason
      + " by the rules that are set now: \(others.rows) \(others == 1 ? "was" : "were") merged by others (version column, "
      + "time zone, DateStyle or key). Have file and database say what the merge went by, or merge again"
  }

  /// That rows were taken for merged by their marks, and production lacks them, or nobody has looked.
  private func adoptedReason(_ table: TablePlan, _ look: StagingReader.Look, hasLedger: Bool) throws -> String? {
    guard let source = look.state.source else { return nil }
    let adoption = StagingAdoption(admin: admin, production: production, staging: staging)
    let adopted = hasLedger ? try adoption.adoptedIDs(of: table, source) : []
    let absence = adopted.isEmpty ? look.absence : try adoption.absence(of: table, by: adopted)
    let count = absence.unfoundCount + absence.uncomparedCount
    guard count > 0 else { return nil }
    let what =
      absence.unfoundCount > 0
      ? "not in \(table.production), or older there"
      : "nobody has compared \(count == 1 ? "it" : "them") with \(table.production)"
    return
      "\(count.rows) of it \(count == 1 ? "is" : "are") marked PROCESSED, and \(what) (--again merges them once more)"
  }

  /// The ledger says what was merged, and not that it is still there: who has emptied production since needs staging.
  private func lossReason(_ table: TablePlan, stagedCount: Int) throws(PostgresError) -> String? {
    guard case .merged = rule, stagedCount > 0 else { return nil }
    let target = table.production
    let found = try production.query("SELECT FROM \(target) LIMIT 1", "looking whether \(target) holds anything")
    return found.count > 0
      ? nil : "\(target) is empty: what was merged is in staging alone (--again merges it once more)"
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
