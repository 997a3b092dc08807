import Libpq

/// Row-level security that applies to this role: it would hide rows of a table, or refuse them.
struct RowSecurity {
  /// The table of the run that is asked about.
  let table: String?

  /// - Returns: a blocker where the relation's policies hold for the role; owners without FORCE, roles with BYPASSRLS and
  ///   superusers are free of them.
  func findings(on relation: QualifiedName, _ connection: Connection) throws(PostgresError) -> [Finding] {
    let rows = try connection.query(
      """
      SELECT current_user::text, pg_has_role(c.relowner, 'USAGE')
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname = $2 AND row_security_active(c.oid)
      """,
      [.text(relation.schema.name), .text(relation.name.name)],
      "reading whether row-level security applies to \(relation)"
    )
    guard rows.count > 0 else { return [] }
    let role = Identifier(rows.text(0, 0) ?? "")
    let statement: SQL =
      rows.bool(0, 1) == true
      ? "ALTER TABLE \(relation) NO FORCE ROW LEVEL SECURITY" : "ALTER ROLE \(role) BYPASSRLS"
    return [
      .blocker(
        .rowSecurity,
        table,
        "row-level security on \(relation) applies to the role \(role), so rows could be hidden from the merge or refused "
          + "one by one. Merge as a role to which it does not apply: \(statement.text)"
      )
    ]
  }
}
