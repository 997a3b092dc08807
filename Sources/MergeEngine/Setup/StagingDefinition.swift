import Libpq

/// A staging table: production's columns, nothing that could refuse a row, and room for marks.
struct StagingDefinition {
  let production: CatalogTable
  let staging: QualifiedName
  let isUnlogged: Bool

  /// Half of every block stays free, so that marking a row writes its second version beside the first: a HOT update,
  /// which touches no index. 1M marks take 1.1 s instead of 5.0 s on full blocks. 45 rather than 50, since the second
  /// version must fit for all rows of a block.
  private static let fillFactor = 45

  /// The primary key is there for lookups and against double loads; every other constraint, and the domains' checks,
  /// are left to production, so that a bad row costs itself and not the load.
  var create: SQL {
    let columns = production.columns.map { "\($0.name) \($0.baseType.fullName)" as SQL }
    let key = (production.primaryKey?.columns ?? []).map(\.name).joined()
    return """
      CREATE \(isUnlogged ? "UNLOGGED " as SQL : "")TABLE \(staging) (
        \((columns + [Self.statusDefinition, "PRIMARY KEY (\(key))"]).joined(",\n  "))
      ) WITH (fillfactor = \(Self.fillFactor))
      """
  }

  /// The columns that production or the engine has and staging lacks.
  func additions(to present: CatalogTable) -> (names: [Identifier], statement: SQL?) {
    var names: [Identifier] = []
    var clauses: [SQL] = []
    for column in production.columns where present.column(column.name) == nil {
      names.append(column.name)
      clauses.append("ADD COLUMN \(column.name) \(column.baseType.fullName)")
    }
    if present.column(TablePlanner.statusColumn) == nil {
      names.append(TablePlanner.statusColumn)
      clauses.append("ADD COLUMN \(Self.statusDefinition)")
    }
    return (names, clauses.isEmpty ? nil : "ALTER TABLE \(staging) \(clauses.joined(", "))")
  }

  func indexVersion(_ version: Identifier) -> SQL {
    "CREATE INDEX IF NOT EXISTS \(Identifier(Self.indexName(staging.name, version))) ON \(staging) (\(version))"
  }

  /// The guide's name, cut to the server's 63 bytes.
  private static func indexName(_ table: Identifier, _ column: Identifier) -> String {
    var name = "idx_\(table.name)_\(column.name)"
    while name.utf8.count > 63 { name.removeLast() }
    return name
  }

  private static let statusDefinition: SQL = "\(TablePlanner.statusColumn) varchar(20) DEFAULT 'NEW'"
}
