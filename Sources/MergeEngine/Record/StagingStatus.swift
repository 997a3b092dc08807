import Libpq

/// How many rows of a staging table are pending, processed and refused.
public struct StagingStatus: Sendable, Codable {
  /// The table's plain name.
  public let table: String
  /// All rows.
  public let total: Int
  /// Rows marked NEW.
  public let pending: Int
  /// Rows marked PROCESSED.
  public let processed: Int
  /// Rows marked ERROR.
  public let errors: Int

  /// Counts every staging table with a status column.
  static func read(_ connection: Connection, _ schemas: Schemas, only names: [String]?) throws(PostgresError)
    -> [StagingStatus]
  {
    var statuses: [StagingStatus] = []
    for table in try tables(connection, schemas) where names?.contains(table.name.name) ?? true {
      statuses.append(try count(table, connection))
    }
    return statuses
  }

  /// Counts one staging table.
  static func count(_ table: QualifiedName, _ connection: Connection) throws(PostgresError) -> StagingStatus {
    let row = try connection.query(query(table), "counting \(table)")
    return StagingStatus(
      table: table.name.name,
      total: row.integer(0, 1) ?? 0,
      pending: row.integer(0, 2) ?? 0,
      processed: row.integer(0, 3) ?? 0,
      errors: row.integer(0, 4) ?? 0
    )
  }

  /// What it comes to when a run has read on: its rows are no longer pending.
  ///
  /// - Parameters:
  ///   - read: rows that the run has read since.
  ///   - refused: how many of them it has refused.
  func advanced(read: Int, refused: Int) -> StagingStatus {
    // A run that reads rows again may count backwards.
    let read = min(max(read, 0), pending)
    let refused = min(max(refused, 0), read)
    return StagingStatus(
      table: table,
      total: total,
      pending: pending - read,
      processed: processed + read - refused,
      errors: errors + refused
    )
  }

  /// Refuses names that stand for nothing: who watches the wrong name would wait for ever.
  ///
  /// Staging that is in another database is not seen from here; there the name is production's.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)``.
  static func require(_ names: [String]?, on connection: Connection, schemas: Schemas) throws {
    guard let names else { return }
    let rows = try connection.query(
      """
      SELECT name FROM unnest($1::text[]) WITH ORDINALITY AS t (name, position)
      WHERE NOT EXISTS (
        SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relname = t.name
          AND n.nspname = CASE WHEN EXISTS (SELECT FROM pg_namespace WHERE nspname = $2) THEN $2 ELSE $3 END)
      ORDER BY position
      """,
      [.textArray(names), .text(schemas.staging), .text(schemas.production)],
      "looking for the staging tables"
    )
    guard rows.count > 0 else { return }
    throw MergeFailure.blocked(
      (0..<rows.count).map { row in
        let name = rows.text(row, 0) ?? ""
        return .blocker(name, "there is no staging table \(schemas.staging).\(name).")
      }
    )
  }

  /// The staging tables that carry a status.
  static func tables(_ connection: Connection, _ schemas: Schemas) throws(PostgresError) -> [QualifiedName] {
    let rows = try connection.query(
      """
      SELECT c.relname::text
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = $2 AND NOT a.attisdropped
      WHERE n.nspname = $1 AND c.relkind = 'r'
      ORDER BY c.relname
      """,
      [.text(schemas.staging), .text(TablePlanner.statusColumn.name)],
      "looking for the staging tables"
    )
    return (0..<rows.count).map { QualifiedName(schema: schemas.staging, name: rows.text($0, 0) ?? "") }
  }

  /// The guide's count: table_name, total_records, pending_records, processed_records, error_records.
  static func query(_ table: QualifiedName) -> SQL {
    let status = TablePlanner.statusColumn
    return """
      SELECT \(Literal(table.name.name)) AS table_name,
             count(*) AS total_records,
             count(*) FILTER (WHERE \(status) = 'NEW') AS pending_records,
             count(*) FILTER (WHERE \(status) = 'PROCESSED') AS processed_records,
             count(*) FILTER (WHERE \(status) = 'ERROR') AS error_records
      FROM \(table)
      """
  }
}
