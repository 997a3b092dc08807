import Libpq

/// Whether the role may do what the plan says, asked before anything is done.
struct AccessCheck {
  let schemas: Schemas
  /// Only what looking needs.
  var readsOnly = false

  /// What ``isReader(_:_:)`` asks.
  static func ofReader(_ plan: MergePlan) -> Query {
    Query(
      """
      SELECT NOT EXISTS (SELECT FROM unnest($1::oid[]) AS t (oid) CROSS JOIN unnest(ARRAY['INSERT', 'UPDATE']) AS r (name)
                         WHERE has_any_column_privilege(t.oid, r.name))
      """,
      [.oidArray(plan.tables.map(\.productionOid))],
      "reading the role's rights"
    )
  }

  /// Whether the role may write nothing of what a merge writes: somebody who looks for those who may.
  static func isReader(_ plan: MergePlan, _ production: Connection) throws(PostgresError) -> Bool {
    try production.query(ofReader(plan)).bool(0, 0) == true
  }

  /// What a plan is worth that such a role has made.
  static let readerNote =
    "this role may only read production: the plan assumes a role that may write, and did not check its rights."

  /// What ``ofRole(_:writesNow:)`` asks.
  static var ofRole: Query {
    Query(
      """
      SELECT current_user::text, has_database_privilege(current_database(), 'TEMPORARY'),
             current_setting('transaction_read_only') = 'on', pg_is_in_recovery(),
             (SELECT reset_val FROM pg_settings WHERE name = 'default_transaction_read_only')
      """,
      "reading the role's rights"
    )
  }

  /// What the role itself lacks, whatever the tables are.
  ///
  /// - Parameter writesNow: this very session is to write, and not another one later.
  func ofRole(_ production: Connection, writesNow: Bool) throws(PostgresError) -> [Finding] {
    guard !readsOnly else { return [] }
    let role = try production.query(Self.ofRole)
    let name = role.text(0, 0) ?? ""
    var findings: [Finding] = []
    if role.bool(0, 1) == false {
      findings.append(
        .blocker(.missingRight, nil, "the role \(name) lacks TEMPORARY on the database. \(Self.advice(name))")
      )
    }
    // A session that plans is read-only by its own will; what it would be without that is what a merge will find. Planning at a
    // standby is for a merge at the primary.
    let isReadOnly = writesNow ? role.bool(0, 2) == true : role.bool(0, 3) == false && role.text(0, 4) == "on"
    if isReadOnly {
      findings.append(
        .blocker(
          .readOnlySession,
          nil,
          "the session is read-only: the server is a standby, or default_transaction_read_only is on. Connect to the "
            + "primary, as a role that may write."
        )
      )
    }
    return findings
  }

  /// What the role lacks on a table, its staging, and on whatever a write of it runs into.
  ///
  /// - Parameter keepsImages: rows are kept as they were before they are overwritten, columns included that staging lacks.
  func ofTable(
    _ table: TablePlan,
    keepsImages: Bool,
    production: Connection,
    staging: Connection
  ) throws(PostgresError) -> [Finding] {
    var missing = try missingRights(ofProduction(table, keepsImages: keepsImages), on: table.production, production)
    if table.reading.snapshot == nil { missing += try missingRights(ofStaging(table), on: table.staging, staging) }
    if !readsOnly { missing += try ExpressionRights(table: table, connection: production).missing() }
    let ofOwners = readsOnly ? [] : try OwnerRights(table: table, connection: production).findings()
    guard !missing.isEmpty else { return ofOwners }
    let name = try production.query("SELECT current_user::text", "reading the role's name").text(0, 0) ?? ""
    return [
      .blocker(
        .missingRight,
        table.name,
        "the role \(name) lacks \(missing.joined(separator: ", ")). \(Self.advice(name))"
      )
    ] + ofOwners
  }

  /// What ``adminBlockers(_:makesTables:replays:)`` asks.
  func ofAdmin(makesTables: Bool, replays: Bool) -> Query {
    Query(
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
      JOIN (VALUES ('snapshot_progress', 'SELECT'), ('snapshot_progress', 'DELETE'),
                   ('merge_errors', 'SELECT'), ('merge_errors', 'UPDATE')) AS r (table_name, name)
        ON c.relname = r.table_name
      WHERE $3 AND n.nspname = $1 AND NOT has_table_privilege(c.oid, r.name)
      """,
      [.text(schemas.admin), .bool(makesTables), .bool(replays)],
      "reading the role's rights on the admin tables"
    )
  }

  /// What is asked of each database about a table's rights.
  func queries(_ table: TablePlan, keepsImages: Bool) -> (production: [Query], staging: [Query]) {
    let ofProduction = Self.query(ofProduction(table, keepsImages: keepsImages), on: table.production)
    let ofStaging = table.reading.snapshot == nil ? [Self.query(ofStaging(table), on: table.staging)] : []
    return ([ofProduction] + (readsOnly ? [] : [ExpressionRights.query(table), OwnerRights.query(table)]), ofStaging)
  }

  private func ofProduction(_ table: TablePlan, keepsImages: Bool) -> [Right] {
    let read = table.columns.map(\.name)
    let kept = keepsImages ? table.writing.restorableColumns.map(\.name).filter { !read.contains($0) } : []
    let reading = [Right("SELECT", read + kept)]
    guard !readsOnly else { return reading }
    return reading + [Right("INSERT", read), Right("UPDATE", table.updatedColumns.map(\.name))]
  }

  private func ofStaging(_ table: TablePlan) -> [Right] {
    // Addresses can be read by those only who may read the whole table.
    let reading = [Right("SELECT", nil)]
    guard table.writing.marksRows, !readsOnly else { return reading }
    return reading + [Right("UPDATE", [TablePlanner.statusColumn])]
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
    let result = try connection.query(ofAdmin(makesTables: makesTables, replays: replays))
    guard result.count > 0 else { return [] }
    let name = result.text(0, 0) ?? ""
    let missing = (0..<result.count).map { result.text($0, 1) ?? "" }
    return [
      .blocker(.missingRight, nil, "the role \(name) lacks \(missing.joined(separator: ", ")). \(Self.advice(name))")
    ]
  }

  static func advice(_ role: String) -> String {
    "`merge-engine init --print-grants \(role)` prints what a merge needs; --optional-grants adds what only some options and commands need."
  }

  /// A right on some columns of a table, or on all of it.
  private struct Right {
    let name: String
    /// nil: on the table itself.
    let columns: [Identifier]?

    init(_ name: String, _ columns: [Identifier]?) {
      self.name = name
      self.columns = columns
    }

    /// As it stands in a message, without these columns.
    func described(lacking columns: [String]) -> String? {
      guard !columns.isEmpty else { return nil }
      return columns.count == self.columns?.count ?? 1 ? name : "\(name) (\(columns.joined(separator: ", ")))"
    }
  }

  private static func query(_ rights: [Right], on table: QualifiedName) -> Query {
    let asked = rights.flatMap { right in (right.columns?.map(\.name) ?? [""]).map { (right.name, $0) } }
    return Query(
      """
      SELECT has_schema_privilege(n.oid, 'USAGE'), r.right_name, r.column_name
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      CROSS JOIN unnest($3::text[], $4::text[]) WITH ORDINALITY AS r (right_name, column_name, position)
      WHERE n.nspname = $1 AND c.relname = $2
        AND (NOT has_schema_privilege(n.oid, 'USAGE')
             OR CASE WHEN r.column_name = '' THEN NOT has_table_privilege(c.oid, r.right_name)
                                   ELSE NOT has_column_privilege(c.oid, r.column_name, r.right_name) END)
      ORDER BY r.position
      """,
      [
        .text(table.schema.name), .text(table.name.name), .textArray(asked.map(\.0)), .textArray(asked.map(\.1)),
      ],
      "reading the role's rights on \(table)"
    )
  }

  /// Rights on single columns count: a role may be kept from columns that the merge never touches.
  private func missingRights(
    _ rights: [Right],
    on table: QualifiedName,
    _ connection: Connection
  ) throws(PostgresError) -> [String] {
    let rows = try connection.query(Self.query(rights, on: table))
    guard rows.count > 0 else { return [] }
    guard rows.bool(0, 0) == true else { return ["USAGE on the schema \(table.schema), so any right on \(table)"] }
    let missing = (0..<rows.count).map { (right: rows.text($0, 1) ?? "", column: rows.text($0, 2) ?? "") }
    return rights.compactMap { right in
      right.described(lacking: missing.filter { $0.right == right.name }.map(\.column)).map { "\($0) on \(table)" }
    }
  }
}
