import Libpq
import Logging

/// What is settled before a run is opened: everything that could stand against it, without writing anything.
struct Preparation {
  let options: MergeOptions
  let logger: Logger
  /// Where the rows come from if not from staging.
  var snapshot: CheckedSnapshot?
  /// What the plan is for.
  var purpose = Purpose.merge
  /// Ends the wait for a lock.
  var stop = StopSignal()

  /// What a plan is made for.
  enum Purpose {
    /// It is carried out at once.
    case merge
    /// Somebody wants to know what a merge would do; warnings are the caller's.
    case plan
    /// Rows are compared: reading is all that the role must be allowed to do, and warnings are the caller's.
    case look
  }

  /// Resolves the plan, with the patience of a merge: what is locked just now is waited for.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` with all blockers at once, ``MergeFailure/configuration(_:)`` for rules about
  ///   what is not there, ``MergeFailure/usage(_:)`` for a window that is none.
  ///
  /// - Parameters:
  ///   - production: a connection to the database that holds production.
  ///   - staging: one to the database that holds staging; the same connection if it is the same database.
  func plan(production: Connection, staging: Connection) throws -> MergePlan {
    let retries = RetryPolicy()
    let deadline =
      ContinuousClock.now
      + .seconds(
        RetryPolicy.patienceSeconds(lockTimeoutMilliseconds: options.lockTimeoutMilliseconds)
      )
    var attempt = 1
    while true {
      do {
        return try resolve(production: production, staging: staging)
      } catch let error as PostgresError where error.sqlState?.isWorthRetrying == true {
        for connection in [production, staging] where !connection.isBroken {
          try connection.execute("ROLLBACK", "starting the preparation again")
        }
        guard stop.signal == nil else { throw error }
        guard ContinuousClock.now < deadline else {
          var found = try LockHolders(schemas: options.schemas, connection: staging).findings(error)
          if staging !== production, found.isEmpty {
            found = try LockHolders(schemas: options.schemas, connection: production).findings(error)
          }
          throw MergeFailure.blocked(found)
        }
        logger.debug("preparing is tried again", metadata: ["reason": "\(error)", "attempt": "\(attempt)"])
        stop.sleep(seconds: retries.waitSeconds(afterAttempt: attempt))
        attempt += 1
      }
    }
  }

  /// - Throws: ``MergeFailure/blocked(_:)`` when one is missing, ``MergeFailure/usage(_:)`` when they are the same, or tables of two
  ///   are called alike.
  func requireSchemas(production: Connection, staging: Connection) throws {
    let schemas = options.schemas
    try SessionFindings.requireZone(options, production)
    let check = try SchemaCheck(production)
    if snapshot == nil {
      if staging === production { try schemas.requireTwo() }
      let check = staging === production ? check : try SchemaCheck(staging)
      for name in schemas.allStaging {
        try check.require(
          name,
          advice: "Create staging with merge-engine init, or name it: --staging-schema, or --pair."
        )
      }
    }
    try schemas.requireDistinct()
    if let complaint = try Namesakes.complaint(of: schemas, production) { throw MergeFailure.usage(complaint) }
    for name in schemas.allProduction {
      try check.require(name, advice: "Name the production schema: --production-schema, or --pair.")
    }
  }

  private func resolve(production: Connection, staging: Connection) throws -> MergePlan {
    let schemas = options.schemas
    let isSplit = staging !== production
    defer { for connection in [production, staging] { connection.forgetAnswers() } }
    try production.ask(
      ahead: [SchemaCheck.query, SessionFindings.settings, LockTable.size]
        + Catalog.queries(schemas.allStaging + schemas.allProduction)
    )
    if isSplit { try staging.ask(ahead: [SchemaCheck.query] + Catalog.queries(schemas.allStaging)) }
    try requireSchemas(production: production, staging: staging)
    let productionCatalog = try Catalog(production, schemas: schemas.allStaging + schemas.allProduction)
    let snapshotCatalog = try snapshot.map { try SnapshotCatalog($0, schemas, production) }
    let stagingCatalog =
      try snapshotCatalog?.catalog ?? (isSplit ? Catalog(staging, schemas: schemas.allStaging) : productionCatalog)
    var reading = options
    reading.schemas = snapshotCatalog?.schemas ?? schemas
    let mistakes = reading.ofEachPair(staging: stagingCatalog, production: productionCatalog).flatMap { own in
      own.columns.mistakes(
        production: productionCatalog.tables(in: own.schemas.production),
        staging: stagingCatalog.tables(in: own.schemas.staging)
      )
    }
    guard mistakes.isEmpty else { throw MergeFailure.configuration(mistakes) }
    var plan = MergePlan(
      staging: stagingCatalog,
      production: productionCatalog,
      reading,
      isSplit: isSplit,
      snapshot: snapshotCatalog
    )
    try judge(&plan, stagingCatalog, production: production, staging: staging)
    if options.maxReplicaLagSeconds != nil, purpose == .merge,
      let obstacle = try ReplicaLag.obstacle(production, replica: options.replica)
    {
      throw MergeFailure.blocked([.blocker(.standby, nil, "--max-replica-lag can't be honoured: \(obstacle).")])
    }
    plan.add(try SessionFindings(plan: plan, options: options, production: production, staging: staging).all())
    if options.ties == .compare { try plan.compareTies(production) }
    if purpose != .look { try plan.readCacheFits(production) }
    for index in plan.tables.indices { plan.limit(table: index, to: try window(of: plan.tables[index], staging)) }
    if snapshot == nil { plan.add(try findUnreadableVersions(&plan, staging)) }
    guard purpose == .merge else {
      if snapshot == nil { plan.add(try look(at: &plan, production: production, staging: staging)) }
      return plan
    }
    plan.add(
      try PlanFindings(plan: plan, options: options, production: production, staging: staging)
        .ofMerge(production: productionCatalog, staging: stagingCatalog)
    )
    for warning in plan.warnings {
      logger.warning("\(warning.message)", metadata: warning.table.map { ["table": "\($0)"] })
    }
    return plan
  }

  /// Asks all that could stand against the merge, and lets tables go that have nothing to merge.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)``.
  private func judge(
    _ plan: inout MergePlan,
    _ stagingCatalog: Catalog,
    production: Connection,
    staging: Connection
  ) throws {
    let checks = try Checks(plan, options, purpose, production: production, staging: staging)
    try plan.readTriggers(production)
    plan.add(try checks.ofTables(plan))
    let (stagingOfTable, undecided) = (plan.stagingOfTable, plan.undecided)
    let judgement = try Judgement(plan.takeBlockers()) { name in
      guard snapshot == nil, !undecided.contains(name),
        let table = stagingCatalog.table(
          stagingOfTable[name] ?? QualifiedName(schema: options.schemas.staging, name: name)
        )
      else { return false }
      return try isEmpty(table.name, staging)
    }
    plan.leaveOut(judgement.tables)
    plan.add(judgement.warnings)
    plan.add(try checks.ofRun(&plan, blockers: judgement.blockers))
    let blockers = judgement.blockers + plan.takeBlockers()
    guard blockers.isEmpty else {
      throw MergeFailure.blocked(blockers + Judgement.others(of: plan, blockers: blockers))
    }
    if checks.isReader { plan.add([.warning(.readOnlySession, nil, AccessCheck.readerNote)]) }
  }

  /// Whether a table has no row; one that can't be looked into may have some.
  private func isEmpty(_ table: QualifiedName, _ connection: Connection) throws(PostgresError) -> Bool {
    do {
      return try connection.query("SELECT EXISTS (SELECT FROM \(table))", "looking whether \(table) has rows")
        .bool(0, 0) == false
    } catch {
      guard error.refusesStatement else { throw error }
      return false
    }
  }

  /// Looks what of staging is merged, with the eyes of somebody who writes nothing.
  ///
  /// - Returns: what should be known of it.
  private func look(at plan: inout MergePlan, production: Connection, staging: Connection) throws -> [Finding] {
    let admin = Identifier(options.schemas.admin)
    return try plan.look(
      through: StagingReader(
        admin: admin,
        production: production,
        staging: staging,
        hasLedger: try AdminSchema.hasProgress(admin, production),
        startsAnew: options.again
      ),
      isToBeMerged: false
    )
  }

  /// Looks which versions can't be compared with any window's bounds, of this run or of one before.
  ///
  /// - Returns: what should be known of them.
  /// - Throws: ``MergeFailure/blocked(_:)`` where they are too many, and a window was asked for.
  private func findUnreadableVersions(_ plan: inout MergePlan, _ staging: Connection) throws -> [Finding] {
    var findings: [Finding] = []
    for (index, table) in plan.tables.enumerated() {
      let isBounded = !table.reading.window.isUnbounded
      let type = table.version.baseType.fullName
      guard let rows = try UnreadableRows.versions(of: table, staging).find() else {
        guard isBounded else { continue }
        let reason =
          "more than \(UnreadableRows.limit.rows) of \(table.staging) have a version (\(table.version.stagedName)) that is no \(type): they can't be "
          + "told from those in the window. Merge without --from and --to, which refuses them."
        throw MergeFailure.blocked([.blocker(.unreadableTypes, table.name, reason)])
      }
      plan.leaveOut(unreadableVersions: rows, of: index)
      guard isBounded, !rows.isEmpty else { continue }
      findings.append(
        .warning(
          .outsideWindow,
          table.name,
          "\(rows.count.rows) of \(table.staging) \(rows.count == 1 ? "has" : "have") a version (\(table.version.stagedName)) that is no \(type), and "
            + "\(rows.count == 1 ? "lies" : "lie") in no window: a merge without --from and --to refuses \(rows.count == 1 ? "it" : "them")."
        )
      )
    }
    return findings
  }

  /// The window that was typed, as text that means the same in every session.
  private func window(of table: TablePlan, _ connection: Connection) throws -> VersionWindow {
    let type = table.version.baseType
    do {
      let window = try table.reading.window.exact(as: type, timeZone: options.timeZone, connection)
      guard window.from != nil, window.to != nil else { return window }
      let result = try connection.query(
        "SELECT $1::text::\(type.plainName) < $2::text::\(type.plainName)",
        [.text(window.from), .text(window.to)],
        "reading --from and --to"
      )
      guard result.bool(0, 0) != false else {
        throw MergeFailure.usage(
          "--from \(table.reading.window.from ?? "") is not before --to \(table.reading.window.to ?? "")."
        )
      }
      return window
    } catch let error as PostgresError where error.refusesRow {
      throw MergeFailure.usage(
        "--from and --to must be values of \(table.version.name) in \(table.production), which is \(type.fullName): \(error.message)."
      )
    }
  }
}
