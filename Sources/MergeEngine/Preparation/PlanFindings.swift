import Libpq

/// What a DBA should know of a plan's tables before they are merged, besides what the plan itself found.
struct PlanFindings {
  let plan: MergePlan
  let options: MergeOptions
  let production: Connection
  /// The same connection if staging is in the same database.
  let staging: Connection

  private var isSplit: Bool { production !== staging }

  /// All there is to find, rows counted; no finding of these stands against the merge.
  func all() throws -> [Finding] {
    let productionCatalog = try Catalog(production, schemas: options.schemas.allStaging + options.schemas.allProduction)
    let stagingCatalog = isSplit ? try Catalog(staging, schemas: options.schemas.allStaging) : productionCatalog
    let superuser = try SuperuserFindings(tables: plan.tables, connection: production).all()
    return try superuser
      + pairs(productionCatalog, stagingCatalog).flatMap { pair -> [Finding] in
        let table = pair.plan
        return try ProductionFindings(table: table, connection: production).all()
          + MemoryFindings(table: table).all()
          + StagingFindings(table: table, connection: staging).all()
          + EmptyColumns(table: table, production: production, staging: staging).findings()
          + NotForeseen(table: table, production: production, staging: staging).findings()
          + KeyForecast(table: table, connection: staging).findings()
          + TypeFindings(pair: pair).all()
          + CastForecast(pair: pair, staging: staging).all()
      }
  }

  /// What a merge says before it begins: only what costs a look into the catalog or at some rows, whatever the size of the tables.
  ///
  /// - Parameters:
  ///   - productionCatalog: as the plan was made from.
  ///   - stagingCatalog: that of staging, or of the snapshot that is merged instead.
  func ofMerge(production productionCatalog: Catalog, staging stagingCatalog: Catalog) throws -> [Finding] {
    let superuser = try SuperuserFindings(tables: plan.tables, connection: production).all()
    return try superuser
      + pairs(productionCatalog, stagingCatalog).flatMap { pair -> [Finding] in
        let table = pair.plan
        let findings =
          try ProductionFindings(table: table, connection: production).all() + TypeFindings(pair: pair).all()
        guard table.reading.snapshot == nil else { return findings }
        let staged = StagingFindings(table: table, connection: staging)
        return try findings + staged.roomForMarks(leastBlockCount: Self.costlyMarksBlockCount)
          + staged.triggersOnMarks()
          + staged.otherSessions()
          + EmptyColumns(table: table, production: production, staging: staging).findings()
      }
  }

  /// Below this many blocks of staging nobody feels what marks cost. Arbitrary: 8 MB, a second at most.
  private static let costlyMarksBlockCount = 1000

  private func pairs(_ productionCatalog: Catalog, _ stagingCatalog: Catalog) -> [TablePair] {
    let options = options.ofEachPair(staging: stagingCatalog, production: productionCatalog)
    return plan.tables.compactMap { table in
      let rules = options.first { $0.schemas.production == table.production.schema.name }?.columns ?? ColumnRules()
      guard let production = productionCatalog.table(table.production),
        let staging = stagingCatalog.table(table.staging)
      else { return nil }
      return TablePair(
        plan: table,
        staging: StagedColumns(staging, for: production, rules).table,
        production: production
      )
    }
  }
}
