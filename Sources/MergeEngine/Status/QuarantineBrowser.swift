import Foundation
import Libpq
import Logging

/// A staging row that the server refused, as `merge_errors` has it.
public struct RefusedRow: Sendable, Codable {
  /// The run that refused it.
  public let runID: Int
  /// The plain table name.
  public let table: String
  /// The key's columns, as JSON text.
  public let key: String
  /// The server's code.
  public let sqlState: String
  /// The server's message.
  public let message: String
  /// The server's detail, which may show values of the row.
  public let detail: String?
  /// When it was refused, UTC, ISO 8601.
  public let failedAt: String

  private enum CodingKeys: String, CodingKey {
    case runID = "run_id"
    case table = "table_name"
    case key = "row_key"
    case sqlState = "sqlstate"
    case message, detail
    case failedAt = "failed_at"
  }
}

/// Lists refused rows and sets them back to NEW: what `errors` does.
public struct QuarantineBrowser: Sendable {
  private let session: Session
  private let options: MergeOptions

  /// - Parameters:
  ///   - target: the database that holds production and the admin schema.
  ///   - stagingTarget: the one that holds staging, if it is another.
  ///   - options: schemas, tables and column rules.
  ///   - logger: gets the server's notices.
  public init(target: ConnectionTarget, stagingTarget: ConnectionTarget?, options: MergeOptions, logger: Logger) {
    session = Session(target: target, stagingTarget: stagingTarget, schemas: options.schemas, logger: logger)
    self.options = options
  }

  /// The refused rows that have not been set back since, oldest first.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` when there is no `merge_errors` yet.
  public func list(sqlState: String?, limit: Int) throws -> [RefusedRow] {
    let connection = try connect()
    let rows = try connection.query(
      """
      SELECT run_id::bigint, table_name, row_key::text, sqlstate, message, detail,
             to_char(failed_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
      FROM \(Identifier(options.schemas.admin)).merge_errors
      WHERE retried_at IS NULL AND ($1::text[] IS NULL OR table_name = ANY ($1)) AND ($2::text IS NULL OR sqlstate = $2)
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

  /// Sets refused rows back to NEW, so that the next merge tries them again.
  ///
  /// - Returns: how many, by table.
  /// - Throws: ``MergeFailure/blocked(_:)`` when a table is gone or another merge holds it.
  public func retry(sqlState: String?) throws -> [String: Int] {
    let production = try connect()
    var options = options
    options.tables = try options.tables ?? tablesWithRefusedRows(production)
    if options.tables?.isEmpty == true { return [:] }
    let staging = try session.connectStagingControl(beside: production)
    let plan = try Preparation(options: options, logger: session.logger).plan(production: production, staging: staging)
    // A merge that is under way would count such rows twice.
    try RunLocks(plan: plan).takeTables(production)
    let ledger = ErrorLedger(admin: Identifier(options.schemas.admin))
    let selection = ErrorLedger.Selection(sqlState: sqlState.map { SQLState($0) })
    var released: [String: Int] = [:]
    for table in plan.tables {
      released[table.name] = try ledger.release(
        selection,
        of: table,
        uncounts: false,
        production: production,
        staging: staging
      )
    }
    return released
  }

  /// How many refused rows came from the files of snapshots: there is no staging row to set back, and the next replay of
  /// the snapshot tries them again.
  public func countReplayed(sqlState: String?) throws -> Int {
    let result = try connect().query(
      """
      SELECT count(*) FROM \(Identifier(options.schemas.admin)).merge_errors
      WHERE retried_at IS NULL AND snapshot_id IS NOT NULL
        AND ($1::text[] IS NULL OR table_name = ANY ($1)) AND ($2::text IS NULL OR sqlstate = $2)
      """,
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
      "SELECT DISTINCT table_name FROM \(Identifier(options.schemas.admin)).merge_errors WHERE retried_at IS NULL AND snapshot_id IS NULL ORDER BY 1",
      "looking for refused rows"
    )
    return (0..<rows.count).compactMap { rows.text($0, 0) }
  }

  private var tablesParameter: Parameter {
    options.tables.map { .textArray($0) } ?? Parameter(binary: nil, type: TypeOID.textArray)
  }
}
