import Libpq

/// A foreign key that points at a table.
struct Reference: Sendable {
  let child: QualifiedName
  let childOid: UInt32
  private let pairs: [Pair]

  private struct Pair {
    let parentColumn: Identifier
    let childColumn: Identifier
    /// The operator that the server itself compares them with.
    let equality: SQL
  }

  var childColumns: [Identifier] { pairs.map(\.childColumn) }

  /// A row with the child's columns refers to the parent's row (alias `p`).
  func condition(child alias: SQL) -> SQL {
    pairs.map { "p.\($0.parentColumn) \($0.equality) \(alias).\($0.childColumn)" as SQL }.joined(" AND ")
  }

  /// The foreign keys to a table or its partitions, whatever they do when a row is deleted.
  ///
  /// One without an action is refused by the server; looking first is cheaper than running into it. One with CASCADE,
  /// SET NULL or SET DEFAULT is not: there looking is what keeps rows that came later from going too.
  static func read(to table: UInt32, _ connection: Connection) throws(PostgresError) -> [Reference] {
    let rows = try connection.query(
      """
      SELECT f.oid, n.nspname::text, c.relname::text, c.oid, pa.attname::text, ca.attname::text,
             m.nspname::text, o.oprname::text
      FROM pg_constraint f
      JOIN pg_class c ON c.oid = f.conrelid
      JOIN pg_namespace n ON n.oid = c.relnamespace
      CROSS JOIN LATERAL unnest(f.confkey, f.conkey, f.conpfeqop) WITH ORDINALITY AS k (parent, child, operator, position)
      JOIN pg_attribute pa ON pa.attrelid = f.confrelid AND pa.attnum = k.parent
      JOIN pg_attribute ca ON ca.attrelid = f.conrelid AND ca.attnum = k.child
      JOIN pg_operator o ON o.oid = k.operator
      JOIN pg_namespace m ON m.oid = o.oprnamespace
      WHERE f.contype = 'f' AND f.conparentid = 0
        AND (f.confrelid = \(table) OR f.confrelid IN (SELECT relid FROM pg_partition_tree(\(table))))
      ORDER BY f.oid, k.position
      """,
      "reading the foreign keys to a table"
    )
    var references: [Reference] = []
    var lastKey: Int?
    for row in 0..<rows.count {
      let symbol = SQL.uncheckedFromServer(rows.text(row, 7) ?? "=")
      let pair = Pair(
        parentColumn: Identifier(rows.text(row, 4) ?? ""),
        childColumn: Identifier(rows.text(row, 5) ?? ""),
        equality: "OPERATOR(\(Identifier(rows.text(row, 6) ?? "")).\(symbol))"
      )
      if rows.integer(row, 0) == lastKey, let last = references.popLast() {
        references.append(Reference(child: last.child, childOid: last.childOid, pairs: last.pairs + [pair]))
      } else {
        references.append(
          Reference(
            child: QualifiedName(schema: rows.text(row, 1) ?? "", name: rows.text(row, 2) ?? ""),
            childOid: UInt32(rows.integer(row, 3) ?? 0),
            pairs: [pair]
          )
        )
      }
      lastKey = rows.integer(row, 0)
    }
    return references
  }
}
