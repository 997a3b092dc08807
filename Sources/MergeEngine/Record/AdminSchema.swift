import Libpq

/// The admin schema: the guide's tables and views, with this engine's columns added.
///
/// Nothing is ever dropped or altered but by adding: tables made by the guide's own SQL keep their rows and gain
/// columns, and what is complete already is not touched, so that a role that owns nothing can merge.
struct AdminSchema {
  let schemas: Schemas

  /// What is there.
  struct Inventory {
    let hasSchema: Bool
    /// Of all its tables, as `merge_summary.id`.
    let columns: Set<String>
  }

  /// The statements that would bring the schema up to date; empty when nothing is missing.
  func missingStatements(_ connection: Connection) throws(PostgresError) -> [SQL] {
    missingStatements(try inventory(connection))
  }

  /// The same by what is known to be there.
  func missingStatements(_ inventory: Inventory) -> [SQL] {
    let admin = Identifier(schemas.admin)
    let present = inventory.columns
    var statements: [SQL] = []
    if !inventory.hasSchema { statements.append("CREATE SCHEMA \(admin)") }
    for table in AdminTables.all {
      let isThere = present.contains { $0.hasPrefix(table.name + ".") }
      if !isThere {
        statements.append("CREATE TABLE \(admin).\(Identifier(table.name)) (\(table.keyColumn))")
        // No publication FOR ALL TABLES may stop a run from being recorded.
        if !table.hasKey { statements.append("ALTER TABLE \(admin).\(Identifier(table.name)) REPLICA IDENTITY FULL") }
      }
      let missing = table.columns.filter { !present.contains("\(table.name).\($0.text.prefix { $0 != " " })") }
      if !missing.isEmpty {
        let additions = missing.map { "ADD COLUMN \($0)" as SQL }.joined(", ")
        statements.append("ALTER TABLE \(admin).\(Identifier(table.name)) \(additions)")
        if isThere, missing.contains(AdminTables.productionSchema), table.columns.contains(AdminTables.stagingSchema) {
          statements.append(PairSQL.fill(QualifiedName(schema: schemas.admin, name: table.name), admin: admin))
        }
      }
    }
    return statements
  }

  /// What is there: tables and columns, as `merge_summary.id`.
  ///
  /// For commands that only look, and do with what an earlier version or the guide's own SQL has made.
  func columns(_ connection: Connection) throws(PostgresError) -> Set<String> { try inventory(connection).columns }

  /// What tells which run a row is of, and which schemas a run had; the guide's own tables have none of it.
  static let runColumns: Set<String> = ["merge_logs.run_id", "merge_summary.parameters"]

  /// Whether the ledger is there as this version has it, and refusals with the places of their rows.
  static func hasProgress(_ admin: Identifier, _ connection: Connection) throws(PostgresError) -> Bool {
    var schemas = Schemas()
    schemas.admin = admin.name
    let columns = try AdminSchema(schemas: schemas).columns(connection)
    return columns.isSuperset(of: [
      "merge_progress.superseded_at", "merge_progress.key_start",
      "merge_errors.staging_xmin", "merge_errors.production_schema",
    ])
  }

  /// Whether the progress of replays that an earlier version has begun may stand in a table of its own.
  func hasFormerProgress(_ connection: Connection) throws(PostgresError) -> Bool {
    try columns(connection).contains("\(SnapshotProgress.formerTable).snapshot_id")
  }

  /// Looks what is there.
  func inventory(_ connection: Connection) throws(PostgresError) -> Inventory {
    let state = try connection.query(
      """
      SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1),
             coalesce((SELECT array_to_string(array_agg(format('%s.%s', c.relname, a.attname)), ',')
                       FROM pg_class c
                       JOIN pg_namespace n ON n.oid = c.relnamespace
                       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                       WHERE n.nspname = $1), '')
      """,
      [.text(schemas.admin)],
      "looking for the admin schema"
    )
    return Inventory(
      hasSchema: state.bool(0, 0) == true,
      columns: Set((state.text(0, 1) ?? "").split(separator: ",").map(String.init))
    )
  }

  /// The plain names of all tables.
  static var tableNames: [Identifier] { AdminTables.all.map { Identifier($0.name) } }

  /// For commands on the records of runs that make nothing themselves.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` when there are none, or not as this version has them.
  func require(_ connection: Connection) throws {
    guard try !missingStatements(connection).isEmpty else { return }
    let wasMerged = try columns(connection).contains("merge_summary.parameters")
    throw MergeFailure.blocked([
      .blocker(
        .adminSchema,
        nil,
        wasMerged
          ? "the admin schema \(schemas.admin) belongs to an earlier version: merge-engine init, or the next merge, completes it."
          : "the admin schema \(schemas.admin) is missing or incomplete: nothing has been merged yet."
      )
    ])
  }

  /// Makes what is missing.
  ///
  /// - Returns: whether anything was.
  /// - Throws: ``MergeFailure/blocked(_:)`` with the statements to run when the role may not.
  @discardableResult
  func complete(_ connection: Connection) throws -> Bool {
    let statements = try missingStatements(connection)
    guard !statements.isEmpty else { return false }
    do {
      try makeMissing(connection)
      return true
    } catch {
      guard error.origin == .server, error.sqlState?.isWorthRetrying == false else { throw error }
      try connection.execute("ROLLBACK", "giving up making the admin schema")
      throw MergeFailure.blocked([obstacle(statements, reason: error.message)])
    }
  }

  /// What to tell somebody who may not make what is missing.
  func obstacle(_ statements: [SQL], reason: String?) -> Finding {
    let script = statements.map { $0.text + ";" }.joined(separator: "\n")
    return .blocker(
      .adminSchema,
      nil,
      "the admin schema \(schemas.admin) is incomplete, and this role may not change it\(reason.map { " (\($0))" } ?? ""). "
        + "Have its owner run merge-engine init, or these statements:\n\(script)"
    )
  }

  /// Two runs may find the same gap; the lock makes the second wait, look again, and find it closed.
  private func makeMissing(_ connection: Connection) throws(PostgresError) {
    try connection.execute("BEGIN", "beginning to make the admin schema")
    try CitusSession.keepSchemasLocal(connection)
    _ = try connection.query(
      "SELECT pg_advisory_xact_lock(\(AdvisoryLock.adminSchemaClass), 0)",
      "waiting for another run to make the admin schema"
    )
    let statements = try missingStatements(connection)
    if !statements.isEmpty { try connection.execute(statements.joined(";\n"), "making the admin schema") }
    try connection.execute("COMMIT", "making the admin schema")
  }
}

/// The admin tables, column by column.
private enum AdminTables {
  struct Table {
    let name: String
    let keyColumn: SQL
    /// Whether the key column is a primary key.
    var hasKey: Bool { keyColumn.text.hasSuffix("PRIMARY KEY") }
    /// Their definitions, the name first.
    let columns: [SQL]
  }

  static let productionSchema: SQL = "production_schema text"
  static let stagingSchema: SQL = "staging_schema text"

  static let all = [
    Table(
      name: "merge_summary",
      keyColumn: "id serial PRIMARY KEY",
      columns: [
        "merge_start timestamp", "merge_end timestamp", "status varchar(20)", "notes text", "parameters jsonb",
        "engine_version text", "warnings jsonb",
        // Why a running merge begins no batch; NULL when it does.
        "paused_because text",
      ]
    ),
    Table(
      name: "merge_logs",
      keyColumn: "id serial PRIMARY KEY",
      columns: [
        "table_name varchar(100)", "merge_time timestamp", "records_updated bigint", "records_inserted bigint",
        "run_id integer", "records_read bigint", "records_unchanged bigint", "records_stale bigint",
        "records_duplicate bigint", "records_error bigint", "lost_races bigint", "batches bigint", "elapsed_ms bigint",
        // Which table that is, and the window of its versions as text that no setting changes.
        stagingSchema, productionSchema, "version_from text", "version_to text",
        // Extra rows that a repair has deleted.
        "records_deleted bigint",
        // Pages of production that were visited, and those of them that had to be read.
        "pages_visited bigint", "pages_read bigint",
      ]
    ),
    Table(
      name: "merge_errors",
      keyColumn: "id bigserial PRIMARY KEY",
      columns: [
        "run_id integer", "table_name text", "row_key jsonb", "sqlstate text", "message text", "detail text",
        "row_data jsonb", "failed_at timestamp", "retried_at timestamp", "snapshot_id text", "snapshot_row bigint",
        // Set by `errors dismiss`.
        "dismissed_at timestamp", "dismissed_because text",
        // What tells whether the staging row is still there as it was refused.
        "staging_source text", "staging_file_node bigint", "staging_address tid", "staging_xmin bigint",
        stagingSchema, productionSchema,
      ]
    ),
    // What of which staging is merged. A row is written in the transaction of the rows it speaks of.
    Table(
      name: ProgressTable.name,
      keyColumn: "id bigserial PRIMARY KEY",
      columns: [
        "run_id integer", "table_name text", "production_oid bigint",
        // The staging table, or the snapshot and its table; and what tells its content from any other.
        "staging text", "source text", "file_node bigint",
        "place_start tid", "place_end tid", "first_row bigint", "row_count bigint",
        "horizon bigint", "recent bigint[]", "next_id bigint", "version_from text", "version_to text", "marker bigint",
        // Rows that are to be read again, or have been; an entry that has these says nothing else.
        "reopened tid[]", "settled tid[]",
        // In the place of addresses a stretch of keys, which are integers.
        "key_columns text[]", "key_start bigint[]", "key_end bigint[]",
        "records bigint", "recorded_at timestamp", "superseded_at timestamp",
      ]
    ),
    // A row a batch: when, by which worker, and what it came to. What the report draws its rates from.
    Table(
      name: "merge_batches",
      keyColumn: "id bigserial PRIMARY KEY",
      columns: [
        "run_id integer", "table_name text", "worker integer", "started_at timestamp", "finished_at timestamp",
        "records_read bigint", "records_inserted bigint", "records_updated bigint", "records_unchanged bigint",
        "records_stale bigint", "records_duplicate bigint", "records_error bigint", "lost_races bigint",
        "elapsed_ms bigint",
        // Of several pairs of schemas two may have a table of that name.
        productionSchema,
      ]
    ),
    // What runs were asked to do from other terminals.
    Table(
      name: RunControls.name,
      keyColumn: "id bigserial PRIMARY KEY",
      columns: [
        "run_id integer", "action text", "value bigint", "requested_at timestamp", "requested_by text",
        "taken_at timestamp",
      ]
    ),
    Table(
      name: "merge_verifications",
      keyColumn: "id bigserial PRIMARY KEY",
      columns: [
        "run_id integer", "verified_at timestamp", "report jsonb",
      ]
    ),
    Table(
      name: "before_images",
      keyColumn: "image_oid oid PRIMARY KEY",
      columns: [
        "run_id integer", "schema_name text", "table_name text", "image_table text", "production_oid oid",
        "key_column_count integer", "created_at timestamp", "created_xid bigint", "records_restored bigint DEFAULT 0",
        "records_deleted bigint DEFAULT 0", "dropped_at timestamp",
      ]
    ),
  ]
}
