import Libpq
import Logging

/// Production's tables as DMS's validation sees them: what tells their rows apart.
package struct ValidatedTables: Sendable {
  /// The tables by name; partitions stand for none.
  package let tables: [Table]

  /// A table.
  package struct Table: Sendable {
    /// Its plain name.
    package let name: String
    /// Its key's columns; of a table without a primary key none.
    package let key: [KeyColumn]
  }

  /// A column of a primary key.
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
  /// - Throws: ``MergeFailure/unreachable(_:)``, ``PostgresError``.
  package init(target: ConnectionTarget, schemas: Schemas, logger: Logger) throws {
    let connection = try Session(target: target, schemas: schemas, isReadOnly: true, logger: logger).reachControl()
    let rows = try connection.query(
      """
      SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod),
             CASE WHEN l.collname = 'default' THEN d.datcollate::text ELSE l.collname::text END
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_database d ON d.datname = current_database()
      LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
      LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey::int2[])
      LEFT JOIN pg_collation l ON l.oid = a.attcollation
      WHERE n.nspname = \(Literal(schemas.production)) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      ORDER BY c.relname, a.attnum
      """,
      "reading the keys of the production tables"
    )
    var tables: [Table] = []
    for row in 0..<rows.count {
      let name = rows.text(row, 0) ?? ""
      var key = tables.last?.name == name ? tables.removeLast().key : []
      if let column = rows.text(row, 1) {
        key.append(KeyColumn(name: column, type: rows.text(row, 2) ?? "", collation: rows.text(row, 3)))
      }
      tables.append(Table(name: name, key: key))
    }
    self.tables = tables
  }
}
