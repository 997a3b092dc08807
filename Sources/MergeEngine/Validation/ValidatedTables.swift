import Libpq
import Logging

/// Production's tables as DMS's validation sees them: what tells their rows apart.
package struct ValidatedTables: Sendable {
  /// The tables by name; partitions stand for none.
  package let tables: [Table]

  /// A table.
  package struct Table: Sendable {
    /// What it is called: with its schema where there are several pairs.
    package let name: String
    /// Its plain name.
    package let plainName: String
    /// Its key's columns; none of a table that has neither a primary key nor another unique one.
    package let key: [KeyColumn]
  }

  /// A column of a key.
  package struct KeyColumn: Sendable {
    /// Its name.
    package let name: String
    /// Its type as `format_type` prints it.
    package let type: String
    /// Its collation, the database's own by its name; nil for types that have none.
    package let collation: String?
  }

  /// Reads the catalog.
  ///
  /// - Parameter columns: what the file says of single tables, their keys too.
  /// - Throws: ``MergeFailure/unreachable(_:)``, ``PostgresError``.
  package init(target: ConnectionTarget, schemas: Schemas, columns: ColumnRules = ColumnRules(), logger: Logger) throws
  {
    let connection = try Session(target: target, schemas: schemas, isReadOnly: true, logger: logger).reachControl()
    let catalog = try Catalog(connection, schemas: schemas.allProduction)
    var options = MergeOptions()
    options.schemas = schemas
    options.columns = columns
    let found = options.ofEachPair(staging: catalog, production: catalog).flatMap { own in
      catalog.tables(in: own.schemas.production)
        .filter { ($0.kind == .table || $0.kind == .partitioned) && !$0.isPartition }
        .map { MergeTarget($0, own.columns) }
    }
    let collations = try Self.collations(of: found.map(\.table), connection)
    tables = found.map { target in
      let name = target.table.name
      return Table(
        name: schemas.hasSeveralPairs ? "\(name.schema.name).\(name.name.name)" : name.name.name,
        plainName: name.name.name,
        key: (target.validatedKey?.columns ?? []).compactMap { target.table.column($0.name) }.map { column in
          KeyColumn(
            name: column.name.name,
            type: column.declaredType.text,
            collation: collations[Place(table: target.table.oid, column: column.name)]
          )
        }
      )
    }
  }

  private struct Place: Hashable {
    let table: UInt32
    let column: Identifier
  }

  private static func collations(of tables: [CatalogTable], _ connection: Connection) throws(PostgresError)
    -> [Place: String]
  {
    let rows = try connection.query(
      """
      SELECT a.attrelid::bigint, a.attname::text,
             CASE WHEN l.collname = 'default' THEN d.datcollate::text ELSE l.collname::text END
      FROM pg_attribute a
      JOIN pg_collation l ON l.oid = a.attcollation
      JOIN pg_database d ON d.datname = current_database()
      WHERE a.attrelid = ANY ($1::text[]::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
      """,
      [.textArray(tables.map { "\($0.oid)" })],
      "reading the collations of the production tables"
    )
    var collations: [Place: String] = [:]
    for row in 0..<rows.count {
      let place = Place(table: UInt32(rows.integer(row, 0) ?? 0), column: Identifier(rows.text(row, 1) ?? ""))
      collations[place] = rows.text(row, 2)
    }
    return collations
  }
}

extension MergeTarget {
  /// The key by which DMS's validation tells rows apart: the primary key, whatever a merge matches by; without one another
  /// unique key.
  var validatedKey: UniqueIndex? { table.primaryKey ?? key ?? table.uniqueIndexes.first { $0.flaws.isEmpty } }
}
