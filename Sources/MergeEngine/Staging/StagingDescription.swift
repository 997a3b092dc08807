import Libpq
import Logging

/// What the tables of the staging schema look like, whether or not they can be merged.
public struct StagingDescription: Sendable {
  /// The tables by name.
  public let tables: [Table]

  /// A staging table.
  public struct Table: Sendable {
    /// Its plain name.
    public let name: String
    /// Its columns, without the one for marks.
    public let columns: [Column]
  }

  /// A column of a staging table.
  public struct Column: Sendable {
    /// Its name.
    public let name: String
    /// Its type as `format_type` prints it.
    public let type: String
    /// Whether it belongs to the primary key.
    public let isKey: Bool
  }

  /// Reads the catalog.
  ///
  /// - Throws: ``MergeFailure/unreachable(_:)``, ``PostgresError``.
  public init(target: ConnectionTarget, schemas: Schemas, logger: Logger) throws {
    let session = Session(target: target, schemas: schemas, logger: logger)
    let connection = try session.reachControl()
    let catalog = try Catalog(connection, schemas: [schemas.staging])
    tables = catalog.tables(in: schemas.staging).filter { $0.kind == .table }.map { table in
      let key = Set((table.primaryKey?.columns ?? []).map(\.name))
      return Table(
        name: table.name.name.name,
        columns: table.columns.filter { $0.name != TablePlanner.statusColumn }.map {
          Column(name: $0.name.name, type: $0.declaredType.text, isKey: key.contains($0.name))
        }
      )
    }
  }
}
