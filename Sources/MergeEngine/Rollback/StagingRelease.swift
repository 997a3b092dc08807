import Libpq

/// Has the staging rows whose effect was rolled back read again by the next merge.
struct StagingRelease {
  private let plan: TablePlan
  private let staging: Connection
  private let production: Connection
  private let admin: Identifier

  init(_ plan: TablePlan, admin: Identifier, on connections: WorkerConnections) {
    var plan = plan
    plan.reading.selection = .merged
    self.plan = plan
    self.admin = admin
    staging = connections.staging
    production = connections.production
  }

  private var isSplit: Bool { staging !== production }

  /// - Parameters:
  ///   - undone: production's temporary table of keys, numbered k0, k1, …
  ///   - released: where rows lie that will be read again already: a key that several batches of the run have written is taken back
  ///     by several.
  /// - Returns: where the rows lie that will be read again besides.
  func release(_ undone: Identifier, besides released: Set<UInt64>) throws(PostgresError) -> Set<UInt64> {
    let arrays = plan.keyColumns.indices.map { index in
      plan.columns[index].probesAsText ? "array_agg(u.k\(index)::text)" : "array_agg(u.k\(index))" as SQL
    }
    let keys = try production.query(
      "SELECT \(arrays.joined(", ")) FROM pg_temp.\(undone) AS u",
      "reading the keys that were rolled back in \(plan.production)"
    )
    let found = try isSplit && comparesInProduction ? addressesAcross(undone) : addresses(of: keys)
    let addresses = Set(found).subtracting(released).sorted()
    guard !addresses.isEmpty, let source = plan.reading.state.source else { return [] }
    try ProgressTable(admin: admin).reopen(addresses, of: plan, source, runID: nil, production)
    if plan.writing.marksRows {
      // A changed row is a new one by itself; its old address is of no row any more.
      try staging.execute(
        "UPDATE \(plan.staging) AS s SET \(TablePlanner.statusColumn) = 'NEW' WHERE \(SQL.rows(at: addresses))",
        Self.operation(plan)
      )
    }
    return Set(addresses)
  }

  /// Whether staging holds rows that ``release(_:besides:)`` may come upon.
  ///
  /// - Parameter image: a table of before-images, whose keys count. Where staging is in another database, all of its merged rows
  ///   do.
  func findsAny(of image: QualifiedName) throws(PostgresError) -> Bool {
    let hasImage: SQL = isSplit ? "" : " AND EXISTS (SELECT FROM \(image) AS i WHERE \(matchesImage))"
    // Counted: where only one row is wanted, the server may look for each of staging in all images.
    return try staging.query(
      "SELECT count(*) > 0 FROM \(plan.staging) AS s WHERE \(ClaimSQL.isWanted(plan, in: .everything))\(hasImage)",
      "looking for rows of \(plan.staging) whose effect would be rolled back"
    ).bool(0, 0) == true
  }

  private var matchesImage: SQL {
    plan.keyColumns.map { column -> SQL in
      let (type, staged) = (column.baseType, plan.keyInProduction(column))
      // The two sides may have different collations, of which the server chooses none by itself.
      let isText = type.nonDeterministicCollation == nil && TypeOID.strings.contains(type.oid)
      let value: SQL = isText ? "(\(staged)) COLLATE \"C\"" : type.collated(staged)
      return "i.\(column.name) \(column.equality) \(value)"
    }.joined(" AND ")
  }

  /// What is to be said where it comes upon none.
  static func warningOfNone(_ table: RollbackTable, _ plan: TablePlan) -> String {
    "no staging rows of \(table.name) will be read again: \(plan.staging) no longer holds any of them."
  }

  /// Where the rows of these keys lie in staging.
  private func addresses(of keys: ResultSet) throws(PostgresError) -> [UInt64] {
    let parameters = plan.keyColumns.indices.map {
      Parameter(binary: keys.bytes(0, $0), type: plan.columns[$0].probeArrayOid)
    }
    // Staging may have no index on its key; then only a hash join reads it once and not once for every row.
    try staging.execute("SET LOCAL enable_hashjoin = on", Self.operation(plan))
    let released = try staging.query(statement, parameters, Self.operation(plan))
    try staging.execute("SET LOCAL enable_hashjoin = off", Self.operation(plan))
    return (0..<released.count).compactMap { released.text($0, 0).flatMap { TupleAddress(text: $0)?.packed } }
  }

  /// Only production knows which strings are equal by its collations, and which texts are the same value of a type that another
  /// database need not have.
  private var comparesInProduction: Bool {
    plan.keyColumns.contains { $0.travel == .text || $0.baseType.nonDeterministicCollation != nil }
  }

  /// Blocks of staging whose keys are held at a time. Arbitrary.
  private static let blocksAtOnce = 1024

  /// The same where another database holds staging, which need not have production's collations and types: staging's keys go to
  /// production, piece by piece.
  private func addressesAcross(_ undone: Identifier) throws(PostgresError) -> [UInt64] {
    let blockCount = plan.reading.state.source?.blockCount ?? 0
    var found: [UInt64] = []
    for start in stride(from: 0, to: blockCount, by: Self.blocksAtOnce) {
      // Behind the blocks that were counted there may be more by now.
      let end =
        start + Self.blocksAtOnce < blockCount ? UInt64(start + Self.blocksAtOnce) << 16 : TupleRange.everything.end
      found += try addressesAcross(undone, in: TupleRange(start: UInt64(start) << 16, end: end))
    }
    return found
  }

  private func addressesAcross(_ undone: Identifier, in range: TupleRange) throws(PostgresError) -> [UInt64] {
    let keys = plan.keyColumns.map { "array_agg((\($0.readExpression))::text)" as SQL }
    let match = plan.keyColumns.indices.map { index -> SQL in
      let column = plan.columns[index]
      let staged = column.baseType.collated("w.k\(index)::\(column.baseType.uncutName)")
      return "u.k\(index) \(column.equality) \(staged)"
    }
    let names = plan.keyColumns.indices.map { ", k\($0)" as SQL }.joined("")
    let arrays = plan.keyColumns.indices.map { ", $\($0 + 2)::text[]" as SQL }.joined("")
    let staged = try staging.query(
      """
      SELECT array_agg(s.ctid::text), \(keys.joined(", ")) FROM \(plan.staging) AS s
      WHERE \(ClaimSQL.isWanted(plan, in: range))
      """,
      Self.operation(plan)
    )
    guard staged.bytes(0, 0) != nil else { return [] }
    let rows = try Savepoint.answer(on: production, unless: \.refusesRow) { () throws(PostgresError) in
      try production.query(
        """
        SELECT w.address FROM unnest($1::text[]\(arrays)) AS w (address\(names))
        WHERE EXISTS (SELECT FROM pg_temp.\(undone) AS u WHERE \(match.joined(" AND ")))
        """,
        (0...plan.keyColumnCount).map { Parameter(binary: staged.bytes(0, $0), type: TypeOID.textArray) },
        Self.operation(plan)
      )
    }
    if let rows {
      return (0..<rows.count).compactMap { rows.text($0, 0).flatMap { TupleAddress(text: $0)?.packed } }
    }
    // A key that production's types can't read is none of the rows'.
    guard let (lower, upper) = range.halves else { return [] }
    return try addressesAcross(undone, in: lower) + addressesAcross(undone, in: upper)
  }

  private static func operation(_ plan: TablePlan) -> String {
    "releasing rows of \(plan.staging) whose effect was rolled back"
  }

  private var statement: SQL {
    let arrays = plan.keyColumns.indices.map { "$\($0 + 1)" as SQL }.joined(", ")
    let names = plan.keyColumns.indices.map { "k\($0)" as SQL }.joined(", ")
    let match = plan.keyColumns.indices.map { index in
      let column = plan.columns[index]
      let value: SQL = column.probesAsText ? "k.k\(index)::\(column.baseType.uncutName)" : "k.k\(index)"
      // Another database need not have production's operator.
      return isSplit
        ? "\(column.readExpression) = \(value)" as SQL
        : "\(column.baseType.collated(plan.keyInProduction(column))) \(column.equality) \(value)"
    }
    return """
      SELECT s.ctid::text FROM \(plan.staging) AS s, unnest(\(arrays)) AS k (\(names))
      WHERE \(match.joined(" AND ")) AND \(ClaimSQL.isWanted(plan, in: .everything))
      """
  }
}
