import Libpq
import Spelling

/// How many rows of a staging table are pending, processed and refused.
public struct StagingStatus: Sendable, Codable {
  /// The table's plain name.
  public let table: String
  /// All rows.
  public let total: Int
  /// Rows that are not merged.
  public let pending: Int
  /// Rows that met a verdict other than error.
  public let processed: Int
  /// Rows that stand refused.
  public let errors: Int

  /// Counts every staging table.
  static func read(_ connection: Connection, _ schemas: Schemas, only names: [String]?) throws(PostgresError)
    -> [StagingStatus]
  {
    var statuses: [StagingStatus] = []
    for table in try tables(connection, schemas) where names?.contains(table.name.name.name) ?? true {
      statuses.append(try count(table, connection, admin: Identifier(schemas.admin)))
    }
    return statuses
  }

  /// Counts one staging table.
  static func count(_ table: Table, _ connection: Connection, admin: Identifier) throws(PostgresError) -> StagingStatus
  {
    let query: SQL =
      table.hasLedger ? table.counts(admin) : "SELECT count(*), count(*), 0::bigint, 0::bigint FROM \(table.name)"
    // For a statement that reads rows once, compiling it takes longer than running it.
    let row = try LocalSettings.reading(under: "SET LOCAL jit = off", on: connection) { () throws(PostgresError) in
      try connection.query(query, "counting \(table.name)")
    }
    return StagingStatus(
      table: table.name.name.name,
      total: row.integer(0, 0) ?? 0,
      pending: row.integer(0, 1) ?? 0,
      processed: row.integer(0, 2) ?? 0,
      errors: row.integer(0, 3) ?? 0
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
    let known = try connection.query(
      """
      SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p')
        AND n.nspname = CASE WHEN EXISTS (SELECT FROM pg_namespace WHERE nspname = $1) THEN $1 ELSE $2 END
      """,
      [.text(schemas.staging), .text(schemas.production)],
      "looking for the staging tables"
    )
    let knownNames = (0..<known.count).compactMap { known.text($0, 0) }
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
        let question = Spelling.question(for: name, in: knownNames)
        return .blocker(.notFound, name, "there is no staging table \(schemas.staging).\(name).\(question)")
      }
    )
  }

  /// A staging table that can be counted.
  struct Table {
    let name: QualifiedName
    let production: QualifiedName
    /// Of the guide's version column, if it has that and it is a time.
    let versionType: SQL?
    /// Something may be known of it.
    let hasLedger: Bool

    /// total_records, pending_records, processed_records, error_records.
    func counts(_ admin: Identifier) -> SQL {
      ProgressSQL(
        staging: "\(name)",
        stagingLiteral: "\(Literal(name.quoted))",
        productionLiteral: "\(Literal(production.quoted))",
        productionSchema: Literal(production.schema.name),
        version: versionType.map { ("s.\(Identifier(ColumnRules().version))", $0) },
        admin: admin
      ).counts
    }
  }

  /// The type of the version column of a table `c`, if it has one and that is a time.
  static let versionType: SQL = """
    (SELECT format_type(a.atttypid, NULL) FROM pg_attribute a
     WHERE a.attrelid = c.oid AND a.attname = \(Literal(ColumnRules().version)) AND NOT a.attisdropped
       AND a.atttypid IN (\(TypeOID.timestamp), \(TypeOID.timestamptz), \(TypeOID.date)))
    """

  /// The staging tables.
  static func tables(_ connection: Connection, _ schemas: Schemas) throws(PostgresError) -> [Table] {
    let hasLedger = try AdminSchema.hasProgress(Identifier(schemas.admin), connection)
    let rows = try connection.query(
      """
      SELECT c.relname::text, \(versionType)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relkind = 'r'
      ORDER BY c.relname
      """,
      [.text(schemas.staging)],
      "looking for the staging tables"
    )
    return (0..<rows.count).map { row in
      let name = rows.text(row, 0) ?? ""
      return Table(
        name: QualifiedName(schema: schemas.staging, name: name),
        production: QualifiedName(schema: schemas.production, name: name),
        versionType: rows.text(row, 1).map { .uncheckedFromServer($0) },
        hasLedger: hasLedger
      )
    }
  }
}
