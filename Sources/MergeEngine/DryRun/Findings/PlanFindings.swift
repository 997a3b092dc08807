import Libpq

/// What a DBA should know of a plan's tables before they are merged, besides what the plan itself found.
struct PlanFindings {
  let plan: MergePlan
  let options: MergeOptions
  let production: Connection
  /// The same connection if staging is in the same database.
  let staging: Connection

  /// Asks both databases; no finding of these stands against the merge.
  func all() throws -> [Finding] {
    let isSplit = production !== staging
    let productionCatalog = try Catalog(production, schemas: [options.schemas.staging, options.schemas.production])
    let stagingCatalog = isSplit ? try Catalog(staging, schemas: [options.schemas.staging]) : productionCatalog
    return try plan.tables.flatMap { table -> [Finding] in
      guard let productionTable = productionCatalog.table(table.production),
        let stagingTable = stagingCatalog.table(table.staging)
      else { return [] }
      let pair = TablePair(plan: table, staging: stagingTable, production: productionTable)
      return try ProductionFindings(table: table, connection: production).all()
        + StagingFindings(table: table, connection: staging).all()
        + TypeFindings(pair: pair).all()
        + RefusalForecast(pair: pair, production: production, staging: staging).all()
        + (isSplit ? [] : OrphanForecast(table: table, tables: plan.tables, connection: production).all())
    }
  }
}

/// A table on both sides, as the catalog has it.
struct TablePair {
  let plan: TablePlan
  let staging: CatalogTable
  let production: CatalogTable

  /// The shared columns on both sides.
  var columns: [(plan: TablePlan.Column, staging: CatalogColumn, production: CatalogColumn)] {
    plan.columns.compactMap { column in
      guard let stagingColumn = staging.column(column.name), let productionColumn = production.column(column.name)
      else { return nil }
      return (column, stagingColumn, productionColumn)
    }
  }

  /// Staging's pending rows as a table `s`, to be put behind FROM.
  var pendingRows: SQL { "\(plan.staging) AS s WHERE true\(ClaimSQL.rowCondition(plan))" }
}

extension Int {
  /// `1 row`, `12 rows`.
  var rows: String { self == 1 ? "1 row" : "\(self) rows" }
}
