import Libpq

/// Whether the role may do what the plan says, asked before anything is done.
struct AccessCheck {
  let schemas: Schemas
  /// Only what looking needs.
  var readsOnly = false

  func blockers(
    _ plan: MergePlan,
    production: Connection,
    staging: Connection
  ) throws(PostgresError) -> [Finding] {
    var findings: [Finding] = []
    let role = try production.query(
      """
      SELECT current_user::text, has_database_privilege(current_database(), 'TEMPORARY'),
             current_setting('transaction_read_only') = 'on'
      """,
      "reading the role's rights"
    )
    let name = role.text(0, 0) ?? ""
    if role.bool(0, 1) == false && !readsOnly {
      findings.append(.blocker(nil, "the role \(name) lacks TEMPORARY on the database. \(Self.advice(name))"))
    }
    if role.bool(0, 2) == true && !readsOnly {
      findings.append(
        .blocker(
          nil,
          "the session is read-only: the server is a standby, or default_transaction_read_only is on. Connect to the "
            + "primary, as a role that may write."
        )
      )
    }
    for table in plan.tables {
      let missing =
        try missingRights(readsOnly ? ["SELECT"] : ["SELECT", "INSERT", "UPDATE"], on: table.production, production)
        + missingStagingRights(table, staging)
      guard !missing.isEmpty else { continue }
      findings.append(
        .blocker(table.name, "the role \(name) lacks \(missing.joined(separator: ", ")). \(Self.advice(name))")
      )
    }
    return findings
  }

  private func missingStagingRights(_ table: TablePlan, _ staging: Connection) throws(PostgresError) -> [String] {
    guard table.snapshot == nil else { return [] }
    let writes = table.marksRows && !readsOnly
    return try missingRights(writes ? ["SELECT", "UPDATE"] : ["SELECT"], on: table.staging, staging)
  }

  /// The same for the admin tables, once they are complete.
  ///
  /// - Parameters:
  ///   - makesTables: the run makes tables of its own in the admin schema, for before-images.
  ///   - replays: the run is a replay, which keeps its progress in a table.
  func adminBlockers(
    _ connection: Connection,
    makesTables: Bool = false,
    replays: Bool = false
  ) throws(PostgresError) -> [Finding] {
    let result = try connection.query(
      """
      WITH tables AS (
        SELECT c.oid, c.relname, n.nspname
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1
          AND (c.relname IN ('merge_summary', 'merge_logs', 'merge_errors', 'merge_batches', 'merge_progress',
                             'merge_controls')
               OR $2 AND c.relname = 'before_images')
      )
      SELECT current_user::text, 'USAGE on the schema ' || nspname FROM pg_namespace
      WHERE nspname = $1 AND NOT has_schema_privilege(oid, 'USAGE')
      UNION ALL
      SELECT current_user::text, 'CREATE on the schema ' || nspname || ' (for --before-images)' FROM pg_namespace
      WHERE $2 AND nspname = $1 AND NOT has_schema_privilege(oid, 'CREATE')
      UNION ALL
      SELECT current_user::text, r.name || ' on ' || t.nspname || '.' || t.relname
      FROM tables t CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) AS r (name)
      WHERE (t.relname <> 'merge_batches' OR r.name = 'INSERT') AND NOT has_table_privilege(t.oid, r.name)
      UNION ALL
      SELECT current_user::text, 'USAGE on ' || t.nspname || '.' || s.relname
      FROM tables t
      JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid AND d.deptype = 'a'
                      AND d.classid = 'pg_class'::regclass
      JOIN pg_class s ON s.oid = d.objid
      -- A CASE, since some plans would ask before they look at the kind, and be refused.
      WHERE CASE WHEN s.relkind = 'S' THEN NOT has_sequence_privilege(s.oid, 'USAGE') END
      UNION ALL
      SELECT current_user::text, r.name || ' on ' || n.nspname || '.' || c.relname
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN (VALUES ('snapshot_progress', 'SELECT'), ('snapshot_progress', 'INSERT'), ('snapshot_progress', 'DELETE'),
                   ('merge_errors', 'SELECT'), ('merge_errors', 'UPDATE')) AS r (table_name, name)
        ON c.relname = r.table_name
      WHERE $3 AND n.nspname = $1 AND NOT has_table_privilege(c.oid, r.name)
      """,
      [.text(schemas.admin), .bool(makesTables), .bool(replays)],
      "reading the role's rights on the admin tables"
    )
    guard result.count > 0 else { return [] }
    let name = result.text(0, 0) ?? ""
    let missing = (0..<result.count).map { result.text($0, 1) ?? "" }
    return [.blocker(nil, "the role \(name) lacks \(missing.joined(separator: ", ")). \(Self.advice(name))")]
  }

  private static func advice(_ role: String) -> String {
    "`merge-engine init --print-grants \(role)` prints all that it needs."
  }

  /// Rights on single columns count: a role may be kept from columns that the merge never touches.
  private func missingRights(
    _ rights: [String],
    on table: QualifiedName,
    _ connection: Connection
  ) throws(PostgresError) -> [String] {
    let result = try connection.query(
      """
      SELECT right_name FROM unnest($1::text[]) AS r (right_name)
      WHERE NOT has_schema_privilege(\(Literal(table.schema.name)), 'USAGE')
         OR NOT has_any_column_privilege(\(Literal(table.quoted)), right_name)
      """,
      [.textArray(rights)],
      "reading the role's rights on \(table)"
    )
    return (0..<result.count).map { "\(result.text($0, 0) ?? "") on \(table)" }
  }
}
