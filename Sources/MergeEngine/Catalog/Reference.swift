import Libpq

/// A foreign key that points at a table.
struct Reference: Sendable {
  let child: QualifiedName
  private let childOid: UInt32
  /// The root of the partitions that the child is one of; else the child.
  private let childRootOid: UInt32
  /// The child has an index by which the server finds the rows that refer to one.
  let isIndexed: Bool
  /// When the parent's columns are updated the child gets NULL or a default for them: what it had is nowhere then.
  let forgetsOnUpdate: Bool
  private let pairs: [Pair]

  private struct Pair {
    let parentColumn: Identifier
    let childColumn: Identifier
    /// The operator that the server itself compares them with.
    let equality: SQL
    /// The same for two values of the child.
    let childEquality: SQL
  }

  /// Whether the rows that refer are rows of a table, as itself or as a partition of it.
  func isFrom(_ table: UInt32) -> Bool { childOid == table || childRootOid == table }

  var childColumns: [Identifier] { pairs.map(\.childColumn) }
  var parentColumns: [Identifier] { pairs.map(\.parentColumn) }

  /// What makes the index that it lacks.
  var createIndex: SQL { "CREATE INDEX ON \(child) (\(childColumns.joined()))" }

  /// What the server does without an index, for a command that deletes rows of `parent`; nil with one.
  func slowCheck(deletingFrom parent: QualifiedName) -> String? {
    guard !isIndexed else { return nil }
    return
      "for every row that is deleted from \(parent) the server reads all of \(child) to check that nothing refers to it, since "
      + "no index helps it. Create one first: \(createIndex)"
  }

  /// A row with the child's columns refers to the parent's row (alias `p`).
  func condition(child alias: SQL) -> SQL {
    pairs.map { "p.\($0.parentColumn) \($0.equality) \(alias).\($0.childColumn)" as SQL }.joined(" AND ")
  }

  /// Two rows with the child's columns refer to the same row.
  func areAlike(_ left: SQL, _ right: SQL) -> SQL {
    pairs.map { "\(left).\($0.childColumn) \($0.childEquality) \(right).\($0.childColumn)" as SQL }.joined(" AND ")
  }

  private func adding(_ pair: Pair) -> Reference {
    Reference(
      child: child,
      childOid: childOid,
      childRootOid: childRootOid,
      isIndexed: isIndexed,
      forgetsOnUpdate: forgetsOnUpdate,
      pairs: pairs + [pair]
    )
  }

  /// The foreign keys to a table or its partitions, whatever they do when a row is deleted.
  ///
  /// One without an action is refused by the server; looking first is cheaper than running into it. One with CASCADE,
  /// SET NULL or SET DEFAULT is not: there looking is what keeps rows that came later from going too.
  static func read(to table: UInt32, _ connection: Connection) throws(PostgresError) -> [Reference] {
    references(try connection.query(query(to: table)))
  }

  /// What ``read(to:_:)`` asks.
  static func query(to table: UInt32) -> Query {
    Query(
      """
      SELECT f.oid, n.nspname::text, c.relname::text, c.oid, pa.attname::text, ca.attname::text,
             m.nspname::text, o.oprname::text, coalesce(pg_partition_root(c.oid), c.oid), fm.nspname::text, fo.oprname::text,
             EXISTS (SELECT FROM pg_index i
                     WHERE i.indrelid = f.conrelid AND i.indisvalid AND i.indpred IS NULL
                       AND (i.indkey::int2[])[0:cardinality(f.conkey) - 1] @> f.conkey),
             f.confupdtype IN ('n', 'd')
      FROM pg_constraint f
      JOIN pg_class c ON c.oid = f.conrelid
      JOIN pg_namespace n ON n.oid = c.relnamespace
      CROSS JOIN LATERAL unnest(f.confkey, f.conkey, f.conpfeqop, f.conffeqop) WITH ORDINALITY
        AS k (parent, child, operator, child_operator, position)
      JOIN pg_attribute pa ON pa.attrelid = f.confrelid AND pa.attnum = k.parent
      JOIN pg_attribute ca ON ca.attrelid = f.conrelid AND ca.attnum = k.child
      JOIN pg_operator o ON o.oid = k.operator
      JOIN pg_namespace m ON m.oid = o.oprnamespace
      JOIN pg_operator fo ON fo.oid = k.child_operator
      JOIN pg_namespace fm ON fm.oid = fo.oprnamespace
      WHERE f.contype = 'f' AND f.conparentid = 0
        AND (f.confrelid = \(table) OR f.confrelid IN (SELECT relid FROM pg_partition_tree(\(table))))
      ORDER BY f.oid, k.position
      """,
      [],
      "reading the foreign keys to a table"
    )
  }

  private static func references(_ rows: ResultSet) -> [Reference] {
    var references: [Reference] = []
    var lastKey: Int?
    for row in 0..<rows.count {
      func equality(_ column: Int) -> SQL {
        // An operator's own name is made of operator characters only and is never quoted.
        let symbol = SQL.uncheckedFromServer(rows.text(row, column + 1) ?? "=")
        return "OPERATOR(\(Identifier(rows.text(row, column) ?? "")).\(symbol))"
      }
      let pair = Pair(
        parentColumn: Identifier(rows.text(row, 4) ?? ""),
        childColumn: Identifier(rows.text(row, 5) ?? ""),
        equality: equality(6),
        childEquality: equality(9)
      )
      if rows.integer(row, 0) == lastKey, let last = references.popLast() {
        references.append(last.adding(pair))
      } else {
        references.append(
          Reference(
            child: QualifiedName(schema: rows.text(row, 1) ?? "", name: rows.text(row, 2) ?? ""),
            childOid: UInt32(rows.integer(row, 3) ?? 0),
            childRootOid: UInt32(rows.integer(row, 8) ?? 0),
            isIndexed: rows.bool(row, 11) == true,
            forgetsOnUpdate: rows.bool(row, 12) == true,
            pairs: [pair]
          )
        )
      }
      lastKey = rows.integer(row, 0)
    }
    return references
  }
}
