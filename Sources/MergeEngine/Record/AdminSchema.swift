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
    /// Some of the names are taken: ``StrangeTables`` says which.
    let hasStrangeTables: Bool
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
      "merge_progress.superseded_at", "merge_progress.key_text_start", "merge_progress.whole_file_node",
      "merge_progress.version_reading", "merge_progress.production_schema", "merge_errors.staging_xmin",
      "merge_errors.production_schema",
      "merge_errors.production_oid",
    ])
  }

  /// Whether the progress of replays that an earlier version has begun may stand in a table of its own.
  func hasFormerProgress(_ connection: Connection) throws(PostgresError) -> Bool {
    try columns(connection).contains("\(SnapshotProgress.formerTable).snapshot_id")
  }

  /// What ``inventory(_:)`` asks.
  var inventoryQuery: Query {
    Query(
      """
      SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1),
             coalesce((SELECT array_to_string(array_agg(format('%s.%s', c.relname, a.attname)), ',')
                       FROM pg_class c
                       JOIN pg_namespace n ON n.oid = c.relnamespace
                       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                       WHERE n.nspname = $1), ''),
             EXISTS (SELECT FROM (\(StrangeTables.query)) AS strange)
      """,
      [.text(schemas.admin)],
      "looking for the admin schema"
    )
  }

  /// Looks what is there.
  func inventory(_ connection: Connection) throws(PostgresError) -> Inventory {
    let state = try connection.query(inventoryQuery)
    return Inventory(
      hasSchema: state.bool(0, 0) == true,
      columns: Set((state.text(0, 1) ?? "").split(separator: ",").map(String.init)),
      hasStrangeTables: state.bool(0, 2) == true
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
    let strange = try StrangeTables(admin: schemas.admin, connection: connection).findings()
    guard strange.isEmpty else { throw MergeFailure.blocked(strange) }
    do {
      try makeMissing(connection)
      return true
    } catch {
      guard error.origin == .server, error.sqlState?.isWorthRetrying == false else { throw error }
      try connection.execute("ROLLBACK", "rolling back the creation of the admin schema")
      let mayNot = error.sqlState == .insufficientPrivilege && !error.isRaised
      throw MergeFailure.blocked([mayNot ? obstacle(statements, reason: error.message) : refusal(error)])
    }
  }

  /// The role may, and something in the database keeps it from it.
  private func refusal(_ error: PostgresError) -> Finding {
    let state = error.sqlState.map { " (SQLSTATE \($0))" } ?? ""
    return .blocker(
      .adminSchema,
      nil,
      "the admin schema \(schemas.admin) can't be created: \(error.message)\(state). If an event trigger refuses it (SELECT evtname "
        + "FROM pg_event_trigger), exempt the schema from it, or disable it for now: ALTER EVENT TRIGGER … DISABLE"
    )
  }

  /// What to tell somebody who may not make what is missing.
  func obstacle(_ statements: [SQL], reason: String?) -> Finding {
    let script = statements.map { $0.text + ";" }.joined(separator: "\n")
    let because = reason.map { " (\($0))" } ?? ""
    let isThere = !statements.contains { $0.text.hasPrefix("CREATE SCHEMA") }
    let advice =
      isThere
      ? "the admin schema \(schemas.admin) is incomplete, and this role may not change it\(because). Have its owner run "
        + "merge-engine init"
      : "there is no admin schema \(schemas.admin), and this role may not create it\(because). Have the database's owner run "
        + "merge-engine init, and what merge-engine init --print-grants prints for this role"
    return .blocker(.adminSchema, nil, "\(advice); or these statements:\n\(script)")
  }

  /// Keeps others, until the transaction ends, from making what the admin schema holds.
  static func lock(_ connection: Connection) throws(PostgresError) {
    _ = try connection.query(
      "SELECT pg_advisory_xact_lock(\(AdvisoryLock.adminSchemaClass), 0)",
      "waiting for another run to create the admin schema"
    )
  }

  /// Two runs may find the same gap; the lock makes the second wait, look again, and find it closed.
  private func makeMissing(_ connection: Connection) throws(PostgresError) {
    try connection.execute("BEGIN", "starting to create the admin schema")
    try CitusSession.keepSchemasLocal(connection)
    try Self.lock(connection)
    let statements = try missingStatements(connection)
    if !statements.isEmpty { try connection.execute(statements.joined(";\n"), "creating the admin schema") }
    try connection.execute("COMMIT", "creating the admin schema")
  }
}
