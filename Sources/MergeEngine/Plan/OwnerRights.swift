import Libpq

/// Rights that the owners of parent tables lack on their own tables: a foreign key is checked as the parent's owner, whoever
/// writes the child (`ri_PerformCheck` in ri_triggers.c), by `SELECT … FOR KEY SHARE`.
struct OwnerRights {
  let table: TablePlan
  let connection: Connection

  /// What is asked about a table.
  static func query(_ table: TablePlan) -> Query {
    Query(
      """
      WITH RECURSIVE \(DescendantTables.tree(of: table.productionOid))
      SELECT DISTINCT format('%I.%I', n.nspname, c.relname), format('%I', r.rolname), m.missing
      FROM pg_constraint f
      JOIN pg_class c ON c.oid = f.confrelid
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_roles r ON r.oid = c.relowner
      CROSS JOIN LATERAL (
        VALUES (has_schema_privilege(r.oid, n.oid, 'USAGE'), format('USAGE ON SCHEMA %I', n.nspname)),
               ((SELECT bool_and(has_column_privilege(r.oid, c.oid, k.number, 'SELECT')) FROM unnest(f.confkey) AS k (number)),
                format('SELECT ON %I.%I', n.nspname, c.relname)),
               -- Of any column: that is what FOR KEY SHARE asks for.
               (has_any_column_privilege(r.oid, c.oid, 'UPDATE'), format('UPDATE ON %I.%I', n.nspname, c.relname))
      ) AS m (is_granted, missing)
      WHERE f.contype = 'f' AND f.conrelid IN (SELECT oid FROM tree) AND NOT m.is_granted
        -- Where nothing checks it nobody needs a right.
        AND EXISTS (SELECT FROM pg_trigger t
                    WHERE t.tgconstraint = f.oid AND t.tgrelid = f.conrelid
                      AND t.tgenabled IN ('A', CASE WHEN current_setting('session_replication_role') = 'replica' THEN 'R' ELSE 'O' END))
      ORDER BY 1, 3
      """,
      [],
      "reading the rights that foreign keys of \(table.production) are checked with"
    )
  }

  func findings() throws(PostgresError) -> [Finding] {
    let rows = try connection.query(Self.query(table))
    return (0..<rows.count).map { row in
      let (parent, owner, missing) = (rows.text(row, 0) ?? "", rows.text(row, 1) ?? "", rows.text(row, 2) ?? "")
      return .blocker(
        .missingRight,
        table.name,
        "foreign keys of \(table.production) to \(parent) are checked with the rights of its owner \(owner), who lacks "
          + "\(missing), so no row that refers to it can be written: GRANT \(missing) TO \(owner)"
      )
    }
  }
}
