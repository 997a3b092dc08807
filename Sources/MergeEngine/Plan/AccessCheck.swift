import Libpq

/// Whether the role may do what the plan says, asked before anything is done.
struct AccessCheck {
  let plan: MergePlan

  func blockers(production: Connection, staging: Connection) throws(PostgresError) -> [Finding] {
    var findings: [Finding] = []
    let role = try production.query(
      "SELECT current_user::text, has_database_privilege(current_database(), 'TEMPORARY')",
      "reading the role's rights"
    )
    let name = role.text(0, 0) ?? ""
    if role.bool(0, 1) == false {
      findings.append(.blocker(nil, "the role \(name) lacks TEMPORARY on the database. \(Self.advice(name))"))
    }
    for table in plan.tables {
      let missing =
        try missingRights(["SELECT", "INSERT", "UPDATE"], on: table.production, production)
        + missingRights(table.marksRows ? ["SELECT", "UPDATE"] : ["SELECT"], on: table.staging, staging)
      guard !missing.isEmpty else { continue }
      findings.append(
        .blocker(table.name, "the role \(name) lacks \(missing.joined(separator: ", ")). \(Self.advice(name))")
      )
    }
    return findings
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
