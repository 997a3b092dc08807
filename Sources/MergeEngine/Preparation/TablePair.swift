import Libpq

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
