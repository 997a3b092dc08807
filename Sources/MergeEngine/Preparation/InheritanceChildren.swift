import Libpq

/// Tables that inherit from staging or from production: a statement on the parent reads and writes their rows, too.
///
/// An address is that of several rows then, in staging; and so may be a key, in production, since no index spans a parent and its
/// children.
struct InheritanceChildren {
  let table: TablePlan
  let production: Connection
  let staging: Connection

  func findings() throws -> [Finding] { try (ofStaging() + ofProduction()).map { .blocker(table.name, $0) } }

  /// What is asked about staging.
  static func ofStaging(_ table: TablePlan) -> Query {
    Query(
      """
      SELECT m.nspname::text, k.relname::text
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_inherits i ON i.inhparent = c.oid
      JOIN pg_class k ON k.oid = i.inhrelid
      JOIN pg_namespace m ON m.oid = k.relnamespace
      WHERE n.nspname = $1 AND c.relname = $2
      ORDER BY m.nspname, k.relname
      """,
      [.text(table.staging.schema.name), .text(table.staging.name.name)],
      "looking for tables that inherit from \(table.staging)"
    )
  }

  /// Progress knows staging's rows by their addresses in one file.
  private func ofStaging() throws(PostgresError) -> [String] {
    guard table.reading.snapshot == nil, table.reading.mayHaveChildren else { return [] }
    let children = try staging.query(Self.ofStaging(table))
    guard children.count > 0 else { return [] }
    let statements = (0..<children.count).map { row in
      let child = QualifiedName(schema: children.text(row, 0) ?? "", name: children.text(row, 1) ?? "")
      return "ALTER TABLE \(child) NO INHERIT \(table.staging)" as SQL
    }
    return [
      "rows of tables that inherit from \(table.staging) are read with its own and can't be told apart from them. Detach them: "
        + statements.joined("; ").text
    ]
  }

  /// An update would hit every row that has the key.
  private func ofProduction() throws -> [String] {
    guard table.writing.triggers.hasChildren else { return [] }
    let twins = try staged().flatMap(twins) ?? twins(among: "true") ?? (count: 0, example: "")
    guard twins.count > 0 else { return [] }
    let keys = table.keyColumns.map(\.name).joined()
    return [
      "\(twins.count == 1 ? "a key is" : "\(twins.count) keys are") in \(table.production) and in tables that inherit from it, such as "
        + "\(twins.example): a merge can't know which row is meant. Keep only one of each: "
        + ("SELECT tableoid::regclass, * FROM \(table.production) WHERE (\(keys)) IN (SELECT \(keys) FROM \(table.production) "
        + "GROUP BY \(keys) HAVING count(*) > 1)" as SQL).text
    ]
  }

  /// That production's row `p` has a key that staging has, where both can be asked at once.
  private func staged() -> SQL? {
    guard table.reading.snapshot == nil, staging === production else { return nil }
    let match = table.keyColumns.map { column -> SQL in
      column.travel == .text
        ? "(p.\(column.name))::text = \(column.readExpression)"
        : "p.\(column.name) \(column.equality) \(column.readExpression)"
    }
    return "EXISTS (SELECT FROM \(table.staging) AS s WHERE \(match.joined(" AND ")))"
  }

  /// How many keys production has more than once, and one of them; nil when a row of staging can't be read as production's
  /// types.
  private func twins(among condition: SQL) throws -> (count: Int, example: String)? {
    let keys = table.keyColumns.map { "p.\($0.name)" as SQL }
    let pairs = table.keyColumns.map { "\(Literal($0.name.name)), p.\($0.name)" as SQL }
    do {
      let rows = try production.query(
        """
        SELECT count(*), min(k.key)
        FROM (SELECT jsonb_build_object(\(pairs.joined(", ")))::text AS key FROM \(table.production) AS p WHERE \(condition)
              GROUP BY \(keys.joined(", ")) HAVING count(*) > 1) AS k
        """,
        "looking for keys that \(table.production) has more than once"
      )
      return (rows.integer(0, 0) ?? 0, rows.text(0, 1) ?? "")
    } catch {
      guard error.refusesRow else { throw error }
      return nil
    }
  }
}
