import Libpq

/// Whether the role may do what a rollback does, asked before anything is done.
struct RollbackAccess {
  let schemas: Schemas
  let readsOnly: Bool

  func blockers(_ tables: [RollbackTable], _ connection: Connection) throws(PostgresError) -> [Finding] {
    var findings: [Finding] = []
    for table in tables {
      let missing = try missingRights(on: table, connection)
      guard !missing.isEmpty else { continue }
      findings.append(
        .blocker(
          .missingRight,
          table.name,
          "the role lacks \(missing.joined(separator: ", ")). `merge-engine init --print-grants ROLE --optional-grants` prints "
            + "what a rollback needs; before-images belong to the role that merged."
        )
      )
    }
    return findings
  }

  private func missingRights(on table: RollbackTable, _ connection: Connection) throws(PostgresError) -> [String] {
    let restored = Parameter.textArray(readsOnly ? [] : table.updatableColumns.map(\.name.name))
    let children = table.references.map { "(\(Literal($0.child.quoted)), 'SELECT')" as SQL }
    let production = Literal("\(table.production)")
    let quoted = Literal(table.production.quoted)
    let others = ([SQL("(\(Literal(table.image.quoted)), 'SELECT')")] + children).joined(", ")
    let result = try connection.query(
      """
      SELECT 'SELECT on ' || \(production) WHERE NOT has_any_column_privilege(\(quoted), 'SELECT')
      UNION ALL
      SELECT 'DELETE on ' || \(production) WHERE \(readsOnly ? "false" : "NOT has_table_privilege(\(quoted), 'DELETE')" as SQL)
      UNION ALL
      SELECT format('UPDATE (%s) on %s', string_agg(c.name, ', '), \(production))
      FROM unnest($1::text[]) AS c (name) WHERE NOT has_column_privilege(\(quoted), c.name, 'UPDATE')
      HAVING count(*) > 0
      UNION ALL
      SELECT r.right_name || ' on ' || r.table_name FROM (VALUES \(others)) AS r (table_name, right_name)
      WHERE NOT has_any_column_privilege(r.table_name, r.right_name)
      UNION ALL
      SELECT 'the membership in ' || pg_get_userbyid(c.relowner) || ', the owner of ' || c.relname
      FROM pg_class c
      WHERE c.oid = \(table.entry.imageOid) AND NOT \(readsOnly ? "true" : "pg_has_role(c.relowner, 'USAGE')" as SQL)
      """,
      [restored],
      "reading the role's rights on \(table.production)"
    )
    return (0..<result.count).compactMap { result.text($0, 0) }
  }
}
