import Libpq
import Logging
import Spelling

/// Makes staging tables from the production tables, the admin schema, and the views; repeatable.
///
/// What is there already is only ever added to: no column is dropped or altered.
package struct StagingSetup: Sendable {
  /// What was done to one table.
  package struct TableReport: Sendable, Codable {
    /// What was done.
    package enum Action: String, Sendable, Codable {
      /// The staging table was made.
      case created
      /// The staging table gained columns.
      case extended
      /// The staging table was complete already.
      case present
      /// The production table can't be merged.
      case skipped
    }

    /// The plain table name.
    package let table: String
    /// What was done.
    package let action: Action
    /// What exactly, or why not.
    package let note: String
  }

  private let target: ConnectionTarget
  private let options: StagingOptions
  private let logger: Logger
  private let stop: StopSignal

  /// - Parameters:
  ///   - target: the database that holds production.
  ///   - options: what to make.
  ///   - logger: gets the server's notices.
  ///   - stop: ends it early; what was not committed is not made then.
  package init(target: ConnectionTarget, options: StagingOptions, logger: Logger, stop: StopSignal = StopSignal()) {
    self.target = target
    self.options = options
    self.logger = logger
    self.stop = stop
  }

  /// Makes what is missing, all of a pair of schemas in one transaction; a table whose staging can't be made doesn't keep the
  /// others from theirs.
  ///
  /// - Throws: ``MergeFailure``; ``PostgresError`` when another statement fails, `CancellationError` when it was stopped between
  ///   two: none of the tables was made then.
  package func run() throws -> [TableReport] {
    let connection = try connect()
    return try stop.covering(connection) { try makeAll(connection) }
  }

  private func makeAll(_ connection: Connection) throws -> [TableReport] {
    try ofEachPair(connection).flatMap { own in
      try own.make(views: MonitoringViews(schemas: options.schemas, rules: options.columns), on: connection).map {
        report in
        options.schemas.hasSeveralPairs
          ? TableReport(
            table: "\(own.options.schemas.production).\(report.table)",
            action: report.action,
            note: report.note
          ) : report
      }
    }
  }

  /// The same for each pair of schemas by itself.
  private func ofEachPair(_ connection: Connection) throws -> [StagingSetup] {
    let schemas = options.schemas
    let catalog = try Catalog(connection, schemas: schemas.allProduction + schemas.allStaging)
    var merge = MergeOptions()
    (merge.schemas, merge.tables, merge.columns) = (schemas, options.tables, options.columns)
    return merge.ofEachPair(staging: catalog, production: catalog).filter { $0.tables?.isEmpty != true }.map { own in
      var options = options
      (options.schemas, options.tables, options.columns) = (own.schemas, own.tables, own.columns)
      return StagingSetup(target: target, options: options, logger: logger, stop: stop)
    }
  }

  /// - Parameter views: those of all pairs.
  private func make(views: MonitoringViews, on connection: Connection) throws -> [TableReport] {
    let catalog = try Catalog(connection, schemas: [options.schemas.production, options.schemas.staging])
    let mistakes = options.columns.mistakes(
      production: catalog.tables(in: options.schemas.production),
      staging: catalog.tables(in: options.schemas.staging)
    )
    guard mistakes.isEmpty else { throw MergeFailure.configuration(mistakes) }
    let production = try productionTables(catalog)
    // Before the transaction: it has one of its own.
    try AdminSchema(schemas: options.schemas).complete(connection)
    try RunRecord.closeDeadRuns(connection, options.schemas)
    try connection.execute("BEGIN", "starting to create staging")
    try CitusSession.keepSchemasLocal(connection)
    // IF NOT EXISTS would want the right to make schemas also where it is there.
    let operation = "creating the schema \(options.schemas.staging)"
    let isThere = try connection.query(
      "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)",
      [.text(options.schemas.staging)],
      operation
    )
    if isThere.bool(0, 0) != true {
      try connection.execute("CREATE SCHEMA \(Identifier(options.schemas.staging))", operation)
    }
    var reports: [TableReport] = []
    for table in production {
      guard stop.signal == nil else { throw CancellationError() }
      reports.append(try setUpIfPossible(table, catalog, on: connection))
    }
    try views.create(connection, logger)
    try connection.execute("COMMIT", "creating staging")
    return reports
  }

  /// The statements that give `role` what a merge needs and no more; behind them, as comments, what other commands and
  /// options need beyond that.
  ///
  /// - Parameter withOptional: also what only some options and commands need, as statements instead of as comments.
  package func grants(to role: String, withOptional: Bool = false) throws -> [String] {
    let connection = try connect()
    if try !AdminSchema(schemas: options.schemas).missingStatements(connection).isEmpty {
      logger.warning("these statements name tables that do not exist yet: run merge-engine init first")
    }
    let isRole = try connection.query(
      "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)",
      [.text(role)],
      "looking for the role \(role)"
    )
    if isRole.bool(0, 0) != true {
      logger.warning("there is no role \(role) yet: CREATE ROLE must come before these statements")
    }
    return try ofEachPair(connection).flatMap { try $0.grants(to: role, withOptional: withOptional, on: connection) }
  }

  private func grants(to role: String, withOptional: Bool, on connection: Connection) throws -> [String] {
    let catalog = try Catalog(connection, schemas: [options.schemas.production, options.schemas.staging])
    let tables = try mergeableTables(catalog)
    guard !tables.isEmpty else {
      throw MergeFailure.blocked([
        .blocker(
          .tableShape,
          nil,
          "no table in the schema \(options.schemas.production) can be merged: merge-engine init says why."
        )
      ])
    }
    let names = stagingNames(catalog)
    let grants = Grants(schemas: options.schemas, role: Identifier(role)) { names.stagingName(of: $0) }
    return try grants.statements(tables, connection).map { $0.text + ";" }
      + grants.additions(tables).map {
        withOptional
          ? "\($0.statement.text); -- for \($0.purpose)" : Self.comment("for \($0.purpose): \($0.statement.text);")
      }
  }

  /// What psql does not run, whatever is in it: a name may have line breaks, and each line needs its dashes.
  private static func comment(_ text: String) -> String {
    text.split(omittingEmptySubsequences: false) { $0.isNewline }.map { "-- \($0)" }.joined(separator: "\n")
  }

  private func connect() throws -> Connection {
    try options.schemas.requireTwo()
    let session = Session(target: target, schemas: options.schemas, logger: logger)
    return try session.reachControl()
  }

  private func productionTables(_ catalog: Catalog) throws -> [CatalogTable] {
    let all = catalog.tables(in: options.schemas.production)
    guard let names = options.tables else {
      let tables = all.filter { ($0.kind == .table || $0.kind == .partitioned) && !$0.isPartition }
      guard !tables.isEmpty else {
        throw MergeFailure.blocked([
          .blocker(
            .notFound,
            nil,
            "there is no table in the schema \(options.schemas.production). Name the production schema: "
              + "--production-schema."
          )
        ])
      }
      return tables
    }
    let blockers = names.compactMap { name -> Finding? in
      guard let table = all.first(where: { $0.name.name == Identifier(name) }) else {
        let question = Spelling.question(for: name, in: all.map(\.name.name.name))
        return .blocker(.notFound, name, "there is no table \(options.schemas.production).\(name).\(question)")
      }
      return reasonToSkip(table, catalog).map { .blocker(.tableShape, name, $0) }
    }
    guard blockers.isEmpty else { throw MergeFailure.blocked(blockers) }
    return all.filter { names.contains($0.name.name.name) }
  }

  private func mergeableTables(_ catalog: Catalog) throws -> [CatalogTable] {
    try productionTables(catalog).filter { reasonToSkip($0, catalog) == nil }
  }

  /// Why no staging is made for a table.
  private func reasonToSkip(_ table: CatalogTable, _ catalog: Catalog) -> String? {
    MergeTarget(table, options.columns).obstacles.first ?? twin(of: table, catalog)
  }

  private func stagingNames(_ catalog: Catalog) -> StagingNames {
    StagingNames(
      options.columns,
      staging: catalog.tables(in: options.schemas.staging),
      production: catalog.tables(in: options.schemas.production)
    )
  }

  /// Staging that differs from production only by case is what somebody has loaded: an empty table beside it would be the
  /// one that is merged.
  private func twin(of table: CatalogTable, _ catalog: Catalog) -> String? {
    let name = table.name.name
    let present = catalog.tables(in: options.schemas.staging).map(\.name.name)
    let isOfOther = { (other: Identifier) in
      catalog.tables(in: options.schemas.production).contains { $0.name.name == other }
    }
    let names = stagingNames(catalog)
    guard names.named(name) == nil, case .none = names.staging(of: name), !present.contains(name),
      let other = present.first(where: { Spelling.isSame($0.name, name.name) && !isOfOther($0) })
    else { return nil }
    let staging = QualifiedName(schema: Identifier(options.schemas.staging), name: other)
    let statement: SQL = "ALTER TABLE \(staging) RENAME TO \(name)"
    return
      "\(options.schemas.staging).\(other.quoted) already exists and differs from \(table.name) only in case. Have DMS load "
      + "in lower case (the rule action convert-lowercase of its mappings), match the two with --fold-case, or rename it: "
      + statement.text
  }

  /// - Returns: also when the server refuses the staging table, as one that is too wide.
  private func setUpIfPossible(
    _ table: CatalogTable,
    _ catalog: Catalog,
    on connection: Connection
  ) throws -> TableReport {
    do {
      return try Savepoint.attempt(on: connection) { try setUp(table, catalog, on: connection) }
    } catch let error as PostgresError {
      // Without the right to make tables none of them can be made.
      guard error.refusesStatement, error.sqlState != .insufficientPrivilege else { throw error }
      return TableReport(
        table: table.name.name.name,
        action: .skipped,
        note:
          "no staging table could be created for \(table.name): \(error.message)\(error.sqlState.map { " (SQLSTATE \($0))" } ?? "")"
      )
    }
  }

  /// Has the shards of a staging table lie beside those of production, if that is wanted.
  ///
  /// - Returns: what was done, as the end of a sentence.
  private func distribute(
    _ staging: QualifiedName,
    as production: CatalogTable,
    _ definition: StagingDefinition,
    on connection: Connection
  ) throws -> String {
    guard options.onNodes, let citus = production.citus, case .distributed(let column, _) = citus.kind else {
      return ""
    }
    try connection.execute(
      CitusTable.distribute(staging, by: definition.stagedName(column), beside: production.name),
      "distributing \(staging)"
    )
    return ", distributed as \(production.name)"
  }

  private func setUp(_ table: CatalogTable, _ catalog: Catalog, on connection: Connection) throws -> TableReport {
    let name = table.name.name.name
    if let reason = reasonToSkip(table, catalog) { return TableReport(table: name, action: .skipped, note: reason) }
    let staging = QualifiedName(
      schema: Identifier(options.schemas.staging),
      name: stagingNames(catalog).stagingName(of: table.name.name)
    )
    let definition = StagingDefinition(
      production: table,
      key: (MergeTarget(table, options.columns).key?.columns ?? []).map(\.name),
      rules: options.columns,
      staging: staging,
      isUnlogged: options.isUnlogged,
      hasStatus: options.hasStatusColumn
    )
    let report: TableReport
    if let present = catalog.table(staging) {
      if options.onNodes, case .distributed = table.citus?.kind,
        let obstacle = CitusTable.obstacleOnNodes(
          production: (table.name, table.citus),
          staging: (staging, present.citus)
        )
      {
        return TableReport(table: name, action: .skipped, note: obstacle)
      }
      report = try extend(present, by: definition.additions(to: present), for: table, on: connection)
    } else {
      try connection.execute(definition.create, "making \(staging)")
      report = TableReport(
        table: name,
        action: .created,
        note: "\(staging) with \(table.columns.count + (options.hasStatusColumn ? 1 : 0)) columns"
          + (try distribute(staging, as: table, definition, on: connection))
      )
    }
    if options.indexesVersion {
      try connection.execute(
        definition.indexVersion(options.columns.version(of: name), in: catalog.table(staging)),
        "indexing \(staging)"
      )
    }
    return report
  }

  /// Adds columns that staging lacks; of a table that holds rows only those that say nothing about them. A row says of a column that it was
  /// loaded without that production's value is NULL, and a merge would write that.
  private func extend(
    _ present: CatalogTable,
    by additions: [StagingDefinition.Addition],
    for table: CatalogTable,
    on connection: Connection
  ) throws(PostgresError) -> TableReport {
    let (name, staging) = (table.name.name.name, present.name)
    // Changing it writes all rows of the table anew, under a lock that keeps everybody from it.
    let change: SQL = "ALTER TABLE \(staging) SET UNLOGGED"
    let isLogged = options.isUnlogged && !present.isUnlogged
    let logging = isLogged ? ["it is logged as before; to change that: \(change.text)"] : []
    func report(_ action: TableReport.Action, _ notes: [String]) -> TableReport {
      TableReport(table: name, action: action, note: (notes + logging).joined(separator: "; "))
    }
    guard !additions.isEmpty else { return report(.present, ["\(staging) is complete"]) }
    let operation = "extending \(staging)"
    var holdsRows = false
    if additions.contains(where: \.isData) {
      // Nobody loads a row in between.
      try connection.execute("LOCK TABLE \(staging) IN ACCESS EXCLUSIVE MODE", operation)
      holdsRows = try connection.query("SELECT EXISTS (SELECT FROM \(staging))", operation).bool(0, 0) == true
    }
    func list(_ additions: [StagingDefinition.Addition]) -> String {
      additions.map(\.name.name).joined(separator: ", ")
    }
    let added = additions.filter { !$0.isData || !holdsRows }
    let left = additions.filter { $0.isData && holdsRows }
    var notes: [String] = []
    if !added.isEmpty {
      try connection.execute("ALTER TABLE \(staging) \(added.map(\.clause).joined(", "))", operation)
      notes.append("\(staging) gained \(list(added))")
    }
    if !left.isEmpty {
      notes.append(
        "\(staging) lacks \(list(left)) still: its rows were loaded without \(left.count == 1 ? "it" : "them"), and would be merged as NULL. Empty it, "
          + "and run init again before the next load"
      )
    }
    return report(added.isEmpty ? .present : .extended, notes)
  }
}
