import Libpq

/// Rules that turn a write into something else: COPY goes past them, and a batch's statements can't be planned with them.
struct RewriteRules {
  /// The table of the run that is asked about.
  let table: String

  /// A command that rules can be on, by its letter in `pg_rewrite.ev_type`.
  enum Command: String {
    case update = "2"
    case insert = "3"
    case delete = "4"
  }

  /// What is asked about a table.
  static func query(_ relation: QualifiedName, _ commands: [Command]) -> Query {
    Query(
      """
      SELECT r.rulename::text, CASE WHEN r.ev_type = '2' THEN 'UPDATE' WHEN r.ev_type = '3' THEN 'INSERT' ELSE 'DELETE' END,
             r.ev_type = '2' AND $4
      FROM pg_rewrite r
      JOIN pg_class c ON c.oid = r.ev_class
      JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname = $2 AND r.ev_type::text = ANY ($3::text[])
        AND (\(PlannedShape.fires("r")) OR r.ev_type = '2' AND $4)
      ORDER BY r.rulename
      """,
      [
        .text(relation.schema.name), .text(relation.name.name), .textArray(commands.map(\.rawValue)),
        .bool(commands.contains(.insert)),
      ],
      "reading the rules of \(relation)"
    )
  }

  /// - Returns: a blocker for each rule that would act on one of the commands in a session like this one. A rule on UPDATE
  ///   bars ON CONFLICT from its table even when it is disabled (`matchLocks` in the server's source), so where rows are
  ///   inserted it has to go.
  func findings(
    on relation: QualifiedName,
    _ commands: [Command],
    _ connection: Connection
  ) throws(PostgresError) -> [Finding] {
    let rows = try connection.query(Self.query(relation, commands))
    return (0..<rows.count).map { row in
      let rule = Identifier(rows.text(row, 0) ?? "")
      let statement: SQL =
        rows.bool(row, 2) == true ? "DROP RULE \(rule) ON \(relation)" : "ALTER TABLE \(relation) DISABLE RULE \(rule)"
      return .blocker(
        .rewriteRule,
        table,
        "the rule \(rule) rewrites every \(rows.text(row, 1) ?? "") on \(relation), so what arrives would not be what is "
          + "written. Disable it during the merge, or make it a trigger: \(statement.text)"
      )
    }
  }
}
