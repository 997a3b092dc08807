import Libpq

/// What triggers of production seem to do to the merge, by the text of their functions: set the key, swallow the row, change it
/// again once it is written.
///
/// A guess, so it only warns; what became of each row is known from the key that comes back.
struct TriggerFindings {
  let table: TablePlan
  /// All batches are one transaction.
  let isAtomic: Bool
  let connection: Connection

  func all() throws(PostgresError) -> [Finding] {
    guard table.writing.triggers.onInsert || table.writing.triggers.onUpdate || table.writing.triggers.runAfterwards
    else { return [] }
    return try effects() + deferred + TriggerRights(table: table, connection: connection).findings()
  }

  /// What runs at the end of a single transaction runs when nobody looks at its rows any more.
  private var deferred: [Finding] {
    guard isAtomic, table.writing.triggers.runDeferred else { return [] }
    return [
      .warning(
        .rowTrigger,
        table.name,
        "a deferred trigger of \(table.production) runs at the end of --atomic's transaction: what it does to rows that count as inserted or "
          + "updated is not seen. Without --atomic it runs, and is seen, at the end of each batch; merge-engine verify shows what is "
          + "different."
      )
    ]
  }

  private func effects() throws(PostgresError) -> [Finding] {
    let rows = try connection.query(
      #"""
      WITH RECURSIVE \#(DescendantTables.tree(of: table.productionOid)), functions AS (
        SELECT DISTINCT t.tgname::text AS name, n.nspname || '.' || p.proname AS function, p.prosrc AS body,
               -- ROW is 1, BEFORE 2, INSERT 4, UPDATE 16, INSTEAD 64 (pg_trigger.h)
               t.tgtype::integer & 3 = 3 AS is_before_row, t.tgtype::integer & 66 = 0 AS is_after
        FROM tree JOIN pg_trigger t ON t.tgrelid = tree.oid JOIN pg_proc p ON p.oid = t.tgfoid
        JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE NOT t.tgisinternal AND t.tgtype::integer & 20 <> 0
          AND t.tgenabled IN ('A', CASE WHEN current_setting('session_replication_role') = 'replica' THEN 'R' ELSE 'O' END)
      ), triggers AS (
        SELECT f.name, f.function,
               array_to_string(ARRAY(
                 SELECT k.name
                 FROM unnest($1::text[]) WITH ORDINALITY AS k (name, position)
                 CROSS JOIN LATERAL (SELECT regexp_replace(k.name, '([^[:alnum:]_])', '\\\1', 'g') AS pattern) AS r
                 WHERE CASE WHEN f.is_before_row
                            -- A lone = assigns where a statement begins, and compares elsewhere.
                            THEN f.body ~* ('\mnew\s*\.\s*"?' || r.pattern || '"?\s*:=')
                                 OR f.body ~* ('(^|;|\m(begin|then|else|loop)\M)\s*new\s*\.\s*"?' || r.pattern || '"?\s*=')
                                 OR f.body ~* ('\minto\s+(strict\s+)?new\s*\.\s*"?' || r.pattern || '"?\M')
                            ELSE f.is_after
                                 AND f.body ~* ('\mupdate\s+(only\s+)?(("?\w+"?)\s*\.\s*)?"?' || f.table_pattern
                                                || '"?\M((?!\mwhere\M)[^;])*[^[:alnum:]_]"?' || r.pattern || '"?\s*=')
                       END
                 ORDER BY k.position), ', ') AS keys,
               f.is_before_row AND f.body ~* '\mreturn\s+(null|old)\M' AS swallows,
               f.is_after AND f.body ~* ('\m(update|delete\s+from)\s+(only\s+)?(("?\w+"?)\s*\.\s*)?"?' || f.table_pattern
                                         || '"?(\s|;|$)') AS rewrites
        FROM (SELECT functions.*, regexp_replace($2, '([^[:alnum:]_])', '\\\1', 'g') AS table_pattern FROM functions) AS f
      )
      SELECT name, function, keys, swallows, rewrites
      FROM triggers WHERE keys <> '' OR swallows OR rewrites
      ORDER BY name, function
      """#,
      [.textArray(table.keyColumns.map(\.name.name)), .text(table.production.name.name)],
      "reading what the triggers of \(table.production) do"
    )
    return (0..<rows.count).flatMap { row in
      messages(
        "the trigger \(rows.text(row, 0) ?? "") of \(table.production) (function \(rows.text(row, 1) ?? ""))",
        keys: rows.text(row, 2) ?? "",
        swallows: rows.bool(row, 3) == true,
        rewrites: rows.bool(row, 4) == true
      )
      .map { .warning(.rowTrigger, table.name, $0) }
    }
  }

  private func messages(_ trigger: String, keys: String, swallows: Bool, rewrites: Bool) -> [String] {
    var messages: [String] = []
    if !keys.isEmpty {
      messages.append(
        "\(trigger) seems to set \(keys), the key by which rows are matched: a row that would get a key other than "
          + "staging's is quarantined. Change the trigger so that it keeps a key that is given."
      )
    }
    if swallows {
      messages.append(
        "\(trigger) seems to skip rows, keep the old ones, or put them elsewhere: a row that is not in \(table.production) "
          + "afterwards as it should be counts as stale."
      )
    }
    if rewrites, keys.isEmpty {
      messages.append(
        "\(trigger) seems to change or delete rows of \(table.production) again once they are written: what counts as inserted "
          + "or updated may be something else afterwards. merge-engine verify shows what."
      )
    }
    return messages
  }
}
