import Libpq

/// Decides about rows that production refuses as it is now, and that another row of the same run may help.
///
/// Staging is asked by addresses, on a connection whose planner may hash: staging tables have no indexes.
struct Remedies {
  let tables: [TablePlan]
  /// To the database that holds staging.
  let staging: Connection
  /// Production is in another database.
  let isSplit: Bool
  /// The most rows of a batch.
  let batchRows: Int
  /// Of two rows of one version staging's is written where they differ.
  let updatesTies: Bool
  /// What the run writes, by table.
  private(set) var writes: [Writes]

  /// Which rows the run writes to a table.
  enum Writes {
    /// The staging rows that are newer, but for those that are refused; of several of a key the last one alone, where they stand
    /// in one batch.
    case newer(butNot: [UInt64], lastOfKey: Bool)
    /// These staging rows; and production's rows at some places are deleted.
    case these(Set<UInt64>, deleted: Set<String>)
  }

  /// Addresses to a question. Arbitrary: a list of this length travels as text.
  private static let pieceRowCount = 50_000

  /// The rows of a table that nothing helps, by address, and which of the objections stands against each.
  func helpless(
    _ rows: [DryRunOutcome.HopefulRow],
    of index: Int,
    _ objections: [Objection]
  ) throws -> [UInt64: Int] {
    var helpless: [UInt64: Int] = [:]
    for (number, objection) in objections.enumerated() where objection.remedy != nil {
      func concerned() -> [UInt64] {
        rows.filter { $0.objections.contains(number) && helpless[$0.address] == nil }.map(\.address)
      }
      guard !concerned().isEmpty else { continue }
      for address in try unhelped(concerned(), objection, of: index) { helpless[address] = number }
    }
    let left = try dependent(rows.filter { helpless[$0.address] == nil }, objections, of: index)
    for position in try stuck(left, of: index) {
      helpless[left[position].address] = left[position].objections.first { objections[$0].remedy != nil }
    }
    return helpless
  }

  /// Whether another row of the same table may help.
  private func isOfOwnRows(_ objection: Objection, of index: Int) -> Bool {
    if case .handover = objection.remedy { true } else { objection.isAboutParent(tables[index].productionOid) }
  }

  /// Those of these rows that only others of them may help: not what waits for another table's rows alone, or for rows that are
  /// written whatever becomes of these.
  private func dependent(_ rows: [DryRunOutcome.HopefulRow], _ objections: [Objection], of index: Int)
    throws(PostgresError) -> [DryRunOutcome.HopefulRow]
  {
    var others = self
    if case .newer(let refused, let lastOfKey) = writes[index] {
      others.writes[index] = .newer(butNot: refused + rows.map(\.address), lastOfKey: lastOfKey)
    }
    var dependent: Set<UInt64> = []
    for (number, objection) in objections.enumerated() where isOfOwnRows(objection, of: index) {
      let concerned = rows.filter { $0.objections.contains(number) }.map(\.address)
      guard concerned.count > 0, rows.count > 1 else { continue }
      switch writes[index] {
      case .newer: dependent.formUnion(try others.unhelped(concerned, objection, of: index))
      case .these: dependent.formUnion(concerned)
      }
    }
    return rows.filter { dependent.contains($0.address) }
  }

  /// So many rows are asked whether they need each other. Arbitrary.
  private static let exchangeLimit = 10_000

  /// Which of these rows, by their positions, need each other so that none of them can go first, and which wait for such.
  private func stuck(_ rows: [DryRunOutcome.HopefulRow], of index: Int) throws -> Set<Int> {
    guard (2...Self.exchangeLimit).contains(rows.count), !isSplit else { return [] }
    let needs = try RowNeeds(of: rows.map(\.address), tables[index], staging)
    let stuck = needs.stuck { knot in
      switch writes[index] {
      case .newer: knot.rows.count > batchRows
      // A repair deletes, inserts and updates one after the other, each with its constraints.
      case .these: knot.rule != nil && knot.refers
      }
    }
    return Set(stuck.map { $0 - 1 })
  }

  /// Which of these rows want a value that another of them gets, and by which of the objections: it comes free once, and of several
  /// batches' rows the first takes it.
  func outrun(_ rows: [DryRunOutcome.HopefulRow], of index: Int, _ objections: [Objection]) throws(PostgresError)
    -> [UInt64: Int]
  {
    var outrun: [UInt64: Int] = [:]
    for (number, objection) in objections.enumerated() {
      guard case .handover(let key) = objection.remedy else { continue }
      let wanting = rows.filter { $0.objections.contains(number) && outrun[$0.address] == nil }.map(\.address)
      for address in try self.outrun(wanting, key, of: index) { outrun[address] = number }
    }
    return outrun
  }

  private func outrun(
    _ addresses: [UInt64],
    _ key: Objection.UniqueKey,
    of index: Int
  ) throws(PostgresError) -> [UInt64] {
    let table = tables[index]
    let values = key.parts.compactMap { value($0, of: table) }
    let keys = table.keyColumns.compactMap { value($0.name, of: table) }
    guard (2...Self.exchangeLimit).contains(addresses.count), !key.isExclusion, values.count == key.parts.count else {
      return []
    }
    let outputs =
      values.enumerated().map { "\($1) AS v\($0)" as SQL } + keys.enumerated().map { "\($1) AS k\($0)" as SQL }
    let wantsTheSame = key.parts.enumerated().map { key.isSame($1, "b.v\($0)", "a.v\($0)") }.joined(" AND ")
    let isTheSame = table.keyColumns.enumerated().map { "b.k\($0) \($1.equality) a.k\($0)" as SQL }.joined(" AND ")
    let rows = try staging.query(
      """
      WITH wanting AS MATERIALIZED (
        SELECT s.ctid AS address, \(outputs.joined(", ")) FROM \(table.staging) AS s WHERE \(SQL.rows(at: addresses))
      )
      SELECT a.address::text FROM wanting AS a
      WHERE EXISTS (SELECT FROM wanting AS b WHERE b.address < a.address AND \(wantsTheSame) AND NOT (\(isTheSame)))
      """,
      "looking which rows of \(table.staging) want the same value"
    )
    return (0..<rows.count).compactMap { rows.text($0, 0).flatMap(TupleAddress.init(text:))?.packed }
  }

  /// How many rows that the run writes want a value of a unique key that rows of other keys want, too.
  func contendingRowCount(_ key: Objection.UniqueKey, of index: Int) throws(PostgresError) -> Int {
    let table = tables[index]
    let partCount = key.parts.count
    let wanted =
      key.parts.map { value($0, of: table) } + table.keyColumns.map { value($0.name, of: table) }
      + (key.predicate.map { [computed($0, of: table)] } ?? [])
    guard let rows = rows(of: index, values: wanted) else { return 0 }
    let parts = (0..<partCount).map { "z.c\($0)" as SQL }
    let keys = (partCount..<(partCount + table.keyColumnCount)).map { "z.c\($0)" as SQL }
    var conditions = key.nullsCollide ? [] : parts.map { "\($0) IS DISTINCT FROM NULL" as SQL }
    let compared = zip(key.parts, parts).map { $0.collated($1) }
    if key.predicate != nil { conditions.append("z.c\(wanted.count - 1)") }
    return try staging.query(
      """
      SELECT coalesce(sum(g.n), 0)::bigint
      FROM (SELECT count(*) AS n FROM (\(rows)) AS z
            \(conditions.isEmpty ? "" : "WHERE \(conditions.joined(" AND "))")
            GROUP BY \(compared.joined(", ")) HAVING count(DISTINCT (\(keys.joined(", ")))) > 1) AS g
      """,
      "looking which rows of \(table.staging) want the same value"
    ).integer(0, 0) ?? 0
  }

  /// Which of these rows get from no row of the run what they lack.
  private func unhelped(
    _ addresses: [UInt64],
    _ objection: Objection,
    of index: Int
  ) throws(PostgresError) -> Set<UInt64> {
    let helps = helps(objection, of: index)
    guard !helps.isEmpty else { return Set(addresses) }
    let isUnhelped = helps.map { "NOT EXISTS (\($0))" as SQL }.joined(" AND ")
    var unhelped: Set<UInt64> = []
    for start in stride(from: 0, to: addresses.count, by: Self.pieceRowCount) {
      let piece = addresses[start..<min(start + Self.pieceRowCount, addresses.count)]
      let rows = try staging.query(
        """
        SELECT s.ctid::text FROM \(tables[index].staging) AS s
        WHERE \(SQL.rows(at: piece)) AND \(isUnhelped)
        """,
        "looking in staging for what rows of \(tables[index].staging) lack"
      )
      for row in 0..<rows.count {
        if let address = rows.text(row, 0).flatMap(TupleAddress.init(text:)) { unhelped.insert(address.packed) }
      }
    }
    return unhelped
  }

  /// Queries of which one has a row if the staging row `s` is helped; none if nothing can help.
  private func helps(_ objection: Objection, of index: Int) -> [SQL] {
    let table = tables[index]
    switch objection.remedy {
    case nil: return []
    case .parent(let key):
      guard let parent = tables.firstIndex(where: { [key.parentOid, key.parentRootOid].contains($0.productionOid) }),
        let rows = rows(of: parent, key.pairs.map(\.parent))
      else { return [] }
      let match = key.pairs.enumerated().compactMap { number, pair in
        value(pair.child, of: table).map { isChild($0, of: "z.c\(number)", pair, [table, tables[parent]]) }
      }
      return ["SELECT FROM (\(rows)) AS z WHERE \(match.joined(" AND "))"]
    case .handover(let key):
      let wanted =
        table.keyColumns.map { value($0.name, of: table) } + key.parts.map { value($0, of: table) }
        + [value(table.version.name, of: table)]
        + (key.predicate.map { [computed($0, of: table)] } ?? [])
      guard !isSplit, let rows = rows(of: index, values: wanted) else { return [] }
      let keyCount = table.keyColumnCount
      // q holds the value, z is the staging row that takes it away from q.
      let isItsRow = table.keyColumns.enumerated().map { "q.\($1.name) \($1.equality) z.c\($0)" as SQL }
      let isOther = table.keyColumns.compactMap { column in
        value(column.name, of: table).map { "q.\(column.name) \(column.equality) \($0)" as SQL }
      }
      var keeps = key.parts.enumerated().compactMap { number, part in
        value(part, of: table).map { key.isSame(part, "z.c\(keyCount + number)", $0) }
      }
      let versionPlace = keyCount + key.parts.count
      // It may keep the value and yet leave the rows that the index has.
      if key.predicate != nil { keeps.append("z.c\(versionPlace + 1)") }
      let version = table.version.name
      return key.collisions("q", key.parts.compactMap { value($0, of: table) }).flatMap { holds -> [SQL] in
        let (isDone, given): (SQL, [SQL]) =
          switch writes[index] {
          case .newer: (isWritten("z.c\(versionPlace)", over: "q.\(version)", table), [])
          case .these(_, let deleted):
            ("true", ["SELECT FROM \(key.placedRivals) WHERE \(holds) AND \(RowPlaces(deleted).contain("q"))"])
          }
        return [
          """
          SELECT FROM \(key.rivals) JOIN (\(rows)) AS z ON \(isItsRow.joined(" AND "))
          WHERE \(holds) AND NOT (\(isOther.joined(" AND "))) AND (\(keeps.joined(" AND "))) IS NOT TRUE AND \(isDone)
          """
        ] + given
      }
    }
  }

  /// Whether a staged value refers to a staged parent's, as the server compares them. Another database need not have production's
  /// types and collations: there bytes are compared, of what travels as text the text's.
  private func isChild(
    _ child: SQL,
    of parent: SQL,
    _ pair: Objection.ParentKey.Pair,
    _ tables: [TablePlan]
  ) -> SQL {
    guard isSplit else { return "\(parent) \(pair.equality) \(pair.collated(child))" }
    let bytes = QualifiedName(schema: "pg_catalog", name: "C")
    let isText = zip(tables, [pair.child, pair.parent]).contains { table, name in
      table.columns.contains { $0.name == name && $0.travel == .text }
    }
    if isText { return "(\(parent))::text = (\(child))::text COLLATE \(bytes)" }
    return "\(parent) \(pair.equality) \(pair.collation == nil ? child : "(\(child)) COLLATE \(bytes)")"
  }

  /// Whether a staged version goes before production's, as ``MergeRule`` says. Of a tie only rows that give a value up are asked
  /// about, which differ.
  private func isWritten(_ staged: SQL, over present: SQL, _ table: TablePlan) -> SQL {
    var cases: [SQL] = ["\(staged) > \(present)"]
    if table.nullRule != .strict { cases.append("\(present) IS NULL AND \(staged) IS NOT NULL") }
    if updatesTies { cases += ["\(staged) = \(present)", "\(present) IS NULL AND \(staged) IS NULL"] }
    return "(\(cases.joined(" OR ")))"
  }

  /// Columns of the staging rows that are written, as `c0`, `c1`; nil if staging lacks one.
  private func rows(of index: Int, _ columns: [Identifier]) -> SQL? {
    rows(of: index, values: columns.map { value($0, of: tables[index]) })
  }

  private func rows(of index: Int, values wanted: [SQL?]) -> SQL? {
    let values = wanted.compactMap(\.self)
    guard values.count == wanted.count else { return nil }
    let outputs = values.enumerated().map { "\($1) AS c\($0)" as SQL }.joined(", ")
    let table = tables[index]
    guard case .newer(let refused, let lastOfKey) = writes[index] else {
      guard case .these(let addresses, _) = writes[index] else { return nil }
      return "SELECT \(outputs) FROM \(table.staging) AS s WHERE \(SQL.rows(at: addresses.sorted()))"
    }
    let isWritten: SQL =
      "true\(ClaimSQL.rowCondition(table))"
      + (refused.isEmpty ? "" : " AND s.ctid <> ALL (\(TupleAddress.list(refused)))")
    let keys = table.keyColumns.compactMap { value($0.name, of: table) }
    guard lastOfKey, !isSplit, keys.count == table.keyColumnCount, let version = value(table.version.name, of: table)
    else {
      return "SELECT \(outputs) FROM \(table.staging) AS s WHERE \(isWritten)"
    }
    return """
      SELECT w.* FROM (
        SELECT \(outputs), row_number() OVER (PARTITION BY \(keys.joined(", ")) ORDER BY \(version) DESC NULLS LAST, s.ctid DESC) AS place
        FROM \(table.staging) AS s WHERE \(isWritten)
      ) AS w WHERE w.place = 1
      """
  }

  /// What a unique key has of the staging row.
  private func value(_ part: Objection.UniqueKey.Part, of table: TablePlan) -> SQL? {
    guard let expression = part.expression else { return value(part.column, of: table) }
    return computed(expression, of: table)
  }

  /// What an expression over production's columns makes of the staging row.
  private func computed(_ expression: SQL, of table: TablePlan) -> SQL {
    let row = table.columns.compactMap { column in
      value(column.name, of: table).map { "\($0) AS \(column.name)" as SQL }
    }
    return "(SELECT \(expression) FROM (SELECT \(row.joined(", "))) AS u)"
  }

  /// Staging's value in production's type and collation; as it travels where another database need not have these.
  private func value(_ name: Identifier, of table: TablePlan) -> SQL? {
    table.columns.first { $0.name == name }.map { column in
      guard !isSplit else { return column.readExpression }
      let value: SQL =
        column.travel == .text ? "(\(column.readExpression))::\(column.baseType.plainName)" : column.readExpression
      return column.baseType.declared(value)
    }
  }
}

/// Rows of production by their places, as text: the oid of the table, which may be a partition, and the address in it.
struct RowPlaces {
  private let places: Set<String>

  init(_ places: Set<String>) {
    self.places = places
  }

  /// The place of a row.
  static func place(of alias: SQL) -> SQL { "format('%s %s', \(alias).tableoid, \(alias).ctid)" }

  /// Whether a row is at one of the places.
  func contain(_ alias: SQL) -> SQL {
    let list = "{" + places.sorted().map { "\"\($0)\"" }.joined(separator: ",") + "}"
    return "\(Self.place(of: alias)) = ANY (\(Literal(list))::text[])"
  }
}
