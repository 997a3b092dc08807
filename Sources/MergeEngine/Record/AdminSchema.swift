import Libpq

/// The admin schema: the guide's tables and views, with this engine's columns added.
///
/// Nothing is ever dropped or altered but by adding: tables made by the guide's own SQL keep their rows and gain
/// columns, and what is complete already is not touched, so that a role that owns nothing can merge.
struct AdminSchema {
  let schemas: Schemas

  /// The statements that would bring the schema up to date; empty when nothing is missing.
  func missingStatements(_ connection: Connection) throws(PostgresError) -> [SQL] {
    let admin = Identifier(schemas.admin)
    let (isThere, present) = try inventory(connection)
    var statements: [SQL] = []
    if !isThere { statements.append("CREATE SCHEMA \(admin)") }
    for table in AdminTables.all {
      let isThere = present.contains { $0.hasPrefix(table.name + ".") }
      if !isThere { statements.append("CREATE TABLE \(admin).\(Identifier(table.name)) (\(table.keyColumn))") }
      let missing = table.columns.filter { !present.contains("\(table.name).\($0.name)") }
      if !missing.isEmpty {
        let additions = missing.map { "ADD COLUMN \(Identifier($0.name)) \($0.type)" as SQL }.joined(", ")
        statements.append("ALTER TABLE \(admin).\(Identifier(table.name)) \(additions)")
      }
    }
    return statements
  }

  /// What is there: tables and columns, as `merge_summary.id`.
  ///
  /// For commands that only look, and do with what an earlier version or the guide's own SQL has made.
  func columns(_ connection: Connection) throws(PostgresError) -> Set<String> { try inventory(connection).columns }

  private func inventory(_ connection: Connection) throws(PostgresError) -> (isThere: Bool, columns: Set<String>) {
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
    return (state.bool(0, 0) == true, Set((state.text(0, 1) ?? "").split(separator: ",").map(String.init)))
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
        nil,
        wasMerged
          ? "the admin schema \(schemas.admin) is an earlier version's: merge-engine init, or the next merge, completes it."
          : "the admin schema \(schemas.admin) is missing or incomplete: nothing has been merged yet."
      )
    ])
  }

  /// Makes what is missing.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` with the statements to run when the role may not.
  func complete(_ connection: Connection) throws {
    let statements = try missingStatements(connection)
    guard !statements.isEmpty else { return }
    do {
      try makeMissing(connection)
    } catch {
      guard error.sqlState == .insufficientPrivilege else { throw error }
      try connection.execute("ROLLBACK", "giving up making the admin schema")
      let script = statements.map { $0.text + ";" }.joined(separator: "\n")
      throw MergeFailure.blocked([
        .blocker(
          nil,
          "the admin schema \(schemas.admin) is incomplete, and this role may not change it (\(error.message)). Have "
            + "its owner run merge-engine init, or these statements:\n\(script)"
        )
      ])
    }
  }

  /// Two runs may find the same gap; the lock makes the second wait, look again, and find it closed.
  private func makeMissing(_ connection: Connection) throws(PostgresError) {
    try connection.execute("BEGIN", "beginning to make the admin schema")
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
    let columns: [Column]
  }

  struct Column {
    let name: String
    let type: SQL
  }

  static let all = [
    Table(
      name: "merge_summary",
      keyColumn: "id serial PRIMARY KEY",
      columns: [
        Column(name: "merge_start", type: "timestamp"),
        Column(name: "merge_end", type: "timestamp"),
        Column(name: "status", type: "varchar(20)"),
        Column(name: "notes", type: "text"),
        Column(name: "parameters", type: "jsonb"),
        Column(name: "engine_version", type: "text"),
        Column(name: "warnings", type: "jsonb"),
      ]
    ),
    Table(
      name: "merge_logs",
      keyColumn: "id serial PRIMARY KEY",
      columns: [
        Column(name: "table_name", type: "varchar(100)"),
        Column(name: "merge_time", type: "timestamp"),
        Column(name: "records_updated", type: "bigint"),
        Column(name: "records_inserted", type: "bigint"),
        Column(name: "run_id", type: "integer"),
        Column(name: "records_read", type: "bigint"),
        Column(name: "records_unchanged", type: "bigint"),
        Column(name: "records_stale", type: "bigint"),
        Column(name: "records_duplicate", type: "bigint"),
        Column(name: "records_error", type: "bigint"),
        Column(name: "lost_races", type: "bigint"),
        Column(name: "batches", type: "bigint"),
        Column(name: "elapsed_ms", type: "bigint"),
      ]
    ),
    Table(
      name: "merge_errors",
      keyColumn: "id bigserial PRIMARY KEY",
      columns: [
        Column(name: "run_id", type: "integer"),
        Column(name: "table_name", type: "text"),
        Column(name: "row_key", type: "jsonb"),
        Column(name: "sqlstate", type: "text"),
        Column(name: "message", type: "text"),
        Column(name: "detail", type: "text"),
        Column(name: "row_data", type: "jsonb"),
        Column(name: "failed_at", type: "timestamp"),
        Column(name: "retried_at", type: "timestamp"),
        Column(name: "snapshot_id", type: "text"),
        Column(name: "snapshot_row", type: "bigint"),
        // Set when the run has read the table from its first row again, and may refuse the row again.
        Column(name: "forgotten_at", type: "timestamp"),
      ]
    ),
    Table(
      name: "snapshot_progress",
      keyColumn: "snapshot_id text NOT NULL",
      columns: [
        Column(name: "table_name", type: "text"),
        Column(name: "production_oid", type: "bigint"),
        Column(name: "version_from", type: "text"),
        Column(name: "version_to", type: "text"),
        Column(name: "first_row", type: "bigint"),
        Column(name: "row_count", type: "bigint"),
        Column(name: "run_id", type: "integer"),
      ]
    ),
    // A row a batch: when, by which worker, and what it came to. What the report draws its rates from.
    Table(
      name: "merge_batches",
      keyColumn: "id bigserial PRIMARY KEY",
      columns: [
        Column(name: "run_id", type: "integer"),
        Column(name: "table_name", type: "text"),
        Column(name: "worker", type: "integer"),
        Column(name: "started_at", type: "timestamp"),
        Column(name: "finished_at", type: "timestamp"),
        Column(name: "records_read", type: "bigint"),
        Column(name: "records_inserted", type: "bigint"),
        Column(name: "records_updated", type: "bigint"),
        Column(name: "records_unchanged", type: "bigint"),
        Column(name: "records_stale", type: "bigint"),
        Column(name: "records_duplicate", type: "bigint"),
        Column(name: "records_error", type: "bigint"),
        Column(name: "lost_races", type: "bigint"),
        Column(name: "elapsed_ms", type: "bigint"),
        // Set when the run has read the table from its first row again, and counted again.
        Column(name: "forgotten_at", type: "timestamp"),
      ]
    ),
    Table(
      name: "merge_verifications",
      keyColumn: "id bigserial PRIMARY KEY",
      columns: [
        Column(name: "run_id", type: "integer"),
        Column(name: "verified_at", type: "timestamp"),
        Column(name: "report", type: "jsonb"),
      ]
    ),
    Table(
      name: "before_images",
      keyColumn: "image_oid oid PRIMARY KEY",
      columns: [
        Column(name: "run_id", type: "integer"),
        Column(name: "schema_name", type: "text"),
        Column(name: "table_name", type: "text"),
        Column(name: "image_table", type: "text"),
        Column(name: "production_oid", type: "oid"),
        Column(name: "key_column_count", type: "integer"),
        Column(name: "created_at", type: "timestamp"),
        Column(name: "created_xid", type: "bigint"),
        Column(name: "records_restored", type: "bigint DEFAULT 0"),
        Column(name: "records_deleted", type: "bigint DEFAULT 0"),
        Column(name: "dropped_at", type: "timestamp"),
      ]
    ),
  ]
}
