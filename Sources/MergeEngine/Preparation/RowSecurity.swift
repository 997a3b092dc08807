import Libpq

/// Row-level security that applies to this role: it would hide rows of a table, or refuse them.
struct RowSecurity {
  /// The table of the run that is asked about.
  let table: String?

  /// What is asked about some tables.
  static func query(_ relations: [QualifiedName]) -> Query {
    Query(
      """
      SELECT r.position, current_user::text, pg_has_role(c.relowner, 'USAGE')
      FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS r (schema_name, table_name, position)
      JOIN pg_namespace n ON n.nspname = r.schema_name
      JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = r.table_name
      WHERE row_security_active(c.oid)
      ORDER BY r.position
      """,
      [.textArray(relations.map(\.schema.name)), .textArray(relations.map(\.name.name))],
      "reading whether row-level security applies"
    )
  }

  /// - Returns: a blocker for each relation whose policies hold for the role; owners without FORCE, roles with BYPASSRLS and
  ///   superusers are free of them.
  func findings(on relations: [QualifiedName], _ connection: Connection) throws(PostgresError) -> [Finding] {
    let rows = try connection.query(Self.query(relations))
    return (0..<rows.count).map { row in
      let relation = relations[(rows.integer(row, 0) ?? 1) - 1]
      let role = Identifier(rows.text(row, 1) ?? "")
      let statement: SQL =
        rows.bool(row, 2) == true
        ? "ALTER TABLE \(relation) NO FORCE ROW LEVEL SECURITY" : "ALTER ROLE \(role) BYPASSRLS"
      return .blocker(
        .rowSecurity,
        table,
        "row-level security on \(relation) applies to the role \(role), so single rows could be hidden or refused. "
          + "Use a role to which it does not apply: \(statement.text)"
      )
    }
  }
}
