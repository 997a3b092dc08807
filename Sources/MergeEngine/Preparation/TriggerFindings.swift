import Libpq

/// What row triggers of production seem to do to the merge, by the text of their functions: set the key, or swallow the row.
///
/// A guess, so it only warns; what became of each row is known from the key that comes back.
struct TriggerFindings {
  let table: TablePlan
  let connection: Connection

  func all() throws(PostgresError) -> [Finding] {
    guard table.triggers.onInsert || table.triggers.onUpdate else { return [] }
    let rows = try connection.query(
      #"""
      WITH RECURSIVE tree AS (
        SELECT \#(table.productionOid)::oid AS oid
        UNION ALL
        SELECT i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid
      ), triggers AS (
        SELECT DISTINCT t.tgname::text AS name, n.nspname || '.' || p.proname AS function,
               array_to_string(ARRAY(
                 SELECT k.name FROM unnest($1::text[]) WITH ORDINALITY AS k (name, position)
                 WHERE p.prosrc ~* ('\mnew\s*\.\s*"?' || regexp_replace(k.name, '([^[:alnum:]_])', '\\\1', 'g') || '"?\s*:?=')
                    OR p.prosrc ~* ('\minto\s+(strict\s+)?new\s*\.\s*"?'
                                    || regexp_replace(k.name, '([^[:alnum:]_])', '\\\1', 'g') || '"?\M')
                 ORDER BY k.position), ', ') AS keys,
               p.prosrc ~* '\mreturn\s+null\M' AS swallows
        FROM tree JOIN pg_trigger t ON t.tgrelid = tree.oid JOIN pg_proc p ON p.oid = t.tgfoid
        JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'
          -- row-level, before, on INSERT or UPDATE
          AND t.tgtype::integer & 3 = 3 AND t.tgtype::integer & 20 <> 0
      )
      SELECT name, function, keys, swallows FROM triggers WHERE keys <> '' OR swallows ORDER BY name, function
      """#,
      [.textArray(table.keyColumns.map(\.name.name))],
      "reading what the triggers of \(table.production) do"
    )
    return (0..<rows.count).map { row in
      let trigger =
        "the trigger \(rows.text(row, 0) ?? "") of \(table.production) (function \(rows.text(row, 1) ?? ""))"
      let keys = rows.text(row, 2) ?? ""
      return .warning(
        .rowTrigger,
        table.name,
        keys.isEmpty
          ? "\(trigger) seems to drop or redirect rows: a row that is not in \(table.production) afterwards "
            + "counts as stale."
          : "\(trigger) seems to set \(keys), the key by which rows are matched: a row that would get a key other than "
            + "staging's is quarantined. Have the trigger keep a key that is given."
      )
    }
  }
}
