import Libpq
import Spelling

/// How many rows of a staging table are pending, processed and refused.
public struct StagingStatus: Sendable, Codable {
  /// The table's plain name in production.
  public let table: String
  /// All rows.
  public let total: Int
  /// Rows that are not merged.
  public let pending: Int
  /// Rows that met a verdict other than error.
  public let processed: Int
  /// Rows that stand refused.
  public let errors: Int

  /// What was counted of all tables.
  struct Counts: Sendable {
    var counted: [StagingStatus] = []
    /// Tables of which merged rows may count as pending (``ProgressSQL/hasOthers``).
    var readOtherwise: [String] = []
    /// Tables of which merged rows count as pending, since production has another primary key now (``ProgressSQL/isOfFormerKey``).
    var ofFormerKeys: [String] = []
    /// Tables that Citus has distributed: what is merged of their rows is known to the nodes.
    var ofCitus: [String] = []
  }

  /// Counts every staging table that lies here whole.
  static func read(
    _ connection: Connection,
    _ schemas: Schemas,
    _ rules: ColumnRules,
    only names: [String]?
  ) throws(PostgresError) -> Counts {
    let admin = Identifier(schemas.admin)
    var counts = Counts()
    for table in try allTables(connection, schemas, rules) where table.isMeant(by: names) {
      guard !table.isOfCitus else {
        counts.ofCitus.append(table.shownName)
        continue
      }
      let status = try count(table, connection, admin: admin)
      counts.counted.append(status)
      guard status.pending > 0 else { continue }
      let reading = try table.reading(admin, connection)
      if reading.isOtherwise { counts.readOtherwise.append(table.shownName) }
      if reading.isOfFormerKey { counts.ofFormerKeys.append(table.shownName) }
    }
    return counts
  }

  /// Refuses tables that only the nodes of Citus can count, where nobody asks the nodes.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)``.
  static func requireNoneOfCitus(
    _ connection: Connection,
    _ schemas: Schemas,
    _ rules: ColumnRules,
    only names: [String]?
  ) throws {
    let ofCitus = try allTables(connection, schemas, rules).filter { $0.isOfCitus && $0.isMeant(by: names) }
    guard ofCitus.isEmpty else { throw notCounted(ofCitus.map(\.shownName)) }
  }

  /// That tables are not counted in a form of `status` that knows nothing of nodes.
  static func notCounted(_ tables: [String]) -> MergeFailure {
    .blocked(
      tables.map {
        .blocker(
          .tableShape,
          $0,
          "its staging is distributed by Citus: only a status that is asked once, as a table or as JSON, counts on the nodes. Leave "
            + "it out with --table."
        )
      }
    )
  }

  /// Counts one staging table.
  static func count(_ table: Table, _ connection: Connection, admin: Identifier) throws(PostgresError) -> StagingStatus
  {
    let query: SQL =
      table.hasLedger ? table.counts(admin) : "SELECT count(*), count(*), 0::bigint, 0::bigint FROM \(table.name)"
    let row = try LocalSettings.reading(under: LocalSettings.exactFormats, on: connection) { () throws(PostgresError) in
      try connection.query(query, "counting \(table.name)")
    }
    return StagingStatus(
      table: table.shownName,
      total: row.integer(0, 0) ?? 0,
      pending: row.integer(0, 1) ?? 0,
      processed: row.integer(0, 2) ?? 0,
      errors: row.integer(0, 3) ?? 0
    )
  }

  /// What it comes to when a run has read on: its rows are no longer pending.
  ///
  /// - Parameters:
  ///   - read: rows that the run has read since.
  ///   - refused: how many of them it has refused.
  func advanced(read: Int, refused: Int) -> StagingStatus {
    // A run that reads rows again may count backwards.
    let read = min(max(read, 0), pending)
    let refused = min(max(refused, 0), read)
    return StagingStatus(
      table: table,
      total: total,
      pending: pending - read,
      processed: processed + read - refused,
      errors: errors + refused
    )
  }

  /// Refuses names that stand for nothing: who watches the wrong name would wait for ever.
  ///
  /// Staging that is in another database is not seen from here; there the name is production's.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)``.
  static func require(
    _ names: [String]?,
    on connection: Connection,
    schemas: Schemas,
    _ rules: ColumnRules
  ) throws {
    guard let names else { return }
    let isSeen = try connection.query(
      "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)",
      [.text(schemas.staging)],
      "looking for the staging tables"
    ).bool(0, 0)
    var findings: [String: Finding] = [:]
    var found: Set<String> = []
    for (pair, known) in try Self.names(schemas, rules, connection) {
      let (staging, production) = (known.staging, known.production)
      for name in names {
        let isOfPair = name.hasPrefix(pair.production + ".") && !production.contains(Identifier(name))
        let plain = Identifier(isOfPair ? String(name.dropFirst(pair.production.count + 1)) : name)
        if isSeen != true {
          if production.contains(plain) { found.insert(name) }
          findings[name] = findings[name] ?? missing(plain, plain, pair, among: production)
        } else if case .none = known.staging(of: plain) {
          findings[name] = findings[name] ?? missing(plain, known.stagingName(of: plain), pair, among: staging)
        } else {
          found.insert(name)
        }
      }
    }
    let missing = names.filter { !found.contains($0) }.compactMap { findings[$0] }
    guard missing.isEmpty else { throw MergeFailure.blocked(missing) }
  }

  private static func missing(
    _ name: Identifier,
    _ stagingName: Identifier,
    _ schemas: Schemas,
    among known: [Identifier]
  ) -> Finding {
    let question = Spelling.question(for: stagingName.name, in: known.map(\.name))
    return .blocker(.notFound, name.name, "there is no staging table \(schemas.staging).\(stagingName).\(question)")
  }

  /// The names of each pair's tables, by what the file says of that pair.
  private static func names(_ schemas: Schemas, _ rules: ColumnRules, _ connection: Connection)
    throws(PostgresError) -> [(pair: Schemas, names: StagingNames)]
  {
    var present: [String: [Identifier]] = [:]
    for schema in schemas.allStaging + schemas.allProduction { present[schema] = try names(in: schema, connection) }
    var options = MergeOptions()
    (options.schemas, options.columns) = (schemas, rules)
    return options.ofEachPair { pair, name in
      [pair.production, pair.staging].contains { present[$0]?.contains(Identifier(name)) == true }
    }.map { own in
      let (staging, production) = (present[own.schemas.staging] ?? [], present[own.schemas.production] ?? [])
      return (own.schemas, StagingNames(own.columns, staging: staging, production: production))
    }
  }

  private static func names(in schema: String, _ connection: Connection) throws(PostgresError) -> [Identifier] {
    let rows = try connection.query(
      """
      SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') ORDER BY c.relname
      """,
      [.text(schema)],
      "looking for the tables of \(schema)"
    )
    return (0..<rows.count).compactMap { rows.text($0, 0).map { Identifier($0) } }
  }

  /// A staging table that can be counted.
  struct Table {
    let name: QualifiedName
    let production: QualifiedName
    /// Of the guide's version column, if it has that and it is a time.
    let versionType: SQL?
    /// Something may be known of it.
    let hasLedger: Bool
    /// The server's number, as far as it is to be had.
    let server: SQL?

    /// Its rows lie in shards.
    let isOfCitus: Bool

    /// Tables are called with their schema.
    var isOfSeveralPairs = false

    /// The name, as production has it.
    var shownName: String { isOfSeveralPairs ? "\(production)" : production.name.name }

    /// Whether it is one of these, with or without its schema; nil for all.
    func isMeant(by names: [String]?) -> Bool {
      names?.contains { $0 == production.name.name || $0 == "\(production)" } ?? true
    }

    /// total_records, pending_records, processed_records, error_records.
    func counts(_ admin: Identifier) -> SQL { progress(admin).counts }

    /// Why rows that are merged may count as pending.
    func reading(_ admin: Identifier, _ connection: Connection) throws(PostgresError) -> (
      isOtherwise: Bool, isOfFormerKey: Bool
    ) {
      guard hasLedger else { return (false, false) }
      let progress = progress(admin)
      let row = try connection.query(
        "SELECT \(progress.hasOthers), \(progress.isOfFormerKey)",
        "looking how rows of \(name) were read"
      )
      return (row.bool(0, 0) == true, row.bool(0, 1) == true)
    }

    private func progress(_ admin: Identifier) -> ProgressSQL {
      ProgressSQL(
        staging: "\(name)",
        stagingLiteral: "\(Literal(name.quoted))",
        productionLiteral: "\(Literal(production.quoted))",
        productionSchema: "\(Literal(production.schema.name))",
        version: versionType.map { ("s.\(Identifier(ColumnRules().version))", $0) },
        admin: admin,
        server: server
      )
    }
  }

  /// The type of the version column of a table `c`, if it has one and that is a time.
  static let versionType: SQL = """
    (SELECT format_type(a.atttypid, NULL) FROM pg_attribute a
     WHERE a.attrelid = c.oid AND a.attname = \(Literal(ColumnRules().version)) AND NOT a.attisdropped
       AND a.atttypid IN (\(TypeOID.timestamp), \(TypeOID.timestamptz), \(TypeOID.date)))
    """

  /// The staging tables of all pairs that can be counted here.
  static func tables(
    _ connection: Connection,
    _ schemas: Schemas,
    _ rules: ColumnRules = ColumnRules()
  ) throws(PostgresError) -> [Table] {
    try allTables(connection, schemas, rules).filter { !$0.isOfCitus }
  }

  private static func allTables(
    _ connection: Connection,
    _ schemas: Schemas,
    _ rules: ColumnRules
  ) throws(PostgresError) -> [Table] {
    let hasLedger = try AdminSchema.hasProgress(Identifier(schemas.admin), connection)
    let server: SQL? = hasLedger ? try StagingSource.server(connection).map { "\(Literal($0))" } : nil
    var tables: [Table] = []
    for (pair, names) in try names(schemas, rules, connection) {
      tables += try Self.tables(of: pair, names, connection, hasLedger: hasLedger, server).map { table in
        var table = table
        table.isOfSeveralPairs = schemas.hasSeveralPairs
        return table
      }
    }
    return tables
  }

  private static func tables(
    of schemas: Schemas,
    _ names: StagingNames,
    _ connection: Connection,
    hasLedger: Bool,
    _ server: SQL?
  ) throws(PostgresError) -> [Table] {
    let rows = try connection.query(
      """
      SELECT c.relname::text, \(versionType), c.oid, \(CitusTable.isInstalled)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relkind = 'r'
      ORDER BY c.relname
      """,
      [.text(schemas.staging)],
      "looking for the staging tables"
    )
    let oids = (0..<rows.count).map { UInt32(rows.integer($0, 2) ?? 0) }
    let ofCitus = !oids.isEmpty && rows.bool(0, 3) == true ? try CitusTable.read(oids, connection) : [:]
    return (0..<rows.count).map { row in
      let name = Identifier(rows.text(row, 0) ?? "")
      var productionName = name
      if case .found(let other) = names.production(of: name), names.staging(of: other) == .found(name) {
        productionName = other
      }
      return Table(
        name: QualifiedName(schema: Identifier(schemas.staging), name: name),
        production: QualifiedName(schema: Identifier(schemas.production), name: productionName),
        versionType: rows.text(row, 1).map { .uncheckedFromServer($0) },
        hasLedger: hasLedger,
        server: server,
        isOfCitus: ofCitus[oids[row]] != nil
      )
    }
  }
}
