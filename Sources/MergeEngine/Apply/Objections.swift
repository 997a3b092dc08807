import Libpq

/// Reads from the catalog what production may object to a row.
///
/// Only of columns that staging has: what the others hold is not known before the write. What can't be told from the row
/// and its neighbours (unique expressions, triggers) is left to the server.
struct Objections {
  private let plan: TablePlan
  private let production: Connection

  init(_ plan: TablePlan, _ production: Connection) {
    self.plan = plan
    self.production = production
  }

  /// Those that nothing can take back stand first.
  func all() throws(PostgresError) -> [Objection] {
    let sendable = Set(plan.columns.filter(ColumnArrays.canHold).map(\.name))
    let insertOnly = Set(plan.columns.filter(\.isInsertOnly).map(\.name))
    return try (missing() + columns() + domains() + checks() + partitions() + uniqueKeys() + foreignKeys())
      .filter { sendable.isSuperset(of: $0.columns) }
      .map { objection in
        var objection = objection
        if !insertOnly.isDisjoint(with: objection.columns) { objection.isOfInsertsOnly = true }
        return objection
      }
  }

  private var names: Parameter { .textArray(plan.columns.map(\.name.name)) }

  /// Columns that staging lacks, and that production has nothing to fill with. A trigger may.
  private func missing() throws(PostgresError) -> [Objection] {
    let rows = try production.query(
      """
      SELECT a.attname::text FROM pg_attribute a
      WHERE a.attrelid = \(plan.productionOid) AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> ALL ($1::text[])
        AND a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''
        AND NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = a.attrelid AND (g.tgtype::integer & 7) = 7)
      ORDER BY a.attnum
      """,
      [names],
      "reading the columns of \(plan.production)"
    )
    return (0..<rows.count).map { row in
      let name = Identifier(rows.text(row, 0) ?? "")
      return Objection(
        condition: "true",
        columns: [],
        words: "without \(name), which staging does not have and which is NOT NULL in \(plan.production)",
        isOfInsertsOnly: true
      )
    }
  }

  /// NOT NULL, and what is too long or too large.
  private func columns() throws(PostgresError) -> [Objection] {
    let rows = try production.query(
      "SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = \(plan.productionOid) AND a.attnum > 0 AND a.attnotnull",
      "reading the columns of \(plan.production)"
    )
    let notNull = Set((0..<rows.count).compactMap { rows.text($0, 0).map { Identifier($0) } })
    let isMissing = plan.columns.filter { notNull.contains($0.name) }.map { column in
      Objection(
        condition: "t.\(column.name) IS NULL",
        columns: [column.name],
        words: "without \(column.name), which is NOT NULL in \(plan.production),"
      )
    }
    return isMissing + plan.columns.compactMap(Self.isTooLong)
  }

  private static func isTooLong(_ column: TablePlan.Column) -> Objection? {
    if let limit = column.baseType.characterLimit {
      return Objection(
        // Spaces behind the limit may be cut, everything else is refused.
        condition: "char_length(rtrim(t.\(column.name)::text)) > \(limit)",
        columns: [column.name],
        words: "with a \(column.name) longer than \(limit) characters"
      )
    }
    if [TypeOID.bit, TypeOID.varbit].contains(column.baseType.oid), column.baseType.modifier > 0 {
      let length = column.baseType.modifier
      let isFixed = column.baseType.oid == TypeOID.bit
      return Objection(
        condition: "length(t.\(column.name)) \(isFixed ? "<>" : ">" as SQL) \(length)",
        columns: [column.name],
        words:
          "with a \(column.name) \(isFixed ? "of another length than" : "longer than") \(Numbers.counted(length, "bit"))"
      )
    }
    guard let (digits, scale) = column.baseType.numericDigits else { return nil }
    return Objection(
      // NaN is larger than every number, and no number(p,s) refuses it.
      condition: """
        t.\(column.name) <> 'NaN'::numeric
          AND abs(round(t.\(column.name), \(scale))) >= power(10::numeric, (\(digits - scale))::numeric)
        """,
      columns: [column.name],
      words: "with a \(column.name) of more digits than \(column.baseType.fullName.text) holds"
    )
  }

  /// What a column's domain says, its base domains included: NOT NULL, and its checks.
  private func domains() throws(PostgresError) -> [Objection] {
    let rows = try production.query(
      """
      WITH RECURSIVE underneath AS (
        SELECT a.attname, a.attnum, a.atttypid AS type FROM pg_attribute a
        WHERE a.attrelid = \(plan.productionOid) AND a.attnum > 0 AND NOT a.attisdropped AND a.attname = ANY ($1::text[])
        UNION ALL
        SELECT u.attname, u.attnum, d.typbasetype
        FROM underneath u JOIN pg_type d ON d.oid = u.type AND d.typtype = 'd'
      )
      SELECT u.attname::text, c.conname::text, pg_get_expr(c.conbin, 0), format_type(u.type, NULL), u.attnum
      FROM underneath u JOIN pg_constraint c ON c.contypid = u.type
      WHERE c.contype = 'c'
      UNION ALL
      SELECT u.attname::text, NULL, NULL, format_type(u.type, NULL), u.attnum
      FROM underneath u JOIN pg_type d ON d.oid = u.type AND d.typtype = 'd' AND d.typnotnull
      ORDER BY 5, 2 NULLS FIRST
      """,
      [names],
      "reading the domains of \(plan.production)"
    )
    return (0..<rows.count).map { row in
      let column = Identifier(rows.text(row, 0) ?? "")
      guard let check = rows.text(row, 1) else {
        return Objection(
          condition: "t.\(column) IS NULL",
          columns: [column],
          words: "without \(column), whose type \(rows.text(row, 3) ?? "") is NOT NULL,"
        )
      }
      return Objection(
        // The expression calls the value VALUE.
        condition: """
          NOT (SELECT \(SQL.uncheckedFromServer(rows.text(row, 2) ?? "true")) FROM (SELECT t.\(column)) AS u (value))
          """,
        columns: [column],
        words:
          "with a \(column) that breaks the check \(check) of its type \(rows.text(row, 3) ?? "")"
      )
    }
  }

  private func checks() throws(PostgresError) -> [Objection] {
    let rows = try production.query(
      """
      SELECT c.conname::text, pg_get_expr(c.conbin, c.conrelid), a.attname::text
      FROM pg_constraint c
      LEFT JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
      WHERE c.conrelid = \(plan.productionOid) AND c.contype = 'c' AND \(Self.isEnforced("c"))
        -- 0 is the whole row
        AND (0::smallint = ANY (c.conkey)) IS NOT TRUE
      ORDER BY c.conname
      """,
      "reading the checks of \(plan.production)"
    )
    var checks: [(name: String, expression: SQL, columns: [Identifier])] = []
    for row in 0..<rows.count {
      let name = rows.text(row, 0) ?? ""
      if checks.last?.name != name { checks.append((name, .uncheckedFromServer(rows.text(row, 1) ?? "true"), [])) }
      if let column = rows.text(row, 2) { checks[checks.count - 1].columns.append(Identifier(column)) }
    }
    return checks.map { check in
      Objection(
        // The expression names production's columns without a table, so it stands where only `t` is in sight.
        condition: "NOT (SELECT \(check.expression) FROM (SELECT t.*) AS u)",
        columns: check.columns,
        words: "breaking the check \(check.name) of \(plan.production)"
      )
    }
  }

  /// PostgreSQL 18 knows constraints that are only declared.
  private static func isEnforced(_ constraint: SQL) -> SQL {
    "coalesce(to_jsonb(\(constraint)) ->> 'conenforced', 'true') = 'true'"
  }

  /// No partition takes the row.
  private func partitions() throws(PostgresError) -> [Objection] {
    let leaves = try production.query(
      """
      SELECT pg_get_partition_constraintdef(t.relid)
      FROM pg_class c, pg_partition_tree(c.oid) AS t
      WHERE c.oid = \(plan.productionOid) AND c.relkind = 'p' AND t.isleaf AND t.relid <> c.oid
      ORDER BY t.relid::oid
      """,
      "reading the partitions of \(plan.production)"
    )
    let isPartitioned = try production.query(
      """
      WITH RECURSIVE tree AS (
        SELECT \(plan.productionOid)::oid AS oid
        UNION ALL
        SELECT i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid
      )
      SELECT DISTINCT a.attname::text
      FROM tree JOIN pg_partitioned_table k ON k.partrelid = tree.oid
      CROSS JOIN LATERAL unnest(k.partattrs::int2[]) AS n (attnum)
      JOIN pg_attribute a ON a.attrelid = tree.oid AND a.attnum = n.attnum
      """,
      "reading what \(plan.production) is partitioned by"
    )
    // Without a constraint a leaf is the lone default partition, and takes everything.
    let constraints = (0..<leaves.count).compactMap { leaves.text($0, 0) }.map { SQL.uncheckedFromServer($0) }
    guard !constraints.isEmpty, constraints.count == leaves.count else { return [] }
    return [
      Objection(
        condition: "(SELECT \(constraints.map { "(\($0))" as SQL }.joined(" OR ")) FROM (SELECT t.*) AS u) IS NOT TRUE",
        columns: (0..<isPartitioned.count).map { Identifier(isPartitioned.text($0, 0) ?? "") },
        words: "that no partition of \(plan.production) takes"
      )
    ]
  }

  /// A unique value, or one that excludes others, that another row of production or an earlier one of the batch has.
  private func uniqueKeys() throws(PostgresError) -> [Objection] {
    let rows = try production.query(
      """
      SELECT x.relname::text, a.attname::text, m.nspname::text, o.oprname::text, c.contype = 'x',
             i.indnkeyatts = 1 AND to_jsonb(i) ->> 'indnullsnotdistinct' = 'true', pg_get_expr(i.indpred, i.indrelid)
      FROM pg_index i
      JOIN pg_class x ON x.oid = i.indexrelid
      LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype = 'x'
      CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indclass::oid[]) WITH ORDINALITY AS k (attnum, opclass, position)
      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
      JOIN pg_opclass f ON f.oid = k.opclass
      LEFT JOIN pg_amop s ON c.oid IS NULL AND s.amopfamily = f.opcfamily AND s.amopstrategy = 3
                         AND s.amoplefttype = f.opcintype AND s.amoprighttype = f.opcintype
      JOIN pg_operator o ON o.oid = coalesce(s.amopopr, c.conexclop[k.position])
      JOIN pg_namespace m ON m.oid = o.oprnamespace
      WHERE i.indrelid = \(plan.productionOid) AND (i.indisunique OR c.oid IS NOT NULL)
        AND i.indexrelid <> \(plan.keyIndexOid)
        AND (i.indpred IS NULL OR c.oid IS NULL) AND i.indexprs IS NULL AND k.position <= i.indnkeyatts
      ORDER BY x.relname, k.position
      """,
      "reading the unique keys of \(plan.production)"
    )
    var keys: [Objection.UniqueKey] = []
    for row in 0..<rows.count {
      let name = rows.text(row, 0) ?? ""
      if keys.last?.name != name {
        keys.append(
          Objection.UniqueKey(
            name: name,
            isExclusion: rows.bool(row, 4) ?? false,
            nullsCollide: rows.bool(row, 5) ?? false,
            predicate: rows.text(row, 6).map { SQL.uncheckedFromServer($0) }
          )
        )
      }
      let symbol = SQL.uncheckedFromServer(rows.text(row, 3) ?? "=")
      keys[keys.count - 1].parts.append(
        .init(
          column: Identifier(rows.text(row, 1) ?? ""),
          collision: "OPERATOR(\(Identifier(rows.text(row, 2) ?? "")).\(symbol))"
        )
      )
    }
    for index in keys.indices where keys[index].predicate != nil {
      keys[index].predicateColumns = try columns(of: keys[index].name)
    }
    return keys.filter { !$0.isExclusion }.map(isTakenInBatch) + keys.map(isTaken)
  }

  /// All columns that an index of production reads, those of its predicate among them.
  private func columns(of index: String) throws(PostgresError) -> [Identifier] {
    let rows = try production.query(
      """
      SELECT DISTINCT a.attname::text
      FROM pg_index i
      JOIN pg_class x ON x.oid = i.indexrelid
      JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = x.oid
                      AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid
      JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
      WHERE i.indrelid = \(plan.productionOid) AND x.relname = $1
      """,
      [.text(index)],
      "reading the columns of the index \(index)"
    )
    return (0..<rows.count).map { Identifier(rows.text($0, 0) ?? "") }
  }

  private func isTaken(_ key: Objection.UniqueKey) -> Objection {
    let sameKey = plan.keyColumns.map { "q.\($0.name) \($0.equality) t.\($0.name)" as SQL }.joined(" AND ")
    // As a subquery of its own, so that the predicate's columns are production's, and its index is still found.
    let rivals: SQL =
      key.predicate.map { "(SELECT * FROM \(plan.production) WHERE \($0)) AS q" } ?? "\(plan.production) AS q"
    func isThere(_ collides: SQL) -> SQL { "EXISTS (SELECT FROM \(rivals) WHERE \(collides) AND NOT (\(sameKey)))" }
    var condition = isThere(key.collides("q", "t"))
    if key.nullsCollide, let column = key.parts.first?.column {
      // Apart from the others, so that either question goes by the index.
      condition = "(\(condition) OR t.\(column) IS NULL AND \(isThere("q.\(column) IS NULL")))"
    }
    return Objection(
      condition: "\(condition)\(key.concerns("t"))",
      columns: key.parts.map(\.column) + key.predicateColumns + plan.keyColumns.map(\.name),
      words: "with a \(key.columnNames) that another row of \(plan.production) has (\(key.name))",
      remedy: .handover(key)
    )
  }

  /// Of several rows of a batch with the same value the first one gets it.
  private func isTakenInBatch(_ key: Objection.UniqueKey) -> Objection {
    let isComplete: SQL =
      key.nullsCollide ? "true" : key.parts.map { "t.\($0.column) IS NOT NULL" as SQL }.joined(" AND ")
    return Objection(
      condition: "\(isComplete) AND t.\(Questions.first(key)) < t.\(Questions.row)\(key.concerns("t"))",
      columns: key.parts.map(\.column) + key.predicateColumns,
      words: "with a \(key.columnNames) that another row of \(plan.staging) has (\(key.name))",
      sharedKey: key
    )
  }

  /// A parent that is not there.
  private func foreignKeys() throws(PostgresError) -> [Objection] {
    let rows = try production.query(
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
      WHERE f.conrelid = \(plan.productionOid) AND f.contype = 'f' AND f.conparentid = 0 AND \(Self.isEnforced("f"))
        -- The server's own check sees parents that a policy hides from this role.
        AND has_table_privilege(f.confrelid, 'SELECT') AND NOT row_security_active(f.confrelid)
      ORDER BY f.conname, k.position
      """,
      "reading the foreign keys of \(plan.production)"
    )
    var keys: [Objection.ParentKey] = []
    for row in 0..<rows.count {
      func text(_ column: Int) -> String { rows.text(row, column) ?? "" }
      if keys.last?.name != text(0) {
        keys.append(
          Objection.ParentKey(
            name: text(0),
            parent: QualifiedName(schema: text(2), name: text(3)),
            parentOid: UInt32(rows.integer(row, 1) ?? 0)
          )
        )
      }
      keys[keys.count - 1].pairs.append(
        .init(
          parent: Identifier(text(5)),
          child: Identifier(text(4)),
          equality: "OPERATOR(\(Identifier(text(6))).\(SQL.uncheckedFromServer(text(7))))"
        )
      )
    }
    return keys.map(isOrphan)
  }

  private func isOrphan(_ key: Objection.ParentKey) -> Objection {
    let columns = key.pairs.map(\.child)
    let isComplete = columns.map { "t.\($0) IS NOT NULL" as SQL }.joined(" AND ")
    let match = key.pairs.map { "q.\($0.parent) \($0.equality) t.\($0.child)" as SQL }.joined(" AND ")
    return Objection(
      condition: "\(isComplete) AND NOT EXISTS (SELECT FROM \(key.parent) AS q WHERE \(match))",
      columns: columns,
      words: "whose \(columns.map(\.name).joined(separator: ", ")) neither \(key.parent) nor its staging table has "
        + "(foreign key \(key.name))",
      remedy: .parent(key)
    )
  }
}

extension Objection.UniqueKey {
  /// Whether two rows collide.
  func collides(_ left: SQL, _ right: SQL) -> SQL {
    parts.map { "\(left).\($0.column) \($0.collision) \(right).\($0.column)" as SQL }.joined(" AND ")
  }

  /// Whether the index has the row; begins with AND, or is empty.
  func concerns(_ row: SQL) -> SQL {
    predicate.map { " AND (SELECT \($0) FROM (SELECT \(row).*) AS u)" } ?? ""
  }

  var columnNames: String { parts.map(\.column.name).joined(separator: ", ") }
}
