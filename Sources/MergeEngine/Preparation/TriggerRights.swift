import Libpq

/// Rights that trigger functions of production seem to need, by their text, and that the role lacks: unless they are SECURITY
/// DEFINER they run as the one who merges.
///
/// A guess, so it only warns.
struct TriggerRights {
  let table: TablePlan
  let connection: Connection

  func findings() throws(PostgresError) -> [Finding] {
    let rows = try connection.query(
      #"""
      WITH RECURSIVE \#(DescendantTables.tree(of: table.productionOid)), functions AS (
        SELECT DISTINCT t.tgname::text AS name, n.nspname || '.' || p.proname AS function,
               -- Comments say nothing.
               regexp_replace(p.prosrc, '--[^\n]*|/\*.*?\*/', ' ', 'g') AS body
        FROM tree JOIN pg_trigger t ON t.tgrelid = tree.oid JOIN pg_proc p ON p.oid = t.tgfoid
        JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
        WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype::integer & 20 <> 0 AND NOT p.prosecdef
          AND l.lanname = 'plpgsql'
      ), uses AS (
        SELECT f.name, f.function, parse_ident(m.part[2]) AS relation,
               CASE WHEN m.part[1] ~* '^insert' THEN 'INSERT' WHEN m.part[1] ~* '^update' THEN 'UPDATE'
                    WHEN m.part[1] ~* '^delete' THEN 'DELETE' ELSE 'SELECT' END AS need
        FROM functions AS f
        CROSS JOIN LATERAL regexp_matches(
          f.body,
          '\m(insert\s+into|update|delete\s+from|from|join)\s+(?:only\s+)?((?:"[^"]+"|[a-z_]\w*)(?:\.(?:"[^"]+"|[a-z_]\w*))?)', 'gi'
        ) AS m (part)
      )
      SELECT DISTINCT u.name, u.function, r.right_name, current_user::text
      FROM uses AS u
      JOIN pg_class c ON c.relname::text = u.relation[cardinality(u.relation)] AND c.relkind IN ('r', 'p', 'v', 'f')
      JOIN pg_namespace n ON n.oid = c.relnamespace
        AND CASE WHEN cardinality(u.relation) = 2 THEN n.nspname::text = u.relation[1] ELSE pg_table_is_visible(c.oid) END
      CROSS JOIN LATERAL (
        VALUES (has_schema_privilege(n.oid, 'USAGE'), format('USAGE ON SCHEMA %I', n.nspname)),
               (CASE WHEN u.need = 'DELETE' THEN has_table_privilege(c.oid, u.need) ELSE has_any_column_privilege(c.oid, u.need) END,
                format('%s ON %I.%I', u.need, n.nspname, c.relname))
      ) AS r (is_granted, right_name)
      WHERE NOT r.is_granted
      ORDER BY 1, 2, 3
      """#,
      "reading the rights that the triggers of \(table.production) need"
    )
    return (0..<rows.count).map { row in
      let (need, role) = (rows.text(row, 2) ?? "", rows.text(row, 3) ?? "")
      return .warning(
        .missingRight,
        table.name,
        "the trigger \(rows.text(row, 0) ?? "") of \(table.production) (function \(rows.text(row, 1) ?? "")) seems to need \(need), "
          + "which the role \(role) lacks: rows that it fires for would be refused. GRANT \(need) TO \(role); or make the "
          + "function SECURITY DEFINER."
      )
    }
  }
}
