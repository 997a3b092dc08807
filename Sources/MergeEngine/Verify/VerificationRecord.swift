import Foundation
import Libpq
import Logging

/// Keeps what a verification found in `merge_verifications`, with the newest run that merged rows of staging into one of
/// the tables and was not taken back since.
///
/// A verification needs no more than SELECT, so whatever stands against the record costs the record and nothing else.
struct VerificationRecord {
  /// A session that may write.
  let session: Session

  /// Writes the report's JSON, or says once why not. Without a run there is nothing to keep it with.
  func write(_ report: VerifyReport) {
    // Nothing was compared.
    guard report.status != .blocked else { return }
    do {
      let connection = try session.connectControl()
      let admin = AdminSchema(schemas: session.schemas)
      let columns = try admin.columns(connection)
      guard columns.contains("merge_summary.parameters") else { return }
      guard columns.contains("merge_verifications.report") else {
        return warn("\(session.schemas.admin).merge_verifications is missing; merge-engine init creates it")
      }
      try insert(
        String(decoding: try JSONEncoder().encode(report), as: UTF8.self),
        tables: report.tables.map(\.table),
        connection
      )
    } catch {
      warn("\(error)")
    }
  }

  private func insert(_ report: String, tables: [String], _ connection: Connection) throws(PostgresError) {
    let admin = Identifier(session.schemas.admin)
    _ = try connection.query(
      """
      INSERT INTO \(admin).merge_verifications (run_id, verified_at, report)
      SELECT r.id, clock_timestamp() AT TIME ZONE 'UTC', $1
      FROM \(admin).merge_summary AS r
      WHERE r.status IN ('SUCCESS', 'PARTIAL', 'FAILED', 'ABORTED')
        -- A replay's rows are in files, and only staging was compared.
        AND NOT coalesce(r.parameters ? 'snapshot', false) AND \(PairSQL(schemas: session.schemas).ownsRun("r"))
        AND EXISTS (SELECT FROM \(admin).merge_logs l WHERE l.run_id = r.id AND l.table_name = ANY ($2))
      ORDER BY r.id DESC LIMIT 1
      """,
      [.jsonb(report), .textArray(tables)],
      "recording the verification"
    )
  }

  private func warn(_ reason: String) {
    session.logger.warning("the result is not recorded, and reports of the run will not show it: \(reason)")
  }
}
