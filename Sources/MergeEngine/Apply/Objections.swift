import Libpq

/// Reads from the catalog what production may object to a row.
///
/// Only of columns that staging has: what the others hold is not known before the write. What can't be told from the row
/// and its neighbours is left to the server, and ``NotForeseen`` says so.
struct Objections {
  private let plan: TablePlan
  private let production: Connection

  /// A table whose rules a row has to keep: production, or one of its partitions that has rules of its own.
  struct Relation {
    let oid: UInt32
    let name: QualifiedName
    /// Which rows go there, as a condition that names columns without a table; nil for all.
    var bounds: SQL?
  }

  init(_ plan: TablePlan, _ production: Connection) {
    self.plan = plan
    self.production = production
  }

  /// Those that nothing can take back stand first.
  func all() throws(PostgresError) -> [Objection] {
    let known = Set(plan.columns.map(\.name))
    return try found().filter { known.isSuperset(of: $0.columns) }
  }

  /// The same, and those about columns that staging does not have, which can't be asked about.
  func found() throws(PostgresError) -> [Objection] {
    let insertOnly = Set(plan.columns.filter(\.isInsertOnly).map(\.name))
    let root = Relation(oid: plan.productionOid, name: plan.production)
    let partitions = try partitions()
    var own: [Objection] = []
    for partition in partitions.own {
      own += try rules(of: partition, besides: root).map {
        $0.limited(to: partition.bounds, columns: partitions.columns)
      }
    }
    return try
      (unreadable() + missing() + tooLong() + domains() + rules(of: root, besides: nil) + bounds()
      + partitions.objections + own)
      .map { objection in
        var objection = objection
        if !insertOnly.isDisjoint(with: objection.columns) { objection.isOfInsertsOnly = true }
        return objection
      }
  }

  /// - Parameter besides: the table whose rules `relation` has as well.
  private func rules(of relation: Relation, besides other: Relation?) throws(PostgresError) -> [Objection] {
    let keys = KeyObjections(plan: plan, relation: relation, production: production)
    return try notNull(relation, besides: other) + checks(relation) + keys.unique() + keys.foreign()
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

  private func notNull(_ relation: Relation, besides other: Relation?) throws(PostgresError) -> [Objection] {
    let rows = try production.query(
      """
      SELECT a.attname::text FROM pg_attribute a
      WHERE a.attrelid = \(relation.oid) AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull
        AND NOT EXISTS (SELECT FROM pg_attribute o WHERE o.attrelid = \(other?.oid ?? 0) AND o.attname = a.attname AND o.attnotnull)
      """,
      "reading the columns of \(relation.name)"
    )
    let notNull = Set((0..<rows.count).compactMap { rows.text($0, 0).map { Identifier($0) } })
    return plan.columns.filter { notNull.contains($0.name) }.map { column in
      Objection(
        // Not IS NULL, which a composite value is whose fields are.
        condition: "t.\(column.name) IS NOT DISTINCT FROM NULL",
        columns: [column.name],
        words: "without \(column.name), which is NOT NULL in \(relation.name),"
      )
    }
  }

  /// Values that travel as text are read by production's types, which may not know them: the server is made to try.
  private func unreadable() -> [Objection] {
    plan.columns.filter { $0.travel == .text }.map { column in
      Objection(
        // Never true, and never known before the value is.
        condition: "num_nulls(t.\(column.name)) > 1",
        columns: [column.name],
        words: "with a \(column.name) that is no \(column.baseType.fullName.text)"
      )
    }
  }

  /// What is too long or too large.
  private func tooLong() -> [Objection] { plan.columns.compactMap(Self.isTooLong) }

  private static func isTooLong(_ column: TablePlan.Column) -> Objection? {
    if let limit = column.baseType.characterLimit {
      return Objection(
        // Spaces behind the limit may be cut, everything else is refused.
        condition: "char_length(rtrim(t.\(column.name)::text)) > \(limit)",
        columns: [column.name],
        words: "with a \(column.name) longer than \(limit) characters"
      )
    }
    if let limit = column.baseType.elementCharacterLimit {
      return Objection(
        condition:
          "EXISTS (SELECT FROM unnest(t.\(column.name)) AS e (value) WHERE char_length(rtrim(e.value::text)) > \(limit))",
        columns: [column.name],
        words: "with an element of \(column.name) longer than \(limit) characters"
      )
    }
    let length = column.baseType.modifier
    if [TypeOID.bit, TypeOID.varbit, TypeOID.bitArray, TypeOID.varbitArray].contains(column.baseType.oid), length > 0 {
      let isFixed = [TypeOID.bit, TypeOID.bitArray].contains(column.baseType.oid)
      let isArray = [TypeOID.bitArray, TypeOID.varbitArray].contains(column.baseType.oid)
      let isWrong = "\(isFixed ? "<>" : ">" as SQL) \(length)" as SQL
      return Objection(
        condition: isArray
          ? "EXISTS (SELECT FROM unnest(t.\(column.name)) AS e (value) WHERE length(e.value) \(isWrong))"
          : "length(t.\(column.name)) \(isWrong)",
        columns: [column.name],
        words: "with \(isArray ? "an element of" : "a") \(column.name) "
          + "\(isFixed ? "of another length than" : "longer than") \(Numbers.counted(length, "bit"))"
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
      SELECT u.attname::text, c.conname::text, pg_get_expr(c.conbin, 0), format_type(u.type, NULL), u.attnum,
             n.nspname::text, l.collname::text
      FROM underneath u JOIN pg_constraint c ON c.contypid = u.type
      JOIN pg_type d ON d.oid = u.type
      JOIN pg_type b ON b.oid = d.typbasetype
      LEFT JOIN pg_collation l ON l.oid = b.typcollation
      LEFT JOIN pg_namespace n ON n.oid = l.collnamespace
      WHERE c.contype = 'c'
      UNION ALL
      SELECT u.attname::text, NULL, NULL, format_type(u.type, NULL), u.attnum, NULL, NULL
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
          condition: "t.\(column) IS NOT DISTINCT FROM NULL",
          columns: [column],
          words: "without \(column), whose type \(rows.text(row, 3) ?? "") is NOT NULL,"
        )
      }
      // Not by the column's collation, nor by the domain's own.
      let collation = rows.text(row, 6).map { QualifiedName(schema: rows.text(row, 5) ?? "", name: $0) }
      let value: SQL = collation.map { "t.\(column) COLLATE \($0)" } ?? "t.\(column)"
      return Objection(
        // The expression calls the value VALUE.
        condition: """
          NOT (SELECT \(SQL.uncheckedFromServer(rows.text(row, 2) ?? "true")) FROM (SELECT \(value)) AS u (value))
          """,
        columns: [column],
        words:
          "with a \(column) that breaks the check \(check) of its type \(rows.text(row, 3) ?? "")"
      )
    }
  }

  private func checks(_ relation: Relation) throws(PostgresError) -> [Objection] {
    let rows = try production.query(
      """
      SELECT c.conname::text, pg_get_expr(c.conbin, c.conrelid), a.attname::text
      FROM pg_constraint c
      LEFT JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
      WHERE c.conrelid = \(relation.oid) AND c.contype = 'c' AND \(Self.isEnforced("c"))
        -- A partition's inherited checks are the root's.
        AND (c.coninhcount = 0 OR c.conrelid = \(plan.productionOid))
        -- 0 is the whole row
        AND (0::smallint = ANY (c.conkey)) IS NOT TRUE
      ORDER BY c.conname
      """,
      "reading the checks of \(relation.name)"
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
        words: "breaking the check \(check.name) of \(relation.name)"
      )
    }
  }

  /// PostgreSQL 18 knows constraints that are only declared.
  static func isEnforced(_ constraint: SQL) -> SQL {
    "coalesce(to_jsonb(\(constraint)) ->> 'conenforced', 'true') = 'true'"
  }

  /// Where production is itself a partition of another table: the rows that it may hold.
  private func bounds() throws(PostgresError) -> [Objection] {
    let rows = try production.query(
      """
      SELECT \(Self.bounds(of: "c.oid")), a.attname::text
      FROM pg_class c
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      WHERE c.oid = \(plan.productionOid) AND c.relispartition
        AND a.attname IN (SELECT k.attname FROM pg_partition_ancestors(c.oid) AS p (relid)
                          JOIN pg_partitioned_table t ON t.partrelid = p.relid::oid
                          CROSS JOIN LATERAL unnest(t.partattrs::int2[]) AS n (attnum)
                          JOIN pg_attribute k ON k.attrelid = p.relid::oid AND k.attnum = n.attnum)
      """,
      "reading the bounds of \(plan.production)"
    )
    guard rows.count > 0, let bounds = rows.text(0, 0).map({ SQL.uncheckedFromServer($0) }) else { return [] }
    return [
      Objection(
        condition: "(SELECT \(bounds) FROM (SELECT t.*) AS u) IS NOT TRUE",
        columns: (0..<rows.count).map { Identifier(rows.text($0, 1) ?? "") },
        words: "outside of the bounds of the partition \(plan.production)"
      )
    ]
  }

  /// Which rows a partition takes, as a condition. The values of a row have the base types of their columns; what hashes them insists
  /// on a column's own type, where that is a domain.
  private static func bounds(of partition: SQL) -> SQL {
    """
    (SELECT CASE WHEN count(*) = 0 THEN pg_get_partition_constraintdef(\(partition))
                 ELSE format('(SELECT %s FROM (SELECT %s) AS d)', pg_get_partition_constraintdef(\(partition)),
                             string_agg(DISTINCT format('%1$I::%2$s AS %1$I', a.attname, format_type(a.atttypid, -1)), ', ')) END
     FROM pg_partition_ancestors(\(partition)) AS p (relid)
     JOIN pg_partitioned_table k ON k.partrelid = p.relid::oid AND k.partstrat = 'h'
     CROSS JOIN LATERAL unnest(k.partattrs::int2[]) AS n (attnum)
     JOIN pg_attribute a ON a.attrelid = k.partrelid AND a.attnum = n.attnum
     JOIN pg_type y ON y.oid = a.atttypid AND y.typtype = 'd')
    """
  }

  /// What production's partitions add.
  private struct Partitions {
    /// What they are told apart by.
    var columns: [Identifier] = []
    /// That none takes the row.
    var objections: [Objection] = []
    /// Those with rules that production itself has not.
    var own: [Relation] = []
  }

  /// Partitions with rules of their own that are asked about; each makes its questions dearer. Arbitrary.
  static let ownRulesLimit = 32

  private func partitions() throws(PostgresError) -> Partitions {
    let leaves = try production.query(
      """
      SELECT \(Self.bounds(of: "t.relid"))
      FROM pg_class c, pg_partition_tree(c.oid) AS t
      WHERE c.oid = \(plan.productionOid) AND c.relkind = 'p' AND t.isleaf AND t.relid <> c.oid
      ORDER BY t.relid::oid
      """,
      "reading the partitions of \(plan.production)"
    )
    guard leaves.count > 0 else { return Partitions() }
    let columns = try production.query(
      """
      WITH RECURSIVE \(DescendantTables.tree(of: plan.productionOid))
      SELECT DISTINCT a.attname::text
      FROM tree JOIN pg_partitioned_table k ON k.partrelid = tree.oid
      CROSS JOIN LATERAL unnest(k.partattrs::int2[]) AS n (attnum)
      JOIN pg_attribute a ON a.attrelid = tree.oid AND a.attnum = n.attnum
      """,
      "reading the partition key of \(plan.production)"
    )
    var partitions = Partitions(columns: (0..<columns.count).map { Identifier(columns.text($0, 0) ?? "") })
    // Without a constraint a leaf is the lone default partition, and takes everything.
    let constraints = (0..<leaves.count).compactMap { leaves.text($0, 0) }.map { SQL.uncheckedFromServer($0) }
    if constraints.count == leaves.count {
      partitions.objections.append(
        Objection(
          condition:
            "(SELECT \(constraints.map { "(\($0))" as SQL }.joined(" OR ")) FROM (SELECT t.*) AS u) IS NOT TRUE",
          columns: partitions.columns,
          words: "that fit no partition of \(plan.production)"
        )
      )
    }
    let own = try production.query(
      """
      SELECT o.oid, o.schema, o.name, \(Self.bounds(of: "o.oid"))
      FROM (\(Self.partitionsWithOwnRules(of: plan.productionOid)) LIMIT \(Self.ownRulesLimit)) AS o
      """,
      "reading the rules of partitions of \(plan.production)"
    )
    partitions.own = (0..<own.count).map { row in
      Relation(
        oid: UInt32(own.integer(row, 0) ?? 0),
        name: QualifiedName(schema: own.text(row, 1) ?? "", name: own.text(row, 2) ?? ""),
        bounds: own.text(row, 3).map { SQL.uncheckedFromServer($0) }
      )
    }
    return partitions
  }

  /// Partitions, of any depth, with checks, NOT NULLs, unique keys or foreign keys that their root does not have: oid, schema,
  /// name.
  static func partitionsWithOwnRules(of root: UInt32) -> SQL {
    """
    SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name
    FROM pg_partition_tree(\(root)) AS t
    JOIN pg_class c ON c.oid = t.relid::oid AND c.oid <> \(root)
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid
                  AND (k.contype = 'c' AND k.coninhcount = 0 OR k.contype = 'f' AND k.conparentid = 0))
       OR EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND (i.indisunique OR i.indisexclusion)
                  AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = i.indexrelid))
       OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.attnotnull AND NOT a.attisdropped
                  AND NOT EXISTS (SELECT FROM pg_attribute r WHERE r.attrelid = \(root) AND r.attname = a.attname AND r.attnotnull))
    ORDER BY c.oid
    """
  }
}

extension Objection {
  /// The same for the rows that go to one partition.
  ///
  /// - Parameter columns: what the condition reads.
  fileprivate func limited(to bounds: SQL?, columns: [Identifier]) -> Objection {
    guard let bounds else { return self }
    var limited = Objection(
      condition: "(SELECT \(bounds) FROM (SELECT t.*) AS u) AND (\(condition))",
      columns: self.columns + columns,
      words: words,
      remedy: remedy,
      sharedKey: sharedKey,
      computed: computed
    )
    limited.isOfInsertsOnly = isOfInsertsOnly
    return limited
  }
}
