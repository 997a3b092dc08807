import Foundation
import Libpq
import Logging

/// Staging, the last run and the quarantine as metrics, for the textfile collector of Prometheus' node_exporter.
///
/// All are gauges: they are what the admin tables say now, and `cleanup` makes some of them smaller.
package struct StatusMetrics: Sendable {
  private let session: Session
  private let tables: [String]?
  private let columns: ColumnRules

  /// - Parameters:
  ///   - target: the database.
  ///   - schemas: where to look.
  ///   - tables: only these tables; nil for all.
  ///   - columns: what staging calls otherwise than production.
  ///   - logger: gets the server's notices.
  package init(
    target: ConnectionTarget,
    schemas: Schemas,
    tables: [String]?,
    columns: ColumnRules = ColumnRules(),
    logger: Logger
  ) {
    session = Session(target: target, schemas: schemas, logger: logger)
    self.tables = tables
    self.columns = columns
  }

  /// Reads everything, and returns the metrics in the text exposition format.
  ///
  /// - Throws: ``MergeFailure/unreachable(_:)``, ``MergeFailure/blocked(_:)`` for tables of Citus, ``PostgresError``.
  package func text() throws -> String {
    let start = ContinuousClock.now
    let connection = try session.reachControl()
    try StagingStatus.require(tables, on: connection, schemas: session.schemas, columns)
    let staging = try StagingStatus.read(connection, session.schemas, columns, only: tables)
    guard staging.ofCitus.isEmpty else { throw StagingStatus.notCounted(staging.ofCitus) }
    let server = try connection.query(
      "SELECT current_database()::text, extract(epoch FROM clock_timestamp())::float8",
      "reading the database's name"
    )
    // Two databases of one host, or two pairs of schemas, write two files that are collected as one.
    let schemas = session.schemas
    let isUsual = schemas.pairs == Schemas().pairs
    let pair = isUsual ? [] : [(name: "schemas", value: schemas.pairs.map(\.name).joined(separator: ","))]
    var metrics = PrometheusText(common: [(name: "database", value: server.text(0, 0) ?? "")] + pair)
    metrics.gauge(
      "merge_engine_info",
      "The version of merge-engine that wrote these metrics.",
      samples: [
        .init(1, [("version", EngineVersion.current)])
      ]
    )
    metrics.gauge(
      "merge_engine_collected_timestamp_seconds",
      "When these metrics were read, by the database server's clock.",
      samples: [.init(server.double(0, 1) ?? 0)]
    )
    addStaging(staging.counted, &metrics)
    try addRuns(connection, &metrics)
    metrics.gauge(
      "merge_engine_collection_duration_seconds",
      "How long it took to read these metrics.",
      samples: [.init(Double((ContinuousClock.now - start).milliseconds) / 1000)]
    )
    return metrics.text
  }

  private func addStaging(_ statuses: [StagingStatus], _ metrics: inout PrometheusText) {
    metrics.gauge(
      "merge_engine_staging_rows",
      "Staging rows by table and state.",
      samples: statuses.flatMap { status in
        [("pending", status.pending), ("processed", status.processed), ("error", status.errors)].map { state, count in
          PrometheusText.Sample(count, [("table", status.table), ("state", state)])
        }
      }
    )
  }

  private func addRuns(_ connection: Connection, _ metrics: inout PrometheusText) throws {
    let columns = try AdminSchema(schemas: session.schemas).columns(connection)
    guard columns.isSuperset(of: ["merge_logs.run_id", "merge_summary.parameters", "merge_errors.retried_at"]) else {
      return
    }
    try RunRecord.closeDeadRunsIfAllowed(connection, session.schemas)
    try addLastRun(connection, &metrics)
    try addQuarantine(columns, connection, &metrics)
  }

  private func addLastRun(_ connection: Connection, _ metrics: inout PrometheusText) throws(PostgresError) {
    let runs = try connection.query(
      """
      SELECT id, status::text, extract(epoch FROM merge_start AT TIME ZONE 'UTC')::float8,
             extract(epoch FROM merge_end AT TIME ZONE 'UTC')::float8,
             extract(epoch FROM coalesce(merge_end, clock_timestamp() AT TIME ZONE 'UTC') - merge_start)::float8,
             (SELECT extract(epoch FROM max(r.merge_end) AT TIME ZONE 'UTC')::float8
              FROM \(admin).merge_summary AS r WHERE r.status = 'SUCCESS' AND \(pair.ownsRun("r")))
      FROM \(admin).merge_summary AS r WHERE \(pair.ownsRun("r")) ORDER BY id DESC LIMIT 1
      """,
      "reading the last run"
    )
    guard runs.count == 1 else { return }
    let status = runs.text(0, 1) ?? ""
    metrics.gauge("merge_engine_last_run_id", "The id of the last run.", samples: [.init(runs.integer(0, 0) ?? 0)])
    // One sample for every status there is, so that an alert on one of them finds it before it was ever reached.
    let statuses = RunStatus.all.contains(status) ? RunStatus.all : RunStatus.all + [status]
    metrics.gauge(
      "merge_engine_last_run_status",
      "1 for the status of the last run, 0 for the others.",
      samples: statuses.map { .init($0 == status ? 1 : 0, [("status", $0)]) }
    )
    func time(_ name: StaticString, _ help: StaticString, column: Int) {
      metrics.gauge(name, help, samples: runs.double(0, column).map { [.init($0)] } ?? [])
    }
    time("merge_engine_last_run_start_timestamp_seconds", "When the last run began.", column: 2)
    time("merge_engine_last_run_end_timestamp_seconds", "When the last run ended; absent while it runs.", column: 3)
    time("merge_engine_last_run_duration_seconds", "How long the last run took, or has taken so far.", column: 4)
    time("merge_engine_last_success_timestamp_seconds", "When the last run with status SUCCESS ended.", column: 5)
    try addCounts(runs.integer(0, 0) ?? 0, on: connection, metrics: &metrics)
  }

  private func addCounts(_ run: Int, on connection: Connection, metrics: inout PrometheusText) throws(PostgresError) {
    // Tables of an earlier version have no column for the schema.
    let schema: SQL = "to_jsonb(l) ->> 'production_schema'"
    let name: SQL = session.schemas.hasSeveralPairs ? "concat(\(schema), '.', l.table_name)" : "l.table_name::text"
    let rows = try connection.query(
      """
      SELECT \(name), \(VerdictCounts.columns) FROM \(admin).merge_logs AS l
      WHERE run_id = $1 AND coalesce((\(schema)) = ANY ($2::text[]), true) ORDER BY id
      """,
      [.bigint(run), .textArray(session.schemas.allProduction)],
      "reading the counts of the last run"
    )
    let tables = (0..<rows.count).map { (name: rows.text($0, 0) ?? "", counts: VerdictCounts(rows, $0, from: 1)) }
    metrics.gauge(
      "merge_engine_last_run_rows",
      "Staging rows that the last run read, by table and verdict.",
      samples: tables.flatMap { table in
        [
          ("insert", table.counts.inserted), ("update", table.counts.updated), ("unchanged", table.counts.unchanged),
          ("stale", table.counts.stale), ("duplicate", table.counts.duplicate), ("error", table.counts.errors),
        ].map { verdict, count in PrometheusText.Sample(count, [("table", table.name), ("verdict", verdict)]) }
      }
    )
    metrics.gauge(
      "merge_engine_last_run_lost_race_rows",
      "Rows of the last run that only the server's second comparison found stale, by table.",
      samples: tables.map { .init($0.counts.lostRaces, [("table", $0.name)]) }
    )
  }

  private func addQuarantine(
    _ columns: Set<String>,
    _ connection: Connection,
    _ metrics: inout PrometheusText
  ) throws(PostgresError) {
    let isOwn = columns.contains("merge_errors.production_schema") ? pair.owns("e") : pair.ownsByRun("e")
    let name: SQL = session.schemas.hasSeveralPairs ? pair.tableName("e") : "table_name::text"
    let rows = try connection.query(
      """
      SELECT \(name), coalesce(sqlstate, ''), count(*) FROM \(admin).merge_errors AS e
      WHERE retried_at IS NULL AND (to_jsonb(e) ->> 'dismissed_at') IS NULL AND \(isOwn)
        AND \(RefusalStanding.isThere("$1"))
      GROUP BY 1, 2 ORDER BY 1, 2
      """,
      [try RefusalStanding(admin: admin, production: connection, staging: connection).goneParameter()],
      "counting the refused rows"
    )
    metrics.gauge(
      "merge_engine_quarantined_rows",
      "Refused rows that stand: still in staging, neither retried nor dismissed, by table and SQLSTATE.",
      samples: (0..<rows.count).map { row in
        .init(rows.integer(row, 2) ?? 0, [("table", rows.text(row, 0) ?? ""), ("sqlstate", rows.text(row, 1) ?? "")])
      }
    )
  }

  private var admin: Identifier { Identifier(session.schemas.admin) }
  private var pair: PairSQL { PairSQL(schemas: session.schemas) }
}

extension RunStatus {
  /// And what a rollback makes of a run.
  fileprivate static let all =
    [loading, running, success, partial, failed, aborted].map(\.rawValue)
    + [RollbackRecord.Status.running, .partial, .complete].map(\.rawValue)
}
