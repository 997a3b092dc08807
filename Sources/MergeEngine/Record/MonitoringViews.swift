import Libpq
import Logging

/// The guide's two views, over every staging table instead of two.
struct MonitoringViews {
  let schemas: Schemas
  /// What staging calls otherwise, as the file says for all pairs.
  let rules: ColumnRules

  private static let statusName = "oracle_pg_migration_status"
  private static let typesName = "oracle_pg_type_verification"

  /// Makes both views, or brings them up to date with the staging tables there are, within the open transaction.
  func create(_ connection: Connection, _ logger: Logger) throws {
    try AdminSchema.lock(connection)
    for view in [Self.statusName, Self.typesName] {
      try replace(view, try query(of: view, connection), on: connection, logger: logger)
    }
  }

  /// A view of that name with other columns, or of another owner, is somebody's own work and stays.
  private func replace(_ view: String, _ query: SQL, on connection: Connection, logger: Logger) throws {
    do {
      try Savepoint.attempt(on: connection) {
        _ = try connection.execute("CREATE OR REPLACE VIEW \(name(view)) AS \(query)", "creating the view \(view)")
      }
    } catch let error as PostgresError
      where [.insufficientPrivilege, .invalidTableDefinition, .wrongObjectType].contains(error.sqlState)
    {
      logger.warning("the view \(schemas.admin).\(view) was left as it is: \(error.message)")
    }
  }

  /// What the admin schema holds.
  var namesQuery: Query {
    Query(
      "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1",
      [.text(schemas.admin)],
      "looking for the monitoring views"
    )
  }

  /// Makes the views that are not there. What a merge does; without the right to, it goes on without them.
  func createMissing(_ connection: Connection, _ logger: Logger) throws(PostgresError) {
    guard try !missingNames(connection).isEmpty else { return }
    try connection.execute("BEGIN", "starting to create the monitoring views")
    do {
      try AdminSchema.lock(connection)
      // Another run may have made them meanwhile.
      connection.forgetAnswers()
      for view in try missingNames(connection) {
        let query = try query(of: view, connection)
        try connection.execute("CREATE VIEW \(name(view)) AS \(query)", "creating the view \(view)")
      }
      try connection.execute("COMMIT", "creating the monitoring views")
    } catch {
      guard error.sqlState == .insufficientPrivilege else { throw error }
      try connection.execute("ROLLBACK", "leaving the monitoring views out")
      logger.warning(
        "the monitoring views are missing, and this role may not create them; merge-engine init creates them"
      )
    }
  }

  private func missingNames(_ connection: Connection) throws(PostgresError) -> [String] {
    let present = try connection.query(namesQuery)
    let names = (0..<present.count).compactMap { present.text($0, 0) }
    return [Self.statusName, Self.typesName].filter { !names.contains($0) }
  }

  private func query(of view: String, _ connection: Connection) throws(PostgresError) -> SQL {
    view == Self.statusName ? try statusQuery(connection) : TypeComparisonSQL(schemas: schemas, rules: rules).query
  }

  private func name(_ view: String) -> QualifiedName { QualifiedName(schema: schemas.admin, name: view) }

  /// What the ledger says of every staging table there is when somebody asks.
  ///
  /// Through `ts_stat`, the one function of every server that reads whatever query it is given, so that the view depends on no
  /// staging table: one that did would keep DMS from dropping it. The four counts are the one word of the one text that it reads.
  ///
  /// Without JIT until the transaction ends: of so long a query compiling takes ten times as long as running, for each table anew.
  private func statusQuery(_ connection: Connection) throws(PostgresError) -> SQL {
    let admin = Identifier(schemas.admin)
    let server: SQL? = try StagingSource.server(connection) == nil ? nil : StagingSource.serverNumber
    let names: [SQL] = ["total_records", "pending_records", "processed_records", "error_records"]
    // Filled in by `format`: the staging table, the same as a constant, its production table as one, the version's type, the schema.
    func text(version: (value: SQL, type: SQL)?) -> Literal {
      let counts = ProgressSQL(
        staging: .uncheckedFromServer("%1$s"),
        stagingLiteral: .uncheckedFromServer("%2$L"),
        productionLiteral: .uncheckedFromServer("%3$L"),
        productionSchema: .uncheckedFromServer("%5$L"),
        version: version,
        // In a template of `format`, too.
        admin: Identifier(schemas.admin.replacing("%", with: "%%")),
        server: server
      ).counts
      let query: SQL = "SELECT array_to_tsvector(ARRAY[concat_ws(' ', \(names.joined(", ")))]) FROM (\(counts)) AS c"
      return Literal(query.statement)
    }
    let whole = text(version: nil)
    let windowed = text(
      version: (value: "s.\(Identifier(ColumnRules().version))", type: .uncheckedFromServer("%4$s"))
    )
    let pairs = schemas.pairs.map { "(\(Literal($0.staging))::text, \(Literal($0.production))::text)" as SQL }
    let shown: SQL =
      schemas.hasSeveralPairs ? "concat(t.production_schema, '.', t.production_name)" : "t.production_name::text"
    let columns = names.enumerated().map { index, name in
      "split_part(x.word, ' ', \(index + 1))::bigint AS \(name)" as SQL
    }
    return """
      SELECT \(shown) COLLATE "default" AS table_name, \(columns.joined(", "))
      FROM (
        SELECT w.production_name, p.production AS production_schema, format('%I.%I', n.nspname, c.relname) AS quoted,
               concat('"', replace(n.nspname, '"', '""'), '"."', replace(c.relname, '"', '""'), '"') AS staging,
               format('%I.%I', p.production, w.production_name) AS production,
               \(StagingStatus.versionType) AS version_type
        FROM (VALUES \(pairs.joined(", "))) AS p (staging, production)
        JOIN pg_namespace n ON n.nspname = p.staging
        JOIN pg_class c ON c.relnamespace = n.oid
        CROSS JOIN LATERAL (SELECT \(productionName(admin, server)) AS production_name) AS w
        WHERE c.relkind = 'r'
      ) AS t
      CROSS JOIN LATERAL ts_stat(
        format(CASE WHEN set_config('jit', 'off', true) = 'off'
                    THEN CASE WHEN t.version_type IS NULL THEN \(whole) ELSE \(windowed) END END,
               t.quoted, t.staging, t.production, t.version_type, t.production_schema)
      ) AS x
      """
  }

  /// The name of the production table that a staging table `c` was last merged into, or else would be by its own name: the
  /// ledger knows names that only the file gives.
  private func productionName(_ admin: Identifier, _ server: SQL?) -> SQL {
    """
    coalesce(
      (SELECT q.relname FROM \(admin).merge_progress AS g
       JOIN pg_class q ON q.oid = g.production_oid::oid JOIN pg_namespace m ON m.oid = q.relnamespace
       WHERE \(ProgressSQL.isOf("g.source", oid: "c.oid", server: server)) AND m.nspname = p.production
       ORDER BY g.id DESC LIMIT 1),
      c.relname)
    """
  }
}
