import Libpq

/// Columns that staging lacks, and whose domains refuse a row without a value.
///
/// COPY leaves a column out that it is not given, and asks no domain: such rows would hold what no INSERT may write.
struct OmittedDomains {
  let table: TablePlan
  let production: Connection

  func findings() throws(PostgresError) -> [Finding] {
    var findings: [Finding] = []
    for (name, type) in table.omittedDomains {
      let isAccepted = try Savepoint.answer(on: production) { () throws(PostgresError) in
        try production.query("SELECT NULL::\(type)", "asking whether a \(type) may be without a value")
      }
      guard isAccepted == nil else { continue }
      let message =
        "the column \(name) of \(table.production) is missing in staging, has no default, and its type \(type) refuses to be without "
        + "a value. Load it, or give it a default: ALTER TABLE \(table.production) ALTER COLUMN \(name) SET DEFAULT …"
      findings.append(.blocker(.tableShape, table.name, message))
    }
    return findings
  }
}
