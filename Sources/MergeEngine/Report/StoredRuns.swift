import Foundation
import Libpq
import Logging

/// Reads what the admin tables know about runs.
package struct StoredRuns: Sendable {
  private let session: Session

  /// - Parameters:
  ///   - target: the database with the admin schema.
  ///   - schemas: where it is.
  ///   - logger: gets the server's notices.
  package init(target: ConnectionTarget, schemas: Schemas, logger: Logger) {
    session = Session(target: target, schemas: schemas, logger: logger)
  }

  /// The id of the latest run, whatever became of it.
  ///
  /// - Throws: ``MergeFailure/usage(_:)`` if there is none, ``MergeFailure/blocked(_:)`` without admin tables.
  package func latest() throws -> Int {
    let connection = try session.reachControl()
    guard try AdminSchema(schemas: session.schemas).columns(connection).contains("merge_summary.id") else {
      throw missing
    }
    let row = try connection.query(
      "SELECT max(id) FROM \(Identifier(session.schemas.admin)).merge_summary",
      "looking for the latest run"
    )
    guard let id = row.integer(0, 0) else {
      throw MergeFailure.usage(
        "there is no run in \(session.schemas.admin).merge_summary: nothing has been merged yet."
      )
    }
    return id
  }

  private var missing: MergeFailure {
    .blocked([
      .blocker(
        .adminSchema,
        nil,
        "the admin schema \(session.schemas.admin) is missing or incomplete: nothing has been merged yet, or the "
          + "schema has another name (--admin-schema)."
      )
    ])
  }

  /// Reads one run in one snapshot; with the tables of an earlier version what those hold.
  ///
  /// - Throws: ``MergeFailure/usage(_:)`` if there is no such run, ``MergeFailure/blocked(_:)`` without admin tables.
  package func read(_ id: Int) throws -> StoredRun {
    let connection = try session.reachControl()
    let columns = try AdminSchema(schemas: session.schemas).columns(connection)
    guard columns.isSuperset(of: ["merge_summary.parameters", "merge_logs.run_id", "merge_errors.retried_at"]) else {
      throw missing
    }
    try RunRecord.closeDeadRunsIfAllowed(connection, session.schemas)
    try connection.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY", "reading run \(id)")
    let run = try read(id, columns: columns, on: connection)
    try connection.execute("COMMIT", "reading run \(id)")
    return run
  }

  private func read(_ id: Int, columns: Set<String>, on connection: Connection) throws -> StoredRun {
    let admin = Identifier(session.schemas.admin)
    let warnings: SQL = columns.contains("merge_summary.warnings") ? "warnings::text" : "NULL::text"
    let row = try connection.query(
      """
      SELECT status::text, extract(epoch FROM merge_start AT TIME ZONE 'UTC')::float8,
             extract(epoch FROM merge_end AT TIME ZONE 'UTC')::float8, notes, engine_version, parameters::text, \(warnings),
             current_database()::text, split_part(current_setting('server_version'), ' ', 1),
             extract(epoch FROM clock_timestamp())::float8
      FROM \(admin).merge_summary WHERE id = $1
      """,
      [.bigint(id)],
      "reading run \(id)"
    )
    guard row.count == 1 else {
      throw MergeFailure.usage(
        "there is no run \(id) in \(session.schemas.admin).merge_summary; merge-engine status shows the last runs."
      )
    }
    let tables = try tables(id, admin: admin, on: connection)
    let refusals = try RefusalGroup.read(id, admin, connection)
    return StoredRun(
      id: id,
      status: row.text(0, 0) ?? "",
      startedAt: row.double(0, 1).map { Date(timeIntervalSince1970: $0) },
      finishedAt: row.double(0, 2).map { Date(timeIntervalSince1970: $0) },
      notes: row.text(0, 3),
      engineVersion: row.text(0, 4),
      parameters: RunParameters.lines(row.text(0, 5)),
      warnings: JSONText.decode([Finding].self, row.text(0, 6)),
      tables: tables,
      throughput: columns.contains("merge_batches.started_at") ? try .read(id, admin, connection) : nil,
      refusals: refusals.groups,
      refusalReasonCount: refusals.total,
      standingRefusalCount: try RefusalGroup.standingCount(id, admin, connection),
      verifications: columns.contains("merge_verifications.report")
        ? try verifications(id, tables, admin: admin, on: connection) : [],
      place: StoredRun.Place(
        database: row.text(0, 7) ?? "",
        host: session.target.description.split(separator: " on ", maxSplits: 1).dropFirst().first.map(String.init),
        serverVersion: row.text(0, 8) ?? "",
        adminSchema: session.schemas.admin
      ),
      readAt: Date(timeIntervalSince1970: row.double(0, 9) ?? 0)
    )
  }

  private func tables(_ id: Int, admin: Identifier, on connection: Connection) throws(PostgresError) -> [StoredRun
    .Table]
  {
    let rows = try connection.query(
      """
      -- With its schema in a run of several pairs; tables of an earlier version have no column for it.
      SELECT CASE WHEN (SELECT count(DISTINCT to_jsonb(o) ->> 'production_schema') FROM \(admin).merge_logs AS o
                        WHERE o.run_id = $1) > 1
                  THEN concat(to_jsonb(l) ->> 'production_schema', '.', l.table_name) ELSE l.table_name::text END,
             coalesce(elapsed_ms, 0), \(VerdictCounts.columns)
      FROM \(admin).merge_logs AS l WHERE run_id = $1 ORDER BY id
      """,
      [.bigint(id)],
      "reading the counts of run \(id)"
    )
    return (0..<rows.count).map { row in
      StoredRun.Table(
        table: rows.text(row, 0) ?? "",
        counts: VerdictCounts(rows, row, from: 2),
        elapsedMilliseconds: rows.integer(row, 1) ?? 0
      )
    }
  }

  private func verifications(
    _ id: Int,
    _ tables: [StoredRun.Table],
    admin: Identifier,
    on connection: Connection
  ) throws(PostgresError) -> [StoredRun.Verification] {
    let rows = try connection.query(
      // 100 is arbitrary: as far back as anybody may have looked at single tables.
      """
      SELECT extract(epoch FROM verified_at AT TIME ZONE 'UTC')::float8, report::text
      FROM \(admin).merge_verifications WHERE run_id = $1 ORDER BY id DESC LIMIT 100
      """,
      [.bigint(id)],
      "reading the verifications of run \(id)"
    )
    let all = (0..<rows.count).compactMap { row in
      JSONText.decode(VerifyReport.self, rows.text(row, 1)).map { report in
        StoredRun.Verification(
          verifiedAt: rows.double(row, 0).map { Date(timeIntervalSince1970: $0) },
          report: report
        )
      }
    }
    guard let newest = all.first else { return [] }
    guard !newest.isWhole(tables), let whole = all.first(where: { $0.isWhole(tables) }) else { return [newest] }
    return [whole, newest]
  }
}
