import Libpq

/// How many pending rows refer to a row that neither production has nor this merge brings.
struct OrphanForecast {
  let table: TablePlan
  /// All tables of the run, among them perhaps the parents.
  let tables: [TablePlan]
  /// To the database that holds both sides.
  let connection: Connection

  private struct Key {
    let name: String
    let parentOid: UInt32
    let parent: QualifiedName
    let columns: [Identifier]
    let parentColumns: [Identifier]
    /// parent column = child column
    let equalities: [SQL]
  }

  func all() throws(PostgresError) -> [Finding] {
    var findings: [Finding] = []
    for key in try keys() {
      guard let expressions = Self.values(key.columns, of: table) else { continue }
      let count: Int
      do {
        count =
          try connection.query(query(key, expressions), "looking for orphans in \(table.staging)")
          .integer(0, 0) ?? 0
      } catch {
        // A row that can't be read, or a parent that this role may not see.
        guard error.origin == .server, error.sqlState != .queryCanceled else { throw error }
        findings.append(.warning(table.name, "the foreign key \(key.name) could not be checked: \(error.message)."))
        continue
      }
      guard count > 0 else { continue }
      findings.append(
        .warning(
          table.name,
          "\(count.rows) whose \(key.columns.map(\.name).joined(separator: ", ")) neither \(key.parent) nor its staging "
            + "table has: the foreign key \(key.name) would refuse them, and they would be quarantined."
        )
      )
    }
    return findings
  }

  private func query(_ key: Key, _ expressions: [SQL]) -> SQL {
    let names = key.columns.indices.map { "c\($0)" as SQL }
    let outputs = zip(expressions, names).map { "\($0) AS \($1)" as SQL }.joined(", ")
    let notNull = names.map { "f.\($0) IS NOT NULL" as SQL }.joined(" AND ")
    func match(_ alias: SQL, _ columns: [SQL]) -> SQL {
      zip(columns, key.equalities).enumerated().map { index, pair in
        "\(alias).\(pair.0) \(pair.1) f.\(names[index])" as SQL
      }.joined(" AND ")
    }
    var query: SQL = """
      SELECT count(*)
      FROM (SELECT \(outputs) FROM \(table.staging) AS s WHERE true\(ClaimSQL.rowCondition(table))) AS f
      WHERE \(notNull)
        AND NOT EXISTS (SELECT FROM \(key.parent) AS q WHERE \(match("q", key.parentColumns.map { "\($0)" })))
      """
    if let parent = tables.first(where: { $0.productionOid == key.parentOid }),
      let values = Self.values(key.parentColumns, of: parent)
    {
      let parentOutputs = zip(values, names).map { "\($0) AS \($1)" as SQL }.joined(", ")
      query =
        query + """
           AND NOT EXISTS (
            SELECT FROM (SELECT \(parentOutputs) FROM \(parent.staging) AS s WHERE true\(ClaimSQL.rowCondition(parent)))
              AS z
            WHERE \(match("z", names)))
          """
    }
    return query
  }

  /// Staging's values in production's types; nil if a column is not shared.
  private static func values(_ columns: [Identifier], of table: TablePlan) -> [SQL]? {
    let values = columns.compactMap { name in
      table.columns.first { $0.name == name }.map { column -> SQL in
        column.travel == .text ? "(\(column.readExpression))::\(column.baseType.plainName)" : column.readExpression
      }
    }
    return values.count == columns.count ? values : nil
  }

  private func keys() throws(PostgresError) -> [Key] {
    let rows = try connection.query(
      """
      SELECT f.conname::text, f.confrelid, n.nspname::text, r.relname::text,
             c.attname::text, p.attname::text, o.nspname::text, e.oprname::text
      FROM pg_constraint f
      JOIN pg_class r ON r.oid = f.confrelid
      JOIN pg_namespace n ON n.oid = r.relnamespace
      CROSS JOIN LATERAL unnest(f.conkey, f.confkey, f.conpfeqop) WITH ORDINALITY AS k (child, parent, equality, position)
      JOIN pg_attribute c ON c.attrelid = f.conrelid AND c.attnum = k.child
      JOIN pg_attribute p ON p.attrelid = f.confrelid AND p.attnum = k.parent
      JOIN pg_operator e ON e.oid = k.equality
      JOIN pg_namespace o ON o.oid = e.oprnamespace
      WHERE f.conrelid = \(Literal(table.production.quoted))::regclass AND f.contype = 'f' AND f.conparentid = 0
      ORDER BY f.conname, k.position
      """,
      "reading the foreign keys of \(table.production)"
    )
    var keys: [Key] = []
    for row in 0..<rows.count {
      func text(_ column: Int) -> String { rows.text(row, column) ?? "" }
      let isSame = keys.last?.name == text(0)
      let last = isSame ? keys.removeLast() : nil
      let equality: SQL = "OPERATOR(\(Identifier(text(6))).\(SQL.uncheckedFromServer(text(7))))"
      keys.append(
        Key(
          name: text(0),
          parentOid: UInt32(rows.integer(row, 1) ?? 0),
          parent: QualifiedName(schema: text(2), name: text(3)),
          columns: (last?.columns ?? []) + [Identifier(text(4))],
          parentColumns: (last?.parentColumns ?? []) + [Identifier(text(5))],
          equalities: (last?.equalities ?? []) + [equality]
        )
      )
    }
    return keys
  }
}
