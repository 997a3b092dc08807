import Libpq

/// Which refused rows wait for a unique value, or for room in an exclusion constraint, and who has it.
///
/// Seen are constraints and unique indexes over plain columns that are checked row by row.
struct ValueHolders {
  let table: TablePlan
  let production: Connection

  /// A constraint, or a unique index without one.
  struct Rule {
    let name: Identifier
    /// As `UNIQUE (email)`; nil for an index without a constraint.
    let definition: SQL?
    /// With the operator by which two values exclude each other.
    let columns: [(column: TablePlan.Column, operation: SQL)]
  }

  /// The rules that waiting rows may stand under.
  func rules() throws(PostgresError) -> [Rule] {
    let rows = try production.query(
      """
      SELECT x.relname::text, pg_get_constraintdef(c.oid), array_to_json(array_agg(a.attname ORDER BY k.position))::text,
             array_to_json(array_agg(format('OPERATOR(%I.%s)', m.nspname, o.oprname) ORDER BY k.position))::text
      FROM pg_index i
      JOIN pg_class x ON x.oid = i.indexrelid
      LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.conrelid = i.indrelid AND c.contype IN ('p', 'u', 'x')
      CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indclass::oid[]) WITH ORDINALITY AS k (attnum, opclass, position)
      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
      JOIN pg_opclass f ON f.oid = k.opclass
      LEFT JOIN pg_amop s ON s.amopfamily = f.opcfamily AND s.amopstrategy = 3
                         AND s.amoplefttype = f.opcintype AND s.amoprighttype = f.opcintype
      JOIN pg_operator o ON o.oid = coalesce(c.conexclop[k.position], s.amopopr)
      JOIN pg_namespace m ON m.oid = o.oprnamespace
      WHERE i.indrelid = \(table.productionOid) AND (i.indisunique OR i.indisexclusion)
        AND i.indexrelid <> \(table.keyIndexOid) AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL AND k.position <= i.indnkeyatts
      GROUP BY x.relname, c.oid
      ORDER BY x.relname
      """,
      "reading the unique constraints of \(table.production)"
    )
    return (0..<rows.count).compactMap { row in
      let names = JSONText.decode([String].self, rows.text(row, 2)) ?? []
      let operations = JSONText.decode([String].self, rows.text(row, 3)) ?? []
      let columns = zip(names, operations).compactMap { name, operation in
        table.columns.first { $0.name.name == name }.map { (column: $0, operation: SQL.uncheckedFromServer(operation)) }
      }
      guard columns.count == names.count else { return nil }
      return Rule(
        name: Identifier(rows.text(row, 0) ?? ""),
        definition: rows.text(row, 1).map { .uncheckedFromServer($0) },
        columns: columns
      )
    }
  }

  /// Who keeps the rows at these addresses from their values by one rule; rows by their places in the list, from 1.
  ///
  /// - Precondition: staging is in the same database.
  func waits(of addresses: [UInt64], _ rule: Rule) throws(PostgresError) -> Waits {
    func value(_ column: TablePlan.Column) -> SQL {
      column.travel == .text ? "(\(column.readExpression))::\(column.baseType.plainName)" : column.readExpression
    }
    let keys = table.keyColumns.enumerated().map { "\(value($1)) AS k\($0)" as SQL }
    let values = rule.columns.enumerated().map { "\(value($1.column)) AS v\($0)" as SQL }
    func sameKey(_ alias: SQL) -> SQL {
      table.keyColumns.enumerated().map { "q.\($1.name) \($1.equality) \(alias).k\($0)" as SQL }.joined(" AND ")
    }
    let excludes = rule.columns.enumerated().map { "q.\($1.column.name) \($1.operation) a.v\($0)" as SQL }.joined(
      " AND "
    )
    let rows = try production.query(
      """
      WITH waiting AS MATERIALIZED (
        SELECT w.place, \((keys + values).joined(", "))
        FROM unnest(\(TupleAddress.list(addresses))) WITH ORDINALITY AS w (address, place)
        JOIN \(table.staging) AS s ON s.ctid = w.address
      )
      SELECT a.place, b.place
      FROM waiting AS a
      JOIN \(table.production) AS q ON \(excludes) AND NOT (\(sameKey("a")))
      LEFT JOIN waiting AS b ON \(sameKey("b"))
      """,
      "looking which refused rows of \(table.staging) wait for each other"
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
