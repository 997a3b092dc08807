import Libpq

/// Composite types that staging's database and production's call alike, with other fields.
///
/// Between databases their values travel as text, `(100,200)`, which names no field: in another order they would change places
/// without a word. Within one database the server itself refuses to cast one to the other.
struct CompositeFields {
  let table: TablePlan
  let production: Connection
  let staging: Connection

  func findings() throws(PostgresError) -> [Finding] {
    guard staging !== production, table.reading.snapshot == nil else { return [] }
    let own = try fields(of: table.production, production)
    guard !own.isEmpty else { return [] }
    let staged = try fields(of: table.staging, staging)
    return table.columns.compactMap { column in
      guard let wanted = own[column.name], let found = staged[column.stagedName], wanted != found else { return nil }
      let difference =
        "the values of \(column.name) have the fields (\(wanted.joined(separator: ", "))) in \(table.production) and "
        + "(\(found.joined(separator: ", "))) in \(table.staging)"
      guard wanted.sorted() == found.sorted() else {
        return .warning(.typeConversion, table.name, "\(difference): they are merged field by field, in that order.")
      }
      return .blocker(
        .typeConversion,
        table.name,
        "\(difference), and would change places. Give both types the same order, or list the column under "
          + "tables.\(table.name).ignore_columns."
      )
    }
  }

  /// The names of the fields of each column of a composite type, or of an array of one, in their order.
  private func fields(of table: QualifiedName, _ connection: Connection) throws(PostgresError) -> [Identifier: [String]]
  {
    let rows = try connection.query(
      """
      SELECT a.attname::text,
             (SELECT array_to_json(array_agg(f.attname ORDER BY f.attnum))::text FROM pg_attribute f
              WHERE f.attrelid = t.typrelid AND f.attnum > 0 AND NOT f.attisdropped)
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      JOIN pg_type t ON t.typtype = 'c' AND (t.oid = a.atttypid OR t.typarray = a.atttypid)
      WHERE n.nspname = $1 AND c.relname = $2
      """,
      [.text(table.schema.name), .text(table.name.name)],
      "reading the fields of composite types of \(table)"
    )
    return (0..<rows.count).reduce(into: [:]) { fields, row in
      fields[Identifier(rows.text(row, 0) ?? "")] = JSONText.decode([String].self, rows.text(row, 1)) ?? []
    }
  }
}
