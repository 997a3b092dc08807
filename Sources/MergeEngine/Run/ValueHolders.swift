import Libpq

/// Which refused rows wait for a unique value, or for room in an exclusion constraint, and who has it.
struct ValueHolders {
  let table: TablePlan
  let production: Connection

  /// A constraint, or a unique index without one.
  struct Rule {
    let name: Identifier
    /// As `UNIQUE (email)`; nil for an index without a constraint.
    let definition: SQL?
    /// It may be checked when all rows of a statement are written, so that rows can exchange values.
    let isDeferrable: Bool
    /// Two rows without a value exclude each other, too.
    let nullsAreEqual: Bool
    /// Which rows it holds for, as an expression over production's columns; nil for all.
    let predicate: SQL?
    /// What must not be the same, as expressions over production's columns, with the operator by which two values exclude
    /// each other, and ` COLLATE …` for the index's own collation, if it has one.
    let values: [(expression: SQL, operation: SQL, collation: SQL)]
  }

  /// The rules that waiting rows may stand under: all but the key's own.
  func rules() throws(PostgresError) -> [Rule] {
    let rows = try production.query(
      """
      SELECT x.relname::text, pg_get_constraintdef(c.oid), k.expressions, k.operations, NOT i.indimmediate,
             coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false), pg_get_expr(i.indpred, i.indrelid), k.collations
      FROM pg_index i
      JOIN pg_class x ON x.oid = i.indexrelid
      LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.conrelid = i.indrelid AND c.contype IN ('p', 'u', 'x')
      CROSS JOIN LATERAL (
        SELECT array_to_json(array_agg(pg_get_indexdef(i.indexrelid, k.position::integer, true) ORDER BY k.position))::text
                 AS expressions,
               array_to_json(array_agg(format('OPERATOR(%I.%s)', m.nspname, o.oprname) ORDER BY k.position))::text
                 AS operations,
               array_to_json(array_agg(CASE WHEN l.oid IS NOT NULL THEN format(' COLLATE %I.%I', n.nspname, l.collname) ELSE '' END
                                       ORDER BY k.position))::text AS collations,
               count(*)
        FROM unnest(i.indclass::oid[], i.indcollation::oid[]) WITH ORDINALITY AS k (opclass, sorting, position)
        LEFT JOIN pg_collation l ON l.oid = k.sorting
        LEFT JOIN pg_namespace n ON n.oid = l.collnamespace
        JOIN pg_opclass f ON f.oid = k.opclass
        LEFT JOIN pg_amop s ON s.amopfamily = f.opcfamily AND s.amopstrategy = 3
                           AND s.amoplefttype = f.opcintype AND s.amoprighttype = f.opcintype
        JOIN pg_operator o ON o.oid = coalesce(c.conexclop[k.position], s.amopopr)
        JOIN pg_namespace m ON m.oid = o.oprnamespace
        WHERE k.position <= i.indnkeyatts
      ) AS k
      WHERE i.indrelid = \(table.productionOid) AND (i.indisunique OR i.indisexclusion) AND k.count = i.indnkeyatts
      ORDER BY x.relname
      """,
      "reading the unique constraints of \(table.production)"
    )
    let key = Set(table.keyColumns.map(\.name.quoted))
    return (0..<rows.count).compactMap { row in
      // A column's name comes quoted only where it must be.
      let expressions = JSONText.decode([String].self, rows.text(row, 2)) ?? []
      let operations = JSONText.decode([String].self, rows.text(row, 3)) ?? []
      let collations = JSONText.decode([String].self, rows.text(row, 7)) ?? []
      let isOfKey = Set(expressions.map { $0.first == "\"" ? $0 : "\"\($0)\"" }) == key && rows.text(row, 6) == nil
      guard !isOfKey else { return nil }
      return Rule(
        name: Identifier(rows.text(row, 0) ?? ""),
        definition: rows.text(row, 1).map { .uncheckedFromServer($0) },
        isDeferrable: rows.bool(row, 4) == true,
        nullsAreEqual: rows.bool(row, 5) == true,
        predicate: rows.text(row, 6).map { .uncheckedFromServer($0) },
        values: zip(zip(expressions, operations), collations).map {
          (.uncheckedFromServer($0.0), .uncheckedFromServer($0.1), .uncheckedFromServer($1))
        }
      )
    }
  }

  /// Who keeps the rows at these addresses from their values by one rule; rows by their places in the list, from 1.
  ///
  /// - Returns: nil where nobody can say: values that can't be compared outside of the constraint's own index, or that follow from
  ///   columns which staging lacks.
  /// - Precondition: staging is in the same database.
  func waits(of addresses: [UInt64], _ rule: Rule) throws -> Waits? {
    try Savepoint.answer(on: production) { () throws(PostgresError) in try find(addresses, rule) }
  }

  private func find(_ addresses: [UInt64], _ rule: Rule) throws(PostgresError) -> Waits {
    let values = rule.values.enumerated().map { "\($1.expression) AS v\($0)" as SQL }
    let keys = table.keyColumns.enumerated().map { "\($1.name) AS k\($0)" as SQL }
    let predicate: SQL = rule.predicate.map { "(\($0))" } ?? "true"
    func sameKey(_ left: SQL, _ right: SQL) -> SQL {
      table.keyColumns.enumerated().map { "\(left).k\($0) \($1.equality) \(right).k\($0)" as SQL }.joined(" AND ")
    }
    let excludes = rule.values.enumerated().map { index, value -> SQL in
      let isExcluded: SQL = "q.v\(index) \(value.operation) a.v\(index)\(value.collation)"
      return rule.nullsAreEqual
        ? "(\(isExcluded) OR q.v\(index) IS NOT DISTINCT FROM NULL AND a.v\(index) IS NOT DISTINCT FROM NULL)"
        : isExcluded
    }
    // A rule's expressions name production's columns without a table: they stand where these are nearest.
    let rows = try production.query(
      """
      WITH waiting AS MATERIALIZED (
        SELECT w.merge_engine_place AS place, r.*
        FROM unnest(\(TupleAddress.list(addresses))) WITH ORDINALITY AS w (merge_engine_address, merge_engine_place)
        CROSS JOIN LATERAL (
          SELECT \((keys + values + ["\(predicate) AS is_ruled"]).joined(", "))
          FROM (SELECT \(table.stagedAsProduction) FROM \(table.staging) AS s WHERE s.ctid = w.merge_engine_address) AS staged
        ) AS r
      ), holding AS (
        SELECT \((keys + values).joined(", ")) FROM \(table.production) WHERE \(predicate)
      )
      SELECT a.place, b.place
      FROM waiting AS a
      JOIN holding AS q ON a.is_ruled AND \(excludes.joined(" AND ")) AND NOT (\(sameKey("q", "a")))
      LEFT JOIN waiting AS b ON \(sameKey("q", "b"))
      """,
      "checking which refused rows of \(table.staging) wait for each other"
    )
    var waits = Waits()
    for row in 0..<rows.count {
      let waiting = rows.integer(row, 0) ?? 0
      if let holder = rows.integer(row, 1) {
        waits.holders[waiting, default: []].insert(holder)
      } else {
        waits.blocked.insert(waiting)
      }
    }
    return waits
  }
}
