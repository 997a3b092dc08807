import Libpq

/// Columns that staging lacks, and whose domains refuse a row without a value.
///
/// COPY leaves a column out that it is not given, and asks no domain: such rows would hold what no INSERT may write.
struct OmittedDomains {
  let table: TablePlan
  let production: Connection

  func findings() throws(PostgresError) -> [Finding] {
    let columns = try production.query(
      """
      SELECT a.attname::text, n.nspname::text, t.typname::text
      FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid AND t.typtype = 'd' JOIN pg_namespace n ON n.oid = t.typnamespace
      WHERE a.attrelid = \(table.productionOid) AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> ALL ($1::text[])
        AND NOT a.atthasdef AND a.attidentity = '' AND t.typdefault IS NOT DISTINCT FROM NULL
      ORDER BY a.attnum
      """,
      [.textArray(table.columns.map(\.name.name))],
      "reading the columns of \(table.production) that staging lacks"
    )
    var findings: [Finding] = []
    for row in 0..<columns.count {
      let name = Identifier(columns.text(row, 0) ?? "")
      let domain = QualifiedName(schema: columns.text(row, 1) ?? "", name: columns.text(row, 2) ?? "")
      let isAccepted = try Savepoint.answer(on: production) { () throws(PostgresError) in
        try production.query("SELECT NULL::\(domain)", "asking whether \(domain) may be without a value")
      }
      guard isAccepted == nil else { continue }
      let message =
        "the column \(name) of \(table.production) is missing in staging, has no default, and its type \(domain) refuses to be without "
        + "a value. Load it, or give it a default: ALTER TABLE \(table.production) ALTER COLUMN \(name) SET DEFAULT …"
      findings.append(.blocker(.tableShape, table.name, message))
    }
    return findings
  }
}
