import Libpq

/// Production's constraints as conditions that name the rows which break them; rows are `t`.
///
/// Only of columns that staging has: what the others hold is not known before the write.
struct Constraints {
  private let plan: TablePlan
  private let production: Connection

  init(_ plan: TablePlan, _ production: Connection) {
    self.plan = plan
    self.production = production
  }

  func conditions() throws(PostgresError) -> [SQL] { try columns() + checks() + foreignKeys() + uniqueKeys() }

  private var names: Parameter { .textArray(plan.columns.map(\.name.name)) }
  private var table: SQL { "\(Literal(plan.production.quoted))::regclass" }

  /// NOT NULL, and what is too long.
  private func columns() throws(PostgresError) -> [SQL] {
    let rows = try production.query(
      "SELECT a.attname::text, a.attnotnull FROM pg_attribute a WHERE a.attrelid = \(table) AND a.attname = ANY ($1::text[])",
      [names],
      "reading the columns of \(plan.production)"
    )
    let notNull = Set((0..<rows.count).filter { rows.bool($0, 1) == true }.compactMap { rows.text($0, 0) })
    return plan.columns.flatMap { column -> [SQL] in
      let isMissing: SQL? = notNull.contains(column.name.name) ? "t.\(column.name) IS NULL" : nil
      // Spaces behind the limit may be cut, everything else is refused.
      let isLong: SQL? = column.baseType.characterLimit.map { "char_length(rtrim(t.\(column.name)::text)) > \($0)" }
      return [isMissing, isLong].compactMap(\.self)
    }
  }

  private func checks() throws(PostgresError) -> [SQL] {
    let rows = try production.query(
      """
      SELECT pg_get_expr(c.conbin, c.conrelid)
      FROM pg_constraint c
      WHERE c.conrelid = \(table) AND c.contype = 'c'
        AND NOT EXISTS (SELECT FROM unnest(c.conkey) AS k (attnum)
                        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum
                        WHERE a.attname <> ALL ($1::text[]))
      ORDER BY c.conname
      """,
      [names],
      "reading the checks of \(plan.production)"
    )
    // The expression names production's columns without a table, so it stands where only `t` is in sight.
    return (0..<rows.count).map { row in
      "NOT (SELECT \(SQL.uncheckedFromServer(rows.text(row, 0) ?? "true")) FROM (SELECT t.*) AS u)"
    }
  }

  /// A parent that is neither there nor, in a table that refers to itself, among the rows.
  private func foreignKeys() throws(PostgresError) -> [SQL] {
    let rows = try production.query(
      """
      SELECT format('%s',
        string_agg(format('t.%I IS NOT NULL', c.attname), ' AND ')
        || format(' AND NOT EXISTS (SELECT FROM %I.%I AS q WHERE ', n.nspname, r.relname)
        || string_agg(format('q.%I OPERATOR(%I.%s) t.%I', p.attname, o.nspname, e.oprname, c.attname), ' AND ') || ')')
      FROM pg_constraint f
      JOIN pg_class r ON r.oid = f.confrelid
      JOIN pg_namespace n ON n.oid = r.relnamespace
      CROSS JOIN LATERAL unnest(f.conkey, f.confkey, f.conpfeqop) AS k (child, parent, equality)
      JOIN pg_attribute c ON c.attrelid = f.conrelid AND c.attnum = k.child
      JOIN pg_attribute p ON p.attrelid = f.confrelid AND p.attnum = k.parent
      JOIN pg_operator e ON e.oid = k.equality
      JOIN pg_namespace o ON o.oid = e.oprnamespace
      WHERE f.conrelid = \(table) AND f.contype = 'f' AND f.conparentid = 0 AND f.confrelid <> f.conrelid
        AND has_table_privilege(f.confrelid, 'SELECT')
      GROUP BY f.oid, n.nspname, r.relname
      HAVING bool_and(c.attname = ANY ($1::text[]))
      """,
      [names],
      "reading the foreign keys of \(plan.production)"
    )
    return (0..<rows.count).map { .uncheckedFromServer(rows.text($0, 0) ?? "false") }
  }

  /// A unique value that another row of production has.
  private func uniqueKeys() throws(PostgresError) -> [SQL] {
    let key = plan.keyColumns.map { "q.\($0.name) \($0.equality) t.\($0.name)" as SQL }.joined(" AND ")
    let rows = try production.query(
      """
      SELECT string_agg(format('q.%I OPERATOR(%I.%s) t.%I', a.attname, n.nspname, o.oprname, a.attname), ' AND ')
      FROM pg_index i
      CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indclass::oid[]) WITH ORDINALITY AS k (attnum, opclass, position)
      LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
      LEFT JOIN pg_opclass f ON f.oid = k.opclass
      LEFT JOIN pg_amop s ON s.amopfamily = f.opcfamily AND s.amopstrategy = 3
                         AND s.amoplefttype = f.opcintype AND s.amoprighttype = f.opcintype
      LEFT JOIN pg_operator o ON o.oid = s.amopopr
      LEFT JOIN pg_namespace n ON n.oid = o.oprnamespace
      WHERE i.indrelid = \(table) AND i.indisunique AND NOT i.indisprimary AND i.indpred IS NULL AND i.indexprs IS NULL
        AND k.position <= i.indnkeyatts
      GROUP BY i.indexrelid
      HAVING bool_and(a.attname = ANY ($1::text[]))
      """,
      [names],
      "reading the unique keys of \(plan.production)"
    )
    return (0..<rows.count).map { row in
      let match = SQL.uncheckedFromServer(rows.text(row, 0) ?? "false")
      return "EXISTS (SELECT FROM \(plan.production) AS q WHERE \(match) AND NOT (\(key)))"
    }
  }
}
