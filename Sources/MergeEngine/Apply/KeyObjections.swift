import Libpq

/// What the unique keys, exclusion constraints and foreign keys of production, or of one of its partitions, may object to a row.
struct KeyObjections {
  let plan: TablePlan
  let relation: Objections.Relation
  let production: Connection

  /// A unique value, or one that excludes others, that another row of production or an earlier one of the batch has.
  func unique() throws(PostgresError) -> [Objection] {
    let rows = try production.query(
      """
      SELECT x.relname::text, a.attname::text, m.nspname::text, o.oprname::text, c.oid IS NOT NULL,
             to_jsonb(i) ->> 'indnullsnotdistinct' = 'true', pg_get_expr(i.indpred, i.indrelid),
             CASE WHEN k.attnum = 0 THEN pg_get_indexdef(i.indexrelid, k.position::integer, false) END, i.indexrelid,
             k.position = i.indnkeyatts AND to_jsonb(c) ->> 'conperiod' = 'true',
             ln.nspname::text, l.collname::text, coalesce(a.attnotnull, false)
      FROM pg_index i
      JOIN pg_class x ON x.oid = i.indexrelid
      -- Of exclusion constraints, and of keys WITHOUT OVERLAPS.
      LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.conexclop IS NOT NULL
      CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indclass::oid[], i.indcollation::oid[])
        WITH ORDINALITY AS k (attnum, opclass, sorting, position)
      LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.attnum > 0
      JOIN pg_opclass f ON f.oid = k.opclass
      LEFT JOIN pg_amop s ON c.oid IS NULL AND s.amopfamily = f.opcfamily AND s.amopstrategy = 3
                         AND s.amoplefttype = f.opcintype AND s.amoprighttype = f.opcintype
      JOIN pg_operator o ON o.oid = coalesce(s.amopopr, c.conexclop[k.position])
      JOIN pg_namespace m ON m.oid = o.oprnamespace
      LEFT JOIN pg_collation l ON l.oid = k.sorting
      LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace
      WHERE i.indrelid = \(relation.oid) AND (i.indisunique OR c.oid IS NOT NULL) AND i.indisvalid
        AND i.indexrelid <> \(plan.keyIndexOid) AND k.position <= i.indnkeyatts
        AND (i.indrelid = \(plan.productionOid)
             OR NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = i.indexrelid))
      ORDER BY x.relname, k.position
      """,
      "reading the unique keys of \(relation.name)"
    )
    var keys: [Objection.UniqueKey] = []
    var empty: [Objection] = []
    for row in 0..<rows.count {
      let name = rows.text(row, 0) ?? ""
      if keys.last?.name != name {
        // A value is unique among the rows that the partition has.
        let conditions = [relation.bounds, rows.text(row, 6).map { SQL.uncheckedFromServer($0) }].compactMap(\.self)
        keys.append(
          Objection.UniqueKey(
            name: name,
            indexOid: UInt32(rows.integer(row, 8) ?? 0),
            table: relation.name,
            isExclusion: rows.bool(row, 4) ?? false,
            nullsCollide: rows.bool(row, 5) ?? false,
            predicate: conditions.isEmpty ? nil : conditions.map { "(\($0))" as SQL }.joined(" AND ")
          )
        )
      }
      let key = keys[keys.count - 1]
      let column = rows.text(row, 1).map { Identifier($0) } ?? Questions.value(key, key.parts.count)
      if rows.bool(row, 9) == true {
        empty.append(
          Objection(
            condition: "isempty(t.\(column))",
            columns: [column],
            words: "with an empty \(column), which \(name) does not allow"
          )
        )
      }
      let symbol = SQL.uncheckedFromServer(rows.text(row, 3) ?? "=")
      keys[keys.count - 1].parts.append(
        .init(
          column: column,
          expression: rows.text(row, 7).map { SQL.uncheckedFromServer($0) },
          collision: "OPERATOR(\(Identifier(rows.text(row, 2) ?? "")).\(symbol))",
          collation: rows.text(row, 11).map { QualifiedName(schema: rows.text(row, 10) ?? "", name: $0) },
          isNullable: rows.bool(row, 12) != true
        )
      )
    }
    for index in keys.indices where keys[index].predicate != nil || keys[index].isComputed {
      keys[index].otherColumns = try columns(of: keys[index].name)
    }
    return empty + keys.filter { !$0.isExclusion }.map(isTakenInBatch) + keys.map(isTaken)
  }

  /// All columns that an index reads, those of its predicate and its expressions among them.
  private func columns(of index: String) throws(PostgresError) -> [Identifier] {
    let rows = try production.query(
      """
      SELECT DISTINCT a.attname::text
      FROM pg_index i
      JOIN pg_class x ON x.oid = i.indexrelid
      JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = x.oid
                      AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid
      JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
      WHERE i.indrelid = \(relation.oid) AND x.relname = $1
      """,
      [.text(index)],
      "reading the columns of the index \(index)"
    )
    return (0..<rows.count).map { Identifier(rows.text($0, 0) ?? "") }
  }

  private func isTaken(_ key: Objection.UniqueKey) -> Objection {
    let sameKey = plan.keyColumns.map { "q.\($0.name) \($0.equality) t.\($0.name)" as SQL }.joined(" AND ")
    let isThere = key.collisions("q", key.parts.map { "t.\($0.column)" }).map { collides -> SQL in
      "EXISTS (SELECT FROM \(key.rivals) WHERE \(collides) AND NOT (\(sameKey)))"
    }
    return Objection(
      condition: "(\(isThere.joined(" OR ")))\(key.concerns("t"))",
      columns: key.stagedColumns + plan.keyColumns.map(\.name),
      words: "whose \(key.columnNames) another row of \(key.table) has (\(key.name))",
      remedy: .handover(key),
      computed: key.computed
    )
  }

  /// Of several rows of a batch with the same value the first one gets it.
  private func isTakenInBatch(_ key: Objection.UniqueKey) -> Objection {
    // Whoever has the value already keeps it, and the others are refused.
    let sameKey = plan.keyColumns.map { "q.\($0.name) \($0.equality) t.\($0.name)" as SQL }.joined(" AND ")
    let hasIt: SQL = "EXISTS (SELECT FROM \(key.rivals) WHERE \(key.collides("q", "t")) AND \(sameKey))"
    return Objection(
      condition: """
        t.\(Questions.first(key)) < t.\(Questions.row) AND \(key.isWanted("t")) AND NOT \(hasIt)
        """,
      columns: key.stagedColumns + plan.keyColumns.map(\.name),
      words: "whose \(key.columnNames) another row of \(plan.staging) has (\(key.name))",
      sharedKey: key,
      computed: key.computed
    )
  }

  /// A parent that is not there.
  func foreign() throws(PostgresError) -> [Objection] {
    let rows = try production.query(
      """
      SELECT f.conname::text, f.confrelid, n.nspname::text, r.relname::text,
             c.attname::text, p.attname::text, o.nspname::text, e.oprname::text, f.confmatchtype = 'f',
             ln.nspname::text, l.collname::text,
             -- FirstNormalObjectId (transam.h)
             e.oid < 16384 AND coalesce(l.collisdeterministic, true),
             coalesce(pg_partition_root(f.confrelid)::oid, f.confrelid)
      FROM pg_constraint f
      JOIN pg_class r ON r.oid = f.confrelid
      JOIN pg_namespace n ON n.oid = r.relnamespace
      CROSS JOIN LATERAL unnest(f.conkey, f.confkey, f.conpfeqop) WITH ORDINALITY AS k (child, parent, equality, position)
      JOIN pg_attribute c ON c.attrelid = f.conrelid AND c.attnum = k.child
      JOIN pg_attribute p ON p.attrelid = f.confrelid AND p.attnum = k.parent
      JOIN pg_operator e ON e.oid = k.equality
      JOIN pg_namespace o ON o.oid = e.oprnamespace
      LEFT JOIN pg_collation l ON l.oid = p.attcollation AND c.attcollation <> 0
      LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace
      WHERE f.conrelid = \(relation.oid) AND f.contype = 'f' AND f.conparentid = 0 AND \(Objections.isEnforced("f"))
        -- The server's own check sees parents that a policy hides from this role.
        AND has_table_privilege(f.confrelid, 'SELECT') AND NOT row_security_active(f.confrelid)
        -- The triggers that check it do not run then.
        AND current_setting('session_replication_role') <> 'replica'
        AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgconstraint = f.oid AND t.tgrelid = f.conrelid AND t.tgenabled NOT IN ('O', 'A'))
      ORDER BY f.conname, k.position
      """,
      "reading the foreign keys of \(relation.name)"
    )
    var keys: [Objection.ParentKey] = []
    var whole: Set<String> = []
    for row in 0..<rows.count {
      func text(_ column: Int) -> String { rows.text(row, column) ?? "" }
      if keys.last?.name != text(0) {
        keys.append(
          Objection.ParentKey(
            name: text(0),
            parent: QualifiedName(schema: text(2), name: text(3)),
            parentOid: UInt32(rows.integer(row, 1) ?? 0),
            parentRootOid: UInt32(rows.integer(row, 12) ?? 0)
          )
        )
      }
      if rows.bool(row, 8) == true { whole.insert(text(0)) }
      keys[keys.count - 1].pairs.append(
        .init(
          parent: Identifier(text(5)),
          child: Identifier(text(4)),
          equality: "OPERATOR(\(Identifier(text(6))).\(SQL.uncheckedFromServer(text(7))))",
          collation: rows.text(row, 10).map { QualifiedName(schema: text(9), name: $0) },
          isAlikeElsewhere: rows.bool(row, 11) == true
        )
      )
    }
    return keys.filter { whole.contains($0.name) && $0.pairs.count > 1 }.map(isPartial) + keys.map(isOrphan)
  }

  /// A foreign key that is MATCH FULL wants all of its columns or none.
  private func isPartial(_ key: Objection.ParentKey) -> Objection {
    let columns = key.pairs.map(\.child)
    let values = columns.map { "t.\($0)" as SQL }.joined(", ")
    return Objection(
      condition: "num_nulls(\(values)) > 0 AND num_nulls(\(values)) < \(columns.count)",
      columns: columns,
      words:
        "with values in only some of \(columns.map(\.name).joined(separator: ", ")) (foreign key \(key.name), MATCH FULL)"
    )
  }

  private func isOrphan(_ key: Objection.ParentKey) -> Objection {
    let columns = key.pairs.map(\.child)
    // Not IS NOT NULL, which a composite value with a NULL in it isn't.
    let isComplete = columns.map { "t.\($0) IS DISTINCT FROM NULL" as SQL }.joined(" AND ")
    let match = key.pairs.map { "q.\($0.parent) \($0.equality) \($0.collated("t.\($0.child)"))" as SQL }.joined(" AND ")
    let unchanged = unchanged(columns)
    return Objection(
      condition: "\(isComplete) AND NOT EXISTS (SELECT FROM \(key.parent) AS q WHERE \(match))\(unchanged.condition)",
      columns: columns + unchanged.columns.filter { !columns.contains($0) },
      words: "whose \(columns.map(\.name).joined(separator: ", ")) neither \(key.parent) nor its staging table has "
        + "(foreign key \(key.name))",
      remedy: .parent(key)
    )
  }
}

extension KeyObjections {
  /// The server looks for an updated row's parent only if the reference changes, byte by byte (`RI_FKey_fk_upd_check_required`):
  /// beside a NOT VALID foreign key, or after a load past the triggers, a row may have none.
  ///
  /// - Returns: that production's row has other references than `t`, or there is none; begins with AND, or is empty where the
  ///   key can't be asked about.
  fileprivate func unchanged(_ references: [Identifier]) -> (condition: SQL, columns: [Identifier]) {
    let columns = references.compactMap { name in plan.columns.first { $0.name == name } }
    guard columns.count == references.count, plan.keyColumns.allSatisfy(ColumnArrays.canHold) else { return ("", []) }
    func row(_ alias: SQL) -> SQL {
      "ROW(\(columns.map { "\(alias).\($0.name)::\($0.baseType.plainName)" as SQL }.joined(", ")))"
    }
    let isSame: [SQL] = ["pg_catalog.record_image_eq(\(row("o")), \(row("t")))"]
    let hasKey = plan.keyColumns.map { column -> SQL in
      let value: SQL = column.travel == .text ? "t.\(column.name)::\(column.baseType.uncutName)" : "t.\(column.name)"
      return "o.\(column.name) \(column.equality) \(value)"
    }
    return (
      " AND NOT EXISTS (SELECT FROM \(plan.production) AS o WHERE \((hasKey + isSame).joined(" AND ")))",
      plan.keyColumns.map(\.name)
    )
  }
}

extension Objection.ParentKey.Pair {
  /// A child's value as the server compares it.
  func collated(_ value: SQL) -> SQL { collation.map { "(\(value)) COLLATE \($0)" } ?? value }
}

extension Objection.UniqueKey.Part {
  /// A value as the index compares it.
  func collated(_ value: SQL) -> SQL { collation.map { "(\(value)) COLLATE \($0)" } ?? value }
}

extension Objection.UniqueKey {
  /// Whether two values of a part are the same, as far as the key is concerned.
  func isSame(_ part: Part, _ left: SQL, _ right: SQL) -> SQL {
    let isEqual = areEqual(part, left, right)
    return nullsCollide && part.isNullable ? "(\(isEqual) OR \(areMissing(left, right)))" : isEqual
  }

  private func areEqual(_ part: Part, _ left: SQL, _ right: SQL) -> SQL {
    "\(left) \(part.collision) \(part.collated(right))"
  }

  private func areMissing(_ left: SQL, _ right: SQL) -> SQL {
    "\(left) IS NOT DISTINCT FROM NULL AND \(right) IS NOT DISTINCT FROM NULL"
  }

  /// Whether two rows collide.
  func collides(_ left: SQL, _ right: SQL) -> SQL {
    parts.map { isSame($0, "\(left).\($0.column)", "\(right).\($0.column)") }.joined(" AND ")
  }

  /// Questions to an index that are asked for one row, where NULLs collide. Arbitrary: as many as three columns make.
  private static let collisionLimit = 8

  /// The ways in which a row collides with values, one for each part, apart from each other so that each goes by the index: where
  /// NULLs collide, by which parts both are without a value.
  func collisions(_ row: SQL, _ values: [SQL]) -> [SQL] {
    var ways: [[SQL]] = [[]]
    for (part, value) in zip(parts, values) {
      let column: SQL = "\(row).\(part.column)"
      if nullsCollide, part.isNullable, ways.count < Self.collisionLimit {
        let conditions = [areEqual(part, column, value), areMissing(column, value)]
        ways = conditions.flatMap { condition in ways.map { $0 + [condition] } }
      } else {
        ways = ways.map { $0 + [isSame(part, column, value)] }
      }
    }
    return ways.map { $0.joined(" AND ") }
  }

  /// Whether the row wants a value that no other may have.
  func isWanted(_ row: SQL) -> SQL {
    let isComplete: SQL =
      nullsCollide ? "true" : parts.map { "\(row).\($0.column) IS DISTINCT FROM NULL" as SQL }.joined(" AND ")
    return isComplete + concerns(row)
  }

  /// Whether the index has the row; begins with AND, or is empty.
  func concerns(_ row: SQL) -> SQL {
    predicate.map { " AND (SELECT \($0) FROM (SELECT \(row).*) AS u)" } ?? ""
  }

  /// The rows of the table, as `q`, that the index has. As a subquery of its own, so that the predicate's and the expressions'
  /// columns are the table's, and the index is still found.
  var rivals: SQL { rivals(with: "*") }

  /// The same with their places.
  var placedRivals: SQL { rivals(with: "tableoid, ctid, *") }

  private func rivals(with columns: SQL) -> SQL {
    guard predicate != nil || isComputed else { return "\(table) AS q" }
    let values = computed.map { ", \($0.expression) AS \($0.name)" as SQL }.joined("")
    return "(SELECT \(columns)\(values) FROM \(table)\(predicate.map { " WHERE \($0)" as SQL } ?? "")) AS q"
  }

  /// Whether it is over an expression.
  var isComputed: Bool { parts.contains { $0.expression != nil } }

  /// Its expressions, by the names that they are called here.
  var computed: [Objection.Computed] {
    parts.compactMap { part in part.expression.map { Objection.Computed(name: part.column, expression: $0) } }
  }

  /// What it reads of a row.
  var stagedColumns: [Identifier] { parts.filter { $0.expression == nil }.map(\.column) + otherColumns }

  var columnNames: String { parts.map { $0.expression?.text ?? $0.column.name }.joined(separator: ", ") }
}
