import Libpq

/// A table whose first look is a join within the server, by ranges of keys, so that only suspects travel.
///
/// Possible where both sides are in one database, and the server reads staging's values just as production has them: then
/// nothing in the statement can be refused for a row, and equality is production's own. Staging's unique index over the key
/// makes a range cheap to find and keeps out rows of one key, which the client tells apart otherwise.
struct JoinedTable: Sendable {
  let plan: TablePlan
  private let comparison: RowComparison
  /// Columns without NULL in production, whose values need no second question.
  private let isNotNull: Set<Identifier>
  /// Columns that the two sides order and compare by other collations.
  private let hasOtherCollation: Set<Identifier>

  /// More places with a history of their own than this make the condition on a row dear: a table whose merge was never
  /// completed. Arbitrary.
  private static let intervalLimit = 32

  /// - Returns: nil for a table that has to be compared by the client.
  init?(_ plan: TablePlan, _ connection: Connection) throws(PostgresError) {
    guard let comparison = plan.writing.ties, plan.reading.snapshot == nil, plan.keyEqualityIsBytewise,
      plan.reading.state.coverage.intervals.count <= Self.intervalLimit,
      (plan.columns[..<plan.comparedColumnCount] + comparison.columns.map { plan.columns[$0.index] })
        .allSatisfy(\.isReadAsItIs)
    else { return nil }
    let rows = try connection.query(
      """
      SELECT p.attname::text, p.attnotnull, s.attcollation <> p.attcollation
      FROM pg_attribute p JOIN pg_attribute s ON s.attname = p.attname
      WHERE p.attrelid = \(plan.productionOid) AND s.attrelid = \(Literal(plan.staging.quoted))::regclass AND p.attnum > 0 AND s.attnum > 0
      """,
      "reading the columns of \(plan.staging) and \(plan.production)"
    )
    let names = (0..<rows.count).map { Identifier(rows.text($0, 0) ?? "") }
    isNotNull = Set(names.indices.filter { rows.bool($0, 1) == true }.map { names[$0] })
    hasOtherCollation = Set(names.indices.filter { rows.bool($0, 2) == true }.map { names[$0] })
    self.plan = plan
    self.comparison = comparison
    guard hasOtherCollation.isDisjoint(with: plan.keyColumns.map(\.name)), try isUnique(connection) else { return nil }
  }

  /// Whether staging has an index that keeps a key from being there twice, and none of the key's columns is NULL.
  private func isUnique(_ connection: Connection) throws(PostgresError) -> Bool {
    try connection.query(
      """
      SELECT EXISTS (
        SELECT FROM pg_index i
        WHERE i.indrelid = \(Literal(plan.staging.quoted))::regclass AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
          AND i.indexprs IS NULL AND i.indnkeyatts = \(plan.keyColumnCount)
          AND (SELECT bool_and(a.attnotnull AND a.attname = ANY ($1::text[]))
               FROM generate_series(0, i.indnkeyatts - 1) AS k (place)
               JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.place]))
      """,
      [.textArray(plan.keyColumns.map(\.name.name))],
      "looking for a unique index of \(plan.staging)"
    ).bool(0, 0) == true
  }

  // MARK: Ranges

  /// A range of the key's first column: behind one value, up to another; open where a bound is nil.
  struct KeyRange: Sendable {
    let after: String?
    let upTo: String?
    /// `after`, staging's lowest value, belongs to it too.
    var isFirst = false
  }

  /// So many rows, about, are joined by one statement: a few ten milliseconds, so that workers end together. Arbitrary.
  private static let rangeRowCount = 25_000
  /// So many blocks' first rows are looked at to divide the keys. Arbitrary: a few milliseconds.
  private static let sampledBlockCount = 1024

  /// Divides staging's keys into ranges of about as many rows.
  ///
  /// - Returns: none for an empty table.
  func ranges(batchRows: Int, _ connection: Connection) throws(PostgresError) -> [KeyRange] {
    let blockCount = plan.reading.state.source?.blockCount ?? 0
    guard blockCount > 0 else { return [] }
    return try LocalSettings.reading(under: LocalSettings.exactText, on: connection) { () throws(PostgresError) in
      try ranges(batchRows: batchRows, blockCount: blockCount, connection)
    }
  }

  private func ranges(batchRows: Int, blockCount: Int, _ connection: Connection) throws(PostgresError) -> [KeyRange] {
    let operation = "dividing the keys of \(plan.staging)"
    let ends = try connection.query(
      """
      SELECT (SELECT s.\(key)::text FROM \(plan.staging) AS s ORDER BY s.\(key) LIMIT 1),
             (SELECT s.\(key)::text FROM \(plan.staging) AS s ORDER BY s.\(key) DESC LIMIT 1)
      """,
      operation
    )
    guard ends.bytes(0, 0) != nil else { return [] }
    let (lowest, highest) = (Self.bound(ends, 0, 0), Self.bound(ends, 0, 1))
    let sampledCount = min(blockCount, Self.sampledBlockCount)
    let addresses = (0..<sampledCount).flatMap { index -> [UInt64] in
      let block = UInt64(index * blockCount / sampledCount) << 16
      return [block | 1, block | 2]
    }
    // Staging may have rows in other places too; these only serve to divide it.
    let found = try connection.query(
      "SELECT k.key::text FROM (SELECT DISTINCT s.\(key) AS key FROM \(plan.staging) AS s WHERE \(SQL.rows(at: addresses))) AS k ORDER BY k.key",
      operation
    )
    let samples = (0..<found.count).compactMap { Self.bound(found, $0, 0) }.filter { $0 != lowest && $0 != highest }
    let estimate = plan.estimatedRowCount ?? blockCount * Self.guessedRowsPerBlock
    let count = max(1, min(estimate / min(batchRows, Self.rangeRowCount), samples.count + 1))
    let bounds: [String?] = [lowest] + (1..<count).map { samples[$0 * samples.count / count] } + [highest]
    return bounds.indices.dropLast().map {
      KeyRange(after: bounds[$0], upTo: bounds[$0 + 1], isFirst: $0 == 0)
    }
  }

  /// - Returns: nil for a value that is no UTF-8, as a SQL_ASCII database may hold it: written down it would be another one.
  private static func bound(_ rows: ResultSet, _ row: Int, _ column: Int) -> String? {
    rows.bytes(row, column).flatMap { String(validating: $0, as: UTF8.self) }
  }

  /// Rows of a block where nobody has counted. Arbitrary.
  private static let guessedRowsPerBlock = 60

  private var key: Identifier { plan.columns[0].name }

  private func isWithin(_ range: KeyRange, _ alias: SQL) -> SQL {
    let column = plan.columns[0]
    let type = column.baseType.fullName
    let isBehind: SQL = range.isFirst ? ">=" : ">"
    let bounds: [(sign: SQL, value: String?)] = [(isBehind, range.after), ("<=", range.upTo)]
    let conditions = bounds.compactMap { bound in
      bound.value.map { "\(alias).\(column.name) \(bound.sign) \(Literal($0))::\(type)" as SQL }
    }
    return conditions.isEmpty ? "true" : conditions.joined(" AND ")
  }

  // MARK: The join

  /// What the statement says of a row.
  private enum Kind: Int {
    case equal = 0
    case productionNewer = 1
    /// Production has the key, and the row may be wrong.
    case suspect = 2
    case missing = 3
  }

  /// How many rows staging has in a range, about: by the planner's statistics.
  func stagingRows(_ range: KeyRange) -> SQL {
    "EXPLAIN (FORMAT JSON) SELECT FROM \(plan.staging) AS s WHERE \(isWithin(range, "s"))"
  }

  /// The same of production.
  func productionRows(_ range: KeyRange) -> SQL {
    "EXPLAIN (FORMAT JSON) SELECT FROM \(plan.production) AS p WHERE \(isWithin(range, "p"))"
  }

  /// How many rows staging has in the range, how many of them production has a newer row of, and the addresses of those to be
  /// looked at again: suspects, and rows that production lacks.
  ///
  /// Counted by FILTER: to group by the kind, for which it expects as many groups as rows, the server sorts them all, which takes
  /// a third of the time. OFFSET has the kind computed once a row.
  func join(_ range: KeyRange) -> SQL {
    func addresses(_ kind: Kind) -> SQL { "(array_agg(v.address) FILTER (WHERE v.kind = \(kind.rawValue)))::text" }
    return """
      SELECT count(*), count(*) FILTER (WHERE v.kind = \(Kind.productionNewer.rawValue)), \(addresses(.suspect)),
             \(addresses(.missing))
      FROM (SELECT s.ctid AS address,
                   CASE WHEN p.\(key) IS NOT DISTINCT FROM NULL THEN \(Kind.missing.rawValue)
                        WHEN \(isEqual(.unknown)) THEN \(Kind.equal.rawValue)
                        WHEN \(isEqual(.equal)) THEN \(Kind.equal.rawValue)
                        WHEN \(isNewer) THEN \(Kind.productionNewer.rawValue)
                        ELSE \(Kind.suspect.rawValue) END AS kind
            FROM \(plan.staging) AS s
            LEFT JOIN \(plan.production) AS p ON \(match) AND \(isWithin(range, "p"))
            WHERE \(isWithin(range, "s"))\(ClaimSQL.rowCondition(plan))
            OFFSET 0) AS v
      """
  }

  private var match: SQL {
    plan.keyColumns.map { "p.\($0.name) \($0.equality) s.\($0.name)" as SQL }.joined(" AND ")
  }

  /// What an equality asks of NULLs.
  private enum Nulls {
    /// Nothing: where there is one the answer is NULL, which costs least.
    case unknown
    /// Two of them are equal.
    case equal
  }

  /// Version and compared columns are equal.
  private func isEqual(_ nulls: Nulls) -> SQL {
    var parts = [equality(plan.version.name, "=", "", nulls)]
    for column in comparison.columns {
      let name = plan.columns[column.index].name
      if let found = column.equality, !hasOtherCollation.contains(name) || !found.collation.text.isEmpty {
        parts.append(equality(name, found.symbol, found.collation, nulls))
      } else {
        // Of types without an equality, and where two collations meet: the bytes. A domain would be another type.
        let type = plan.columns[column.index].baseType.plainName
        parts.append("pg_catalog.record_image_eq(ROW((s.\(name))::\(type)), ROW((p.\(name))::\(type)))")
      }
    }
    return parts.joined(" AND ")
  }

  private func equality(_ name: Identifier, _ symbol: SQL, _ collation: SQL, _ nulls: Nulls) -> SQL {
    let areEqual: SQL = "s.\(name)\(collation) \(symbol) p.\(name)\(collation)"
    guard nulls == .equal, !isNotNull.contains(name) else { return areEqual }
    // IS NULL also takes a composite value for NULL whose fields are.
    return "coalesce(\(areEqual), s.\(name) IS NOT DISTINCT FROM NULL AND p.\(name) IS NOT DISTINCT FROM NULL)"
  }

  /// Production has a version, and staging an older one or none.
  private var isNewer: SQL {
    let name = plan.version.name
    return "s.\(name) < p.\(name) OR (s.\(name) IS NULL AND p.\(name) IS NOT NULL)"
  }
}
