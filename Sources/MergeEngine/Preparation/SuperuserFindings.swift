import Libpq

/// What it means that the merging role is a superuser: the code that a table's owner has attached to it, as triggers, defaults
/// and checks, runs with the rights of the one who writes, so of a superuser who merges.
struct SuperuserFindings {
  let tables: [TablePlan]
  let connection: Connection

  /// What is asked about some tables.
  static func query(_ tables: [TablePlan]) -> Query {
    Query(
      """
      SELECT n.nspname || '.' || c.relname, o.rolname::text, r.rolname::text
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_roles o ON o.oid = c.relowner
      JOIN pg_roles r ON r.rolname = current_user AND r.rolsuper
      WHERE c.oid = ANY (ARRAY[\(tables.map { "\(Literal($0.production.quoted))::regclass" as SQL }.joined(", "))]::oid[])
        AND NOT o.rolsuper
      ORDER BY n.nspname, c.relname
      """,
      "reading who owns the production tables"
    )
  }

  /// One finding that names the tables whose owner could run anything; none where only superusers own them.
  func all() throws(PostgresError) -> [Finding] {
    let rows = try connection.query(Self.query(tables))
    guard rows.count > 0 else { return [] }
    let owned = (0..<rows.count).map { "\(rows.text($0, 0) ?? "") (\(rows.text($0, 1) ?? ""))" }.joined(separator: ", ")
    return [
      .warning(
        .superuser,
        nil,
        "\(rows.text(0, 2) ?? "") is a superuser, and triggers, defaults and checks run with the merging role's rights: "
          + "the owners of these tables could do anything as a superuser: \(owned). Merge as a role that owns nothing; "
          + "merge-engine init --print-grants ROLE prints what it needs."
      )
    ]
  }
}
