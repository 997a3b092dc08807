import Libpq

/// Whether a run can be recorded: the admin tables are there or can be made, and may be written.
struct AdminAccess {
  let options: MergeOptions
  let plan: MergePlan
  let connection: Connection

  func findings() throws -> [Finding] {
    let admin = AdminSchema(schemas: options.schemas)
    let inventory = try admin.inventory(connection)
    guard !inventory.hasStrangeTables else {
      return try StrangeTables(admin: options.schemas.admin, connection: connection).findings()
    }
    let missing = admin.missingStatements(inventory)
    guard missing.isEmpty else { return try mayMake(missing) ? [] : [admin.obstacle(missing, reason: nil)] }
    let isReplay = ReplayProgress(plan, options.schemas).isReplay
    let denied = try AccessCheck(schemas: options.schemas)
      .adminBlockers(connection, makesTables: options.beforeImages, replays: isReplay)
    guard denied.isEmpty else { return denied }
    return try unwritable(inventory.columns, isReplay: isReplay)
  }

  private func mayMake(_ statements: [SQL]) throws(PostgresError) -> Bool {
    let extends = statements.contains { $0.text.hasPrefix("ALTER TABLE") }
    return try connection.query(
      """
      SELECT CASE WHEN n.oid IS NULL THEN has_database_privilege(current_database(), 'CREATE')
                  ELSE has_schema_privilege(n.oid, 'CREATE')
                       AND NOT ($2 AND EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind = 'r'
                                               AND c.relname = ANY ($3::text[]) AND NOT pg_has_role(c.relowner, 'USAGE')))
             END
      FROM (SELECT) AS one LEFT JOIN pg_namespace n ON n.nspname = $1
      """,
      [
        .text(options.schemas.admin), .bool(extends), .textArray(AdminSchema.tableNames.map(\.name)),
      ],
      "reading the role's rights on the admin schema"
    ).bool(0, 0) == true
  }

  /// The tables that every run writes.
  static func writtenTables(_ options: MergeOptions) -> [String] {
    ["merge_summary", "merge_logs", "merge_errors", "merge_progress"] + (options.beforeImages ? ["before_images"] : [])
  }

  /// What the server would refuse all the same: tables that others have put under row-level security or a publication.
  private func unwritable(_ columns: Set<String>, isReplay: Bool) throws -> [Finding] {
    var steps = Self.writtenTables(options).compactMap { name -> WriteRehearsal.Step? in
      guard let column = columns.sorted().first(where: { $0.hasPrefix("\(name).") })?.dropFirst(name.count + 1) else {
        return nil
      }
      let table = QualifiedName(schema: options.schemas.admin, name: name)
      let update: SQL = "UPDATE \(table) SET \(Identifier(String(column))) = \(Identifier(String(column)))"
      return WriteRehearsal.Step(update, of: table, "writing the run's record to", connection)
    }
    if isReplay, columns.contains("\(SnapshotProgress.formerTable).snapshot_id") {
      let table = QualifiedName(schema: options.schemas.admin, name: SnapshotProgress.formerTable)
      steps.append(WriteRehearsal.Step("DELETE FROM \(table)", of: table, "writing the run's record to", connection))
    }
    let hidden = try RowSecurity(table: nil).findings(on: steps.map(\.relation), connection)
    guard hidden.isEmpty else { return [hidden[0]] }
    return try WriteRehearsal.obstacle(steps).map { [.blocker(.refusedStatement, nil, $0)] } ?? []
  }
}
