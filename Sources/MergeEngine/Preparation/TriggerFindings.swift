import Libpq

/// What triggers of production seem to do to the merge, by the text of their functions: set the key, or swallow the row.
///
/// A guess, so it only warns; what became of each row is known from the key that comes back.
struct TriggerFindings {
  let table: TablePlan
  let connection: Connection

  func all() throws(PostgresError) -> [Finding] {
    guard table.triggers.onInsert || table.triggers.onUpdate || table.triggers.runAfterwards else { return [] }
    let rows = try connection.query(
      #"""
      WITH RECURSIVE tree AS (
        SELECT \#(table.productionOid)::oid AS oid
        UNION ALL
        SELECT i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid
      ), triggers AS (
        SELECT DISTINCT t.tgname::text AS name, n.nspname || '.' || p.proname AS function,
               array_to_string(ARRAY(
                 SELECT k.name
                 FROM unnest($1::text[]) WITH ORDINALITY AS k (name, position)
                 CROSS JOIN LATERAL (
                   SELECT '"?' || regexp_replace(k.name, '([^[:alnum:]_])', '\\\1', 'g') || '"?' AS name,
                          '"?' || regexp_replace($2, '([^[:alnum:]_])', '\\\1', 'g') || '"?' AS table_name
                 ) AS x
                 WHERE CASE WHEN is_before
                            THEN p.prosrc ~* ('\mnew\s*\.\s*' || x.name || '\s*:?=')
                                 OR p.prosrc ~* ('\minto\s+(strict\s+)?new\s*\.\s*' || x.name || '\M')
                            ELSE p.prosrc ~* ('\mupdate\s+(only\s+)?([[:alnum:]_"]+\s*\.\s*)?' || x.table_name
                                              || '\M((?!\mwhere\M)[^;])*[^[:alnum:]_]' || x.name || '\s*=')
                       END
                 ORDER BY k.position), ', ') AS keys,
               is_before AND p.prosrc ~* '\mreturn\s+null\M' AS swallows
        FROM tree JOIN pg_trigger t ON t.tgrelid = tree.oid JOIN pg_proc p ON p.oid = t.tgfoid
        JOIN pg_namespace n ON n.oid = p.pronamespace
        CROSS JOIN LATERAL (SELECT t.tgtype::integer & 2 <> 0) AS w (is_before)
        WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'
          -- on INSERT or UPDATE: before it for each row, or after it
          AND t.tgtype::integer & 20 <> 0 AND (NOT is_before OR t.tgtype::integer & 1 <> 0)
      )
      SELECT name, function, keys, swallows FROM triggers WHERE keys <> '' OR swallows ORDER BY name, function
      """#,
      [.textArray(table.keyColumns.map(\.name.name)), .text(table.production.name.name)],
      "reading what the triggers of \(table.production) do"
    )
    return (0..<rows.count).map { row in
      let trigger =
        "the trigger \(rows.text(row, 0) ?? "") of \(table.production) (function \(rows.text(row, 1) ?? ""))"
      let keys = rows.text(row, 2) ?? ""
      return .warning(
        table.name,
        keys.isEmpty
          ? "\(trigger) seems to leave rows out or to put them elsewhere: a row that is not in \(table.production) afterwards "
            + "counts as stale."
          : "\(trigger) seems to set \(keys), the key that rows are matched by: a row that would get another key than "
            + "staging's is quarantined. Have it keep a key that is given."
      )
    }
  }
}
