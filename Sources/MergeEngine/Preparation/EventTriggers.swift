import Libpq

/// Event triggers that refuse the tables which a merge makes for itself.
///
/// Only their own code knows what they refuse, so it is tried, in a transaction that is rolled back, where one could fire at
/// all.
struct EventTriggers {
  let plan: MergePlan
  let options: MergeOptions
  let connection: Connection

  /// Those that could fire.
  static var query: Query {
    Query(
      """
      SELECT evtname::text, pg_is_in_recovery() FROM pg_event_trigger
      WHERE evtevent IN ('ddl_command_start', 'ddl_command_end')
        AND (evttags IS NULL OR evttags && ARRAY['CREATE TABLE AS', 'CREATE TABLE', 'ALTER TABLE', 'CREATE SCHEMA'])
        AND (evtenabled = 'A'
             OR evtenabled = CASE WHEN current_setting('session_replication_role') = 'replica' THEN 'R' ELSE 'O' END)
      ORDER BY evtname
      """,
      "reading the event triggers"
    )
  }

  func findings() throws(PostgresError) -> [Finding] {
    let rows = try connection.query(Self.query)
    // A standby writes nothing, and so makes no tables.
    guard rows.count > 0, rows.bool(0, 1) == false else { return [] }
    var statements = plan.tables.enumerated().map { index, table in
      ApplySQL.createBatchTable(table, Identifier("merge_engine_trial_\(index)"))
    }
    if options.beforeImages, try hasAdminSchema(), let table = plan.tables.first {
      let name = QualifiedName(schema: options.schemas.admin, name: "merge_engine_trial")
      statements.append(BeforeImageTable.create(name, for: table))
    }
    let ofTables = try refusal(of: statements)
    // What the role may not make is found elsewhere.
    let ofAdmin =
      try ofTables == nil ? refusal(of: AdminSchema(schemas: options.schemas).missingStatements(connection)) : nil
    guard let refusal = ofTables ?? ofAdmin, refusal.sqlState != .insufficientPrivilege || refusal.isRaised else {
      return []
    }
    let triggers = (0..<rows.count).compactMap { rows.text($0, 0) }.map { Identifier($0) }
    let disabling = triggers.map { "ALTER EVENT TRIGGER \($0) DISABLE;" as SQL }.joined(" ")
    return [
      .blocker(
        .eventTrigger,
        nil,
        "the server would refuse a merge's \(ofTables == nil ? "admin schema" : "temporary tables"): \(refusal.message)"
          + (refusal.sqlState.map { " (SQLSTATE \($0))" } ?? "")
          + ". Exempt pg_temp and the schema \(options.schemas.admin) from the event trigger, or disable it during the merge: "
          + disabling.text
      )
    ]
  }

  private func hasAdminSchema() throws(PostgresError) -> Bool {
    try connection.query(
      "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1 AND has_schema_privilege(oid, 'CREATE'))",
      [.text(options.schemas.admin)],
      "looking for the admin schema"
    ).bool(0, 0) == true
  }

  private func refusal(of statements: [SQL]) throws(PostgresError) -> PostgresError? {
    let operation = "checking whether temporary tables can be created"
    do throws(PostgresError) {
      try connection.execute("BEGIN READ WRITE", operation)
      for statement in statements { try connection.execute(statement, operation) }
      try connection.execute("ROLLBACK", operation)
      return nil
    } catch {
      guard !connection.isBroken else { throw error }
      try connection.execute("ROLLBACK", operation)
      guard error.refusesStatement else { throw error }
      return error
    }
  }
}
