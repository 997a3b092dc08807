import Libpq

/// What production itself does to a merge: indexes on the version, triggers that stamp it, foreign keys that nothing checks.
struct ProductionFindings {
  let table: TablePlan
  let connection: Connection

  func all() throws(PostgresError) -> [Finding] {
    try versionIndexes() + stampingTriggers() + uncheckedReferences
  }

  /// Indexes that hold the version.
  static func indexes(_ table: TablePlan) -> Query {
    Query(
      """
      SELECT x.relname::text, (SELECT count(*) FROM pg_index o WHERE o.indrelid = i.indrelid)
      FROM pg_index i
      JOIN pg_class x ON x.oid = i.indexrelid
      JOIN pg_am m ON m.oid = x.relam
      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = $1
      WHERE i.indrelid = \(Literal(table.production.quoted))::regclass AND m.amname <> 'brin' AND i.indexrelid <> \(table.keyIndexOid)
        AND (a.attnum = ANY (i.indkey::int2[])
             OR EXISTS (SELECT FROM pg_depend d
                        WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                          AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid
                          AND d.refobjsubid = a.attnum))
      ORDER BY x.relname
      """,
      [.text(table.version.name.name)],
      "looking for indexes on \(table.version.name)"
    )
  }

  /// An update that changes an indexed column can't be HOT. BRIN is left out: it hinders HOT updates only before 16, and
  /// then is still cheap.
  private func versionIndexes() throws(PostgresError) -> [Finding] {
    let version = table.version.name
    let rows = try connection.query(Self.indexes(table))
    return (0..<rows.count).map { row in
      .warning(
        .versionIndexed,
        table.name,
        "the index \(rows.text(row, 0) ?? "") holds the version column \(version), so no update of \(table.production) "
          + "can be HOT: every updated row gets a new entry in each of its \(rows.integer(row, 1) ?? 0) indexes. If "
          + "nothing needs that index, the merge is faster without it."
      )
    }
  }

  /// Triggers that seem to set the version.
  static func triggers(_ table: TablePlan) -> Query {
    Query(
      #"""
      SELECT t.tgname::text, n.nspname || '.' || p.proname
      FROM pg_trigger t
      JOIN pg_proc p ON p.oid = t.tgfoid
      JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE t.tgrelid = \#(Literal(table.production.quoted))::regclass
        AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
        -- row-level, before, on INSERT or UPDATE
        AND t.tgtype::integer & 1 <> 0 AND t.tgtype::integer & 2 <> 0 AND t.tgtype::integer & 20 <> 0
        AND (p.prosrc ~* ('\mnew\s*\.\s*"?' || regexp_replace($1, '([^[:alnum:]_])', '\\\1', 'g') || '"?\s*:?=')
             OR p.proname = 'moddatetime' AND starts_with(encode(t.tgargs, 'escape'), $1))
      ORDER BY t.tgname
      """#,
      [.text(table.version.name.name)],
      "looking for triggers that set \(table.version.name)"
    )
  }

  /// A guess by the trigger function's text: it assigns to NEW.version, or it is moddatetime on that column.
  private func stampingTriggers() throws(PostgresError) -> [Finding] {
    let version = table.version.name
    let rows = try connection.query(Self.triggers(table))
    return (0..<rows.count).map { row in
      .warning(
        .versionTrigger,
        table.name,
        "the trigger \(rows.text(row, 0) ?? "") of \(table.production) seems to set \(version) (function "
          + "\(rows.text(row, 1) ?? "")): merged rows would then get its value as their version, usually the time of the merge, and "
          + "later changes from Oracle would look old. Disable it for the merging role."
      )
    }
  }

  private var uncheckedReferences: [Finding] {
    table.writing.triggers.uncheckedReferences.map { names in
      [
        .warning(
          .disabledReference,
          table.name,
          "triggers of foreign keys of \(table.production) are disabled (\(names)): rows are merged whether or not their parents are there. "
            + "ALTER TABLE \(table.production) ENABLE TRIGGER ALL has new rows checked, and none that is there."
        )
      ]
    } ?? []
  }
}
