import Libpq

/// A staging table: production's columns, nothing that could refuse a row, and if that is wanted a status, with room for
/// marks.
struct StagingDefinition {
  let production: CatalogTable
  /// The columns that rows are matched by.
  let key: [Identifier]
  let rules: ColumnRules
  let staging: QualifiedName
  let isUnlogged: Bool
  /// The guide's column is made.
  let hasStatus: Bool

  /// With a status half of every block stays free, so that marking a row writes its second version beside the first: a HOT update,
  /// which touches no index. 1M marks take 1.1 s instead of 5.0 s on full blocks. 45 rather than 50, since the second
  /// version must fit for all rows of a block.
  private static let fillFactor = 45

  /// The key is there for lookups and against double loads; every other constraint, and the domains' checks,
  /// are left to production, so that a bad row costs itself and not the load.
  var create: SQL {
    Self.create(
      staging,
      columns: production.columns.map { (name: stagedName($0.name), type: $0.baseType.fullName) },
      key: key.map(stagedName),
      isUnlogged: isUnlogged,
      hasStatus: hasStatus
    )
  }

  /// The statement for these columns, and if that is wanted the one for marks.
  ///
  /// - Parameter key: the primary key's columns; none for a table that may hold duplicates.
  static func create(
    _ staging: QualifiedName,
    columns: [(name: Identifier, type: SQL)],
    key: [Identifier],
    isUnlogged: Bool = false,
    hasStatus: Bool = false
  ) -> SQL {
    let definitions = columns.map { "\($0.name) \($0.type)" as SQL } + (hasStatus ? [statusDefinition] : [])
    let constraints: [SQL] = key.isEmpty ? [] : ["PRIMARY KEY (\(key.joined()))"]
    return """
      CREATE \(isUnlogged ? "UNLOGGED " as SQL : "")TABLE \(staging) (
        \((definitions + constraints).joined(",\n  "))
      )\(hasStatus ? " WITH (fillfactor = \(fillFactor))" as SQL : "")
      """
  }

  /// A column that staging lacks.
  struct Addition {
    let name: Identifier
    let clause: SQL
    /// Production has it, and a row that was loaded without it would say NULL.
    let isData: Bool
  }

  /// The columns that production or the engine has and staging lacks.
  func additions(to present: CatalogTable) -> [Addition] {
    let staged = StagedColumns(present, for: production, rules).table
    var additions = production.columns.filter { staged.column($0.name) == nil }.map { column in
      let name = stagedName(column.name)
      return Addition(name: name, clause: "ADD COLUMN \(name) \(column.baseType.fullName)", isData: true)
    }
    if hasStatus && present.column(TablePlanner.statusColumn) == nil {
      additions.append(
        Addition(name: TablePlanner.statusColumn, clause: "ADD COLUMN \(Self.statusDefinition)", isData: false)
      )
    }
    return additions
  }

  /// What the file has staging call a column.
  func stagedName(_ column: Identifier) -> Identifier {
    rules.tables[production.name.name.name]?.columns?[column.name].map { Identifier($0) } ?? column
  }

  /// - Parameter present: the table as it was before, if it was there.
  func indexVersion(_ column: Identifier, in present: CatalogTable?) -> SQL {
    let version =
      present.flatMap { StagedColumns($0, for: production, rules).table.column(column)?.nameInTable }
      ?? stagedName(column)
    return "CREATE INDEX IF NOT EXISTS \(Identifier(Self.indexName(staging.name, version))) ON \(staging) (\(version))"
  }

  /// The guide's name, cut to the server's 63 bytes.
  private static func indexName(_ table: Identifier, _ column: Identifier) -> String {
    var name = "idx_\(table.name)_\(column.name)"
    while name.utf8.count > 63 { name.removeLast() }
    return name
  }

  private static let statusDefinition: SQL = "\(TablePlanner.statusColumn) varchar(20) NOT NULL DEFAULT 'NEW'"
}
