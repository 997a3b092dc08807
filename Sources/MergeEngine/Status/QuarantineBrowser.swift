import Foundation
import Libpq
import Logging

/// A staging row that the server refused, as `merge_errors` has it.
package struct RefusedRow: Sendable, Encodable {
  /// The run that refused it.
  package let runID: Int
  /// The plain table name.
  package let table: String
  /// The key's columns, as JSON text.
  package let key: String
  /// The same for people: `id 9102`.
  package let keyText: String
  /// The server's code.
  package let sqlState: String
  /// The server's message.
  package let message: String
  /// The server's detail, which may show values of the row.
  package let detail: String?
  /// When it was refused, UTC, ISO 8601.
  package let failedAt: String
  /// Why it was dismissed; nil if it was not.
  package let dismissedBecause: String?
  /// The node of Citus that refused it, as `10.0.0.5:5432`, whose run ``runID`` is; nil for rows that this server refused.
  package var node: String?

  private enum CodingKeys: String, CodingKey {
    case runID = "run_id"
    case table = "table_name"
    case key = "row_key"
    case sqlState = "sqlstate"
    case message, detail, node
    case failedAt = "failed_at"
    case dismissedBecause = "dismissed_because"
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

  /// Which refused rows are meant.
  package enum Standing: Sendable {
    /// Those that are still in staging, and were neither retried nor dismissed.
    case standing
    /// Those that are still in staging, and were dismissed.
    case dismissed
  }

  /// The refused rows that have not been set back since, oldest first.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` when there is no `merge_errors` yet.
  package func list(_ standing: Standing = .standing, sqlState: String?, limit: Int) throws -> [RefusedRow] {
    let connection = try connect()
    let meant = try meant(standing, sqlState, connection)
    let rows = try connection.query(
      """
      SELECT run_id::bigint, \(PairSQL(schemas: options.schemas).tableName("e")), row_key::text, sqlstate, message, detail,
             to_char(failed_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), dismissed_because,
             (SELECT string_agg(concat(k.key, ' ', k.value), ', ') FROM jsonb_each_text(row_key::jsonb) AS k)
      FROM \(errors) AS e
      WHERE \(meant.condition)
      ORDER BY id
      LIMIT \(limit)
      """,
      meant.parameters,
      "reading the refused rows"
    )
    return (0..<rows.count).map { row in
      RefusedRow(
        runID: rows.integer(row, 0) ?? 0,
        table: rows.text(row, 1) ?? "",
        key: rows.text(row, 2) ?? "",
        keyText: rows.text(row, 8) ?? "",
        sqlState: rows.text(row, 3) ?? "",
        message: rows.text(row, 4) ?? "",
        detail: rows.text(row, 5),
        failedAt: rows.text(row, 6) ?? "",
        dismissedBecause: rows.text(row, 7)
      )
    }
  }

  /// How many rows there are of a standing.
  package func count(_ standing: Standing, sqlState: String?) throws -> Int {
    let connection = try connect()
    let meant = try meant(standing, sqlState, connection)
    return try connection.query(
      "SELECT count(*) FROM \(errors) AS e WHERE \(meant.condition)",
      meant.parameters,
      "counting refused rows"
    ).integer(0, 0) ?? 0
  }

  /// Has refused rows of staging that are still there read again by the next merge.
  ///
  /// - Returns: how many, by table.
  /// - Throws: ``MergeFailure/blocked(_:)`` when a table is gone or another merge holds it.
  package func retry(_ wanted: Standing = .standing, sqlState: String?) throws -> [String: Int] {
    let production = try connect()
    var options = options
    let staging = try session.connectStagingControl(beside: production)
    options.tables = try options.tables ?? tables(having: wanted, production, staging)
    if options.tables?.isEmpty == true { return [:] }
    let plan = try Preparation(options: options, logger: session.logger).plan(production: production, staging: staging)
    // A merge that is under way would count such rows twice.
    try RunLocks(plan: plan, admin: options.schemas.admin).takeTables(production)
    let admin = Identifier(options.schemas.admin)
    let standing = RefusalStanding(admin: admin, production: production, staging: staging)
    var released: [String: Int] = [:]
    for table in plan.tables {
      let source = try StagingSource(table.staging, isElsewhere: staging !== production, staging)
      let refusals = try standing.unretried(of: table, source, sqlStates: sqlState.map { [SQLState($0)] })
        .filter { $0.isDismissed == (wanted == .dismissed) }
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
    let connection = try connect()
    let meant = try meant(.standing, sqlState, connection)
    let result = try connection.query(
      """
      UPDATE \(errors) AS e SET dismissed_at = clock_timestamp() AT TIME ZONE 'UTC', dismissed_because = $4
      WHERE \(meant.condition)
      """,
      meant.parameters + [.text(reason)],
      "dismissing refused rows"
    )
    return result.affectedRowCount
  }

  /// How many refused rows came from the files of snapshots: there is no staging row to set back, and the next replay of
  /// the snapshot tries them again.
  package func countReplayed(sqlState: String?) throws -> Int {
    let connection = try connect()
    let meant = try meant(.standing, sqlState, connection)
    let result = try connection.query(
      "SELECT count(*) FROM \(errors) AS e WHERE \(meant.condition) AND snapshot_id IS NOT NULL",
      meant.parameters,
      "counting the refused rows of snapshots"
    )
    return result.integer(0, 0) ?? 0
  }

  /// The tables that have refused rows of a standing.
  func tables(having standing: Standing) throws -> [String] {
    let production = try connect()
    return try tables(having: standing, production, session.connectStagingControl(beside: production))
  }

  private func connect() throws -> Connection {
    let connection = try session.reachControl()
    try AdminSchema(schemas: session.schemas).require(connection)
    return connection
  }

  private func tables(having standing: Standing, _ production: Connection, _ staging: Connection) throws -> [String] {
    let pair = try PairSQL(schemas: options.schemas, production: production, staging: staging)
    let rows = try production.query(
      "SELECT DISTINCT \(pair.tableName("e")) FROM \(errors) AS e WHERE \(stands(standing, pair)) AND snapshot_id IS NULL ORDER BY 1",
      "looking for refused rows"
    )
    return (0..<rows.count).compactMap { rows.text($0, 0) }
  }

  private var errors: QualifiedName { QualifiedName(schema: options.schemas.admin, name: "merge_errors") }

  /// A row `e` of these schemas that was not retried, and dismissed or not.
  private func stands(_ standing: Standing, _ pair: PairSQL) -> SQL {
    let isDismissed: SQL = standing == .dismissed ? "IS NOT NULL" : "IS NULL"
    return "\(pair.ownsRefusal("e")) AND retried_at IS NULL AND dismissed_at \(isDismissed)"
  }

  /// Of the tables in `$1`, refused for `$2`; each may be NULL for all. `$3` are those whose rows are gone.
  private func isMeant(_ standing: Standing, _ pair: PairSQL) -> SQL {
    """
    \(stands(standing, pair)) AND ($1::text[] IS NULL OR table_name = ANY ($1) OR concat(production_schema, '.', table_name) = ANY ($1))
    AND ($2::text IS NULL OR sqlstate = $2) AND \(RefusalStanding.isThere("$3"))
    """
  }

  /// ``isMeant(_:_:)``, and the parameters that it asks for.
  private func meant(_ standing: Standing, _ sqlState: String?, _ production: Connection) throws
    -> (condition: SQL, parameters: [Parameter])
  {
    let staging = try session.connectStagingControl(beside: production)
    let pair = try PairSQL(schemas: options.schemas, production: production, staging: staging)
    let refusals = RefusalStanding(admin: Identifier(options.schemas.admin), production: production, staging: staging)
    let tables = options.tables.map { .textArray($0) } ?? Parameter(binary: nil, type: TypeOID.textArray)
    return (isMeant(standing, pair), [tables, .text(sqlState), try refusals.goneParameter()])
  }
}
