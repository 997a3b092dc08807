import Libpq
import Logging

/// What is settled before a run is opened: everything that could stand against it, without writing anything.
struct Preparation {
  let options: MergeOptions
  let logger: Logger
  /// Where the rows come from if not from staging.
  var snapshot: CheckedSnapshot?
  /// Nothing will be written: reading is all that the role must be allowed to do, and warnings are the caller's.
  var readsOnly = false

  /// Resolves the plan.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` with all blockers at once, ``MergeFailure/usage(_:)`` for a window that
  ///   is none.
  ///
  /// - Parameters:
  ///   - production: a connection to the database that holds production.
  ///   - staging: one to the database that holds staging; the same connection if it is the same database.
  func plan(production: Connection, staging: Connection) throws -> MergePlan {
    let schemas = options.schemas
    try SessionFindings.requireZone(options.timeZone, production)
    if snapshot == nil {
      if staging === production { try schemas.requireTwo() }
      try requireSchema(
        schemas.staging,
        advice: "Make staging with merge-engine init, or name it: --staging-schema.",
        on: staging
      )
    }
    try requireSchema(schemas.production, advice: "Name the production schema: --production-schema.", on: production)
    let isSplit = staging !== production
    let productionCatalog = try Catalog(production, schemas: [schemas.staging, schemas.production])
    let snapshotCatalog = try snapshot.map { try SnapshotCatalog($0, productionSchema: schemas.production, production) }
    let stagingCatalog = try snapshotCatalog?.catalog ?? (isSplit ? Catalog(staging, schemas: [schemas.staging]) : nil)
    var plan = MergePlan(
      staging: stagingCatalog ?? productionCatalog,
      production: productionCatalog,
      options,
      isSplit: isSplit,
      snapshot: snapshotCatalog
    )
    guard plan.blockers.isEmpty else { throw MergeFailure.blocked(plan.blockers) }
    let denied = try AccessCheck(schemas: schemas, readsOnly: readsOnly)
      .blockers(plan, production: production, staging: staging)
    guard denied.isEmpty else { throw MergeFailure.blocked(denied) }
    if options.maxReplicaLagSeconds != nil, !readsOnly,
      let obstacle = try ReplicaLag.obstacle(production, replica: options.replica)
    {
      throw MergeFailure.blocked([.blocker(nil, "--max-replica-lag can't be kept: \(obstacle).")])
    }
    plan.add(try SessionFindings(plan: plan, options: options, production: production, staging: staging).all())
    if options.ties == .compare { try plan.compareTies(production) }
    for index in plan.tables.indices { plan.limit(table: index, to: try window(of: plan.tables[index], staging)) }
    let unreadable = try plan.tables.compactMap { try unreadableFinding($0, staging) }
    guard unreadable.isEmpty else { throw MergeFailure.blocked(unreadable) }
    guard !readsOnly else {
      if snapshot == nil { plan.add(try look(at: &plan, production: production, staging: staging)) }
      return plan
    }
    plan.add(
      try PlanFindings(plan: plan, options: options, production: production, staging: staging)
        .ofMerge(production: productionCatalog, staging: stagingCatalog ?? productionCatalog)
    )
    for warning in plan.warnings {
      logger.warning("\(warning.message)", metadata: warning.table.map { ["table": "\($0)"] })
    }
    return plan
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

  private func requireSchema(_ name: String, advice: String, on connection: Connection) throws {
    let result = try connection.query(
      "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)",
      [.text(name)],
      "looking for the schema \(name)"
    )
    guard result.bool(0, 0) == true else {
      throw MergeFailure.blocked([.blocker(nil, "there is no schema \(name). \(advice)")])
    }
  }

  /// The window that was typed, as text that means the same in every session.
  private func window(of table: TablePlan, _ connection: Connection) throws -> VersionWindow {
    let type = table.version.baseType.fullName
    do {
      let window = try table.window.exact(as: type, timeZone: options.timeZone, connection)
      guard window.from != nil, window.to != nil else { return window }
      let result = try connection.query(
        "SELECT $1::text::\(type) < $2::text::\(type)",
        [.text(window.from), .text(window.to)],
        "reading --from and --to"
      )
      guard result.bool(0, 0) != false else {
        throw MergeFailure.usage("--from \(table.window.from ?? "") is not before --to \(table.window.to ?? "").")
      }
      return window
    } catch let error as PostgresError where error.refusesRow {
      throw MergeFailure.usage(
        "--from and --to must be values of \(table.version.name) in \(table.production), which is \(type): \(error.message)."
      )
    }
  }

  /// Has the server read no row at all by the statement that will read them all: casts that don't exist show here.
  private func unreadableFinding(_ table: TablePlan, _ connection: Connection) throws -> Finding? {
    do {
      _ = try connection.query(
        "SELECT \(ClaimSQL.outputs(table)) FROM \(table.snapshot?.example ?? table.batchSource) AS s LIMIT 0",
        "reading \(table.staging)"
      )
      return nil
    } catch {
      guard error.origin == .server else { throw error }
      return .blocker(
        table.name,
        "\(table.staging) can't be read as the types of \(table.production): \(error.message)"
          + (error.sqlState.map { " (SQLSTATE \($0))" } ?? "") + "."
      )
    }
  }
}
