import Foundation
import Libpq
import Logging

/// A staging row that the server refused, as `merge_errors` has it.
package struct RefusedRow: Sendable, Codable {
  /// The run that refused it.
  package let runID: Int
  /// The plain table name.
  package let table: String
  /// The key's columns, as JSON text.
  package let key: String
  /// The server's code.
  package let sqlState: String
  /// The server's message.
  package let message: String
  /// The server's detail, which may show values of the row.
  package let detail: String?
  /// When it was refused, UTC, ISO 8601.
  package let failedAt: String

  private enum CodingKeys: String, CodingKey {
    case runID = "run_id"
    case table = "table_name"
    case key = "row_key"
    case sqlState = "sqlstate"
    case message, detail
    case failedAt = "failed_at"
  }
}

/// Lists refused rows, has them read again, or lets them be: what `errors` does.
package struct QuarantineBrowser: Sendable {
  private let session: Session
  private let options: MergeOptions

  /// - Parameters:
  ///   - target: the database that holds production and the admin schema.
  ///   - stagingTarget: the one that holds staging, if it is another.
  ///   - options: schemas, tables and column rules.
  ///   - logger: gets the server's notices.
  package init(target: ConnectionTarget, stagingTarget: ConnectionTarget?, options: MergeOptions, logger: Logger) {
    session = Session(target: target, stagingTarget: stagingTarget, schemas: options.schemas, logger: logger)
    self.options = options
  }

  /// The refused rows that have not been set back since, oldest first.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` when there is no `merge_errors` yet.
  package func list(sqlState: String?, limit: Int) throws -> [RefusedRow] {
    let connection = try connect()
    let rows = try connection.query(
      """
      SELECT run_id::bigint, \(PairSQL(schemas: options.schemas).tableName("e")), row_key::text, sqlstate, message, detail,
             to_char(failed_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
      FROM \(errors) AS e
      WHERE \(isMeant)
      ORDER BY id
      LIMIT \(limit)
      """,
      [tablesParameter, .text(sqlState)],
      "reading the refused rows"
    )
    return (0..<rows.count).map { row in
      RefusedRow(
        runID: rows.integer(row, 0) ?? 0,
        table: rows.text(row, 1) ?? "",
        key: rows.text(row, 2) ?? "",
        sqlState: rows.text(row, 3) ?? "",
        message: rows.text(row, 4) ?? "",
        detail: rows.text(row, 5),
        failedAt: rows.text(row, 6) ?? ""
      )
    }
  }

  /// Has refused rows of staging that are still there read again by the next merge.
  ///
  /// - Returns: how many, by table.
  /// - Throws: ``MergeFailure/blocked(_:)`` when a table is gone or another merge holds it.
  package func retry(sqlState: String?) throws -> [String: Int] {
    let production = try connect()
    var options = options
    options.tables = try options.tables ?? tablesWithRefusedRows(production)
    if options.tables?.isEmpty == true { return [:] }
    let staging = try session.connectStagingControl(beside: production)
    let plan = try Preparation(options: options, logger: session.logger).plan(production: production, staging: staging)
    // A merge that is under way would count such rows twice.
    try RunLocks(plan: plan).takeTables(production)
    let admin = Identifier(options.schemas.admin)
    let standing = RefusalStanding(admin: admin, production: production, staging: staging)
    var released: [String: Int] = [:]
    for table in plan.tables {
      let source = try StagingSource(table.staging, isElsewhere: staging !== production, staging)
      let refusals = try standing.refusals(of: table, source, sqlStates: sqlState.map { [SQLState($0)] })
      try ErrorLedger(admin: admin)
        .reopen(refusals, of: table, source, runID: nil, production: production, staging: staging)
      if !refusals.isEmpty { released[table.name] = refusals.count }
    }
    return released
  }

  /// Lets refused rows be: they no longer count as standing.
  ///
  /// - Parameter reason: why; kept with them.
  /// - Returns: how many.
  /// - Throws: ``MergeFailure/blocked(_:)`` when there is no `merge_errors` yet.
  package func dismiss(sqlState: String?, because reason: String) throws -> Int {
    let result = try connect().query(
      """
      UPDATE \(errors) AS e SET dismissed_at = clock_timestamp() AT TIME ZONE 'UTC', dismissed_because = $3
      WHERE \(isMeant)
      """,
      [tablesParameter, .text(sqlState), .text(reason)],
      "dismissing refused rows"
    )
    return result.affectedRowCount
  }

  /// How many refused rows came from the files of snapshots: there is no staging row to set back, and the next replay of
  /// the snapshot tries them again.
  package func countReplayed(sqlState: String?) throws -> Int {
    let result = try connect().query(
      "SELECT count(*) FROM \(errors) AS e WHERE \(isMeant) AND snapshot_id IS NOT NULL",
      [tablesParameter, .text(sqlState)],
      "counting the refused rows of snapshots"
    )
    return result.integer(0, 0) ?? 0
  }

  private func connect() throws -> Connection {
    let connection = try session.reachControl()
    try AdminSchema(schemas: session.schemas).require(connection)
    return connection
  }

  private func tablesWithRefusedRows(_ connection: Connection) throws -> [String] {
    let rows = try connection.query(
      "SELECT DISTINCT \(PairSQL(schemas: options.schemas).tableName("e")) FROM \(errors) AS e WHERE \(stands) AND snapshot_id IS NULL ORDER BY 1",
      "looking for refused rows"
    )
    return (0..<rows.count).compactMap { rows.text($0, 0) }
  }

  private var errors: QualifiedName { QualifiedName(schema: options.schemas.admin, name: "merge_errors") }

  /// A row `e` of these schemas that was neither retried nor dismissed.
  private var stands: SQL {
    "\(PairSQL(schemas: options.schemas).owns("e")) AND retried_at IS NULL AND dismissed_at IS NULL"
  }

  /// Of the tables in `$1`, refused for `$2`; each may be NULL for all.
  private var isMeant: SQL {
    "\(stands) AND ($1::text[] IS NULL OR table_name = ANY ($1) OR concat(production_schema, '.', table_name) = ANY ($1)) AND ($2::text IS NULL OR sqlstate = $2)"
  }

  private var tablesParameter: Parameter {
    options.tables.map { .textArray($0) } ?? Parameter(binary: nil, type: TypeOID.textArray)
  }
}
