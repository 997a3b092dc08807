import Libpq
import Logging

/// What the tables of the staging schemas look like, whether or not they can be merged.
package struct StagingDescription: Sendable {
  /// The tables by name.
  package let tables: [Table]

  /// A staging table.
  package struct Table: Sendable {
    /// Its schema; nil where only one is looked at.
    package let schema: String?
    /// Its plain name.
    package let name: String
    /// Its columns, without the one for marks.
    package let columns: [Column]
  }

  /// A column of a staging table.
  package struct Column: Sendable {
    /// Its name.
    package let name: String
    /// Its type as `format_type` prints it.
    package let type: String
    /// Whether rows are matched by it.
    package let isKey: Bool
  }

  /// Reads the catalog.
  ///
  /// - Parameter columns: what the file says of single tables; production's keys count where it is in the same database.
  /// - Throws: ``MergeFailure/unreachable(_:)``, ``PostgresError``.
  package init(target: ConnectionTarget, schemas: Schemas, columns: ColumnRules = ColumnRules(), logger: Logger) throws
  {
    let session = Session(target: target, schemas: schemas, logger: logger)
    let connection = try session.reachControl()
    let catalog = try Catalog(connection, schemas: schemas.allStaging + schemas.allProduction)
    var options = MergeOptions()
    options.schemas = schemas
    options.columns = columns
    tables = options.ofEachPair(staging: catalog, production: catalog).flatMap { own in
      catalog.tables(in: own.schemas.staging).filter { $0.kind == .table }.map { table in
        let key = Self.key(of: table, catalog, own.schemas, own.columns)
        return Table(
          schema: schemas.hasSeveralPairs ? own.schemas.staging : nil,
          name: table.name.name.name,
          columns: table.columns.filter { $0.name != TablePlanner.statusColumn }.map {
            Column(name: $0.name.name, type: $0.declaredType.text, isKey: key.contains($0.name))
          }
        )
      }
    }
  }

  /// Staging's names of the columns that rows are matched by.
  private static func key(
    of table: CatalogTable,
    _ catalog: Catalog,
    _ schemas: Schemas,
    _ rules: ColumnRules
  ) -> Set<Identifier> {
    let names = StagingNames(
      rules,
      staging: catalog.tables(in: schemas.staging),
      production: catalog.tables(in: schemas.production)
    )
    guard case .found(let name) = names.production(of: table.name.name),
      let production = catalog.table(QualifiedName(schema: Identifier(schemas.production), name: name)),
      let key = MergeTarget(production, rules).key
    else { return table.primaryKey?.columnNames ?? [] }
    let staged = StagedColumns(table, for: production, rules).table
    return Set(key.columns.compactMap { staged.column($0.name)?.nameInTable })
  }
}
