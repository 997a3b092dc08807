import Foundation
import Libpq
import Logging

/// Fills staging tables from a snapshot's files: what `replay --into-staging` does.
package struct SnapshotRestore: Sendable {
  /// What was done to one table.
  package struct TableReport: Sendable, Codable {
    /// The staging schema.
    package let schema: String
    /// The plain table name.
    package let table: String
    /// Rows that it has now.
    package let rows: Int
    /// Whether it was made for them.
    package let created: Bool
  }

  private let options: MergeOptions
  private let session: Session
  private let snapshot: Snapshot
  private let stop: StopSignal

  /// - Parameters:
  ///   - target: the database that holds staging.
  ///   - snapshot: what to restore.
  ///   - options: schemas and tables.
  ///   - logger: gets the server's notices.
  ///   - stop: ends it early; nothing is written then.
  package init(
    target: ConnectionTarget,
    snapshot: Snapshot,
    options: MergeOptions,
    logger: Logger,
    stop: StopSignal = StopSignal()
  ) {
    self.options = options
    self.snapshot = snapshot
    self.stop = stop
    session = Session(target: target, schemas: options.schemas, logger: logger)
  }

  /// Restores all tables or none, with the marks that their rows carried.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` when a file is damaged, or a table has rows or other columns; ``PostgresError``
  ///   when the server refuses a row. Nothing is written in any case.
  package func run() throws -> [TableReport] {
    try options.schemas.requireTwo()
    let files = try snapshot.checked(pieceRows: .max, tables: options.tables(of: snapshot), stop: stop)
    let connection = try session.reachControl()
    return try stop.covering(connection) {
      let types = try SnapshotCatalog(files, options.schemas, connection)
      try connection.execute("BEGIN", "beginning to restore staging")
      do {
        let reports = try restore(files, types, on: connection)
        try connection.execute("COMMIT", "restoring staging")
        return reports
      } catch {
        if !connection.isBroken { try connection.execute("ROLLBACK", "giving up restoring staging") }
        throw error
      }
    }
  }

  private func restore(
    _ snapshot: CheckedSnapshot,
    _ types: SnapshotCatalog,
    on connection: Connection
  ) throws -> [TableReport] {
    let present = try Catalog(connection, schemas: options.schemas.allStaging)
    let pairs = SnapshotPairs(snapshot.manifest, options.schemas)
    var findings: [Finding] = []
    var places: [(file: SnapshotFile, table: QualifiedName, columns: [(name: Identifier, type: SQL)])] = []
    for file in snapshot.files {
      guard let schemas = pairs.schemas(of: file.table) else { continue }
      let name = QualifiedName(schema: schemas.staging, name: file.table.name)
      places.append((file, name, types.columns(of: file.table)))
      guard let table = present.table(name) else { continue }
      findings += try obstacles(table, types.table(file.table), saved: file.table, on: connection).map {
        .blocker(.snapshot, snapshot.manifest.label(file.table), $0)
      }
    }
    guard findings.isEmpty else { throw MergeFailure.blocked(findings) }
    for schema in Set(places.map(\.table.schema.name)).sorted() { try makeSchema(schema, connection) }
    return try places.map { file, table, columns in
      let isMissing = present.table(table) == nil
      if isMissing { try make(table, file, columns, on: connection) }
      try fill(table, file, columns.map(\.name), on: connection)
      return TableReport(
        schema: table.schema.name,
        table: file.table.name,
        rows: file.table.rowCount,
        created: isMissing
      )
    }
  }

  /// What stands against filling a table that is there; locks it, so that it stays empty.
  private func obstacles(
    _ present: CatalogTable,
    _ wanted: CatalogTable?,
    saved: SnapshotManifest.Table,
    on connection: Connection
  ) throws(PostgresError) -> [String] {
    guard present.kind == .table else { return ["\(present.name) is not an ordinary table."] }
    try connection.execute("LOCK TABLE \(present.name) IN SHARE ROW EXCLUSIVE MODE", "locking \(present.name)")
    let result = try connection.query(
      "SELECT EXISTS (SELECT FROM \(present.name))",
      "checking whether \(present.name) is empty"
    )
    guard result.bool(0, 0) == false else {
      return ["\(present.name) holds rows. Save the rows you need, then truncate it."]
    }
    let columns = present.columns.filter { !$0.isGenerated }
    let missing = (wanted?.columns ?? []).filter { column in !columns.contains { $0.name == column.name } }
    let added = columns.filter { column in
      wanted?.column(column.name) == nil && column.name != TablePlanner.statusColumn
    }
    let differing = columns.filter { column in
      guard let other = wanted?.column(column.name) else { return false }
      return other.baseType.oid != column.baseType.oid || other.baseType.modifier != column.baseType.modifier
    }
    let advice = "If nobody needs it, drop it, and the replay recreates it as it was."
    return missing.map {
      present.column($0.name) == nil
        ? "\(present.name) has no column \($0.name), which the snapshot has. \(advice)"
        : "\(present.name) generates its column \($0.name), of which the snapshot has values. Without the table the replay makes one that holds them."
    }
      + added.map { "\(present.name) has a column \($0.name) that the snapshot does not have. \(advice)" }
      + differing.map { column in
        if column.travelElsewhere == .text,
          saved.columns.contains(where: { $0.name == column.name.name && $0.baseType == "text" })
        {
          return
            "the column \(column.name) of \(present.name) is \(column.declaredType), and the snapshot holds its "
            + "values as text. If nobody needs the table, drop it, and the replay creates it with a text column, "
            + "which a merge reads as production's type."
        }
        let type = wanted?.column(column.name)?.baseType.fullName.text ?? ""
        return
          "the column \(column.name) of \(present.name) is \(column.declaredType), but \(type) in the snapshot. \(advice)"
      }
  }

  /// Only when it is missing: IF NOT EXISTS wants the right to make schemas even then.
  private func makeSchema(_ name: String, _ connection: Connection) throws(PostgresError) {
    let found = try connection.query(
      "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)",
      [.text(name)],
      "looking for the schema \(name)"
    )
    guard found.bool(0, 0) == false else { return }
    try connection.execute("CREATE SCHEMA \(Identifier(name))", "creating the schema \(name)")
  }

  private func make(
    _ table: QualifiedName,
    _ file: SnapshotFile,
    _ columns: [(name: Identifier, type: SQL)],
    on connection: Connection
  ) throws(PostgresError) {
    let statement = StagingDefinition.create(
      table,
      columns: columns.filter { $0.name != TablePlanner.statusColumn },
      key: file.table.primaryKey.map { Identifier($0) },
      hasStatus: columns.contains { $0.name == TablePlanner.statusColumn }
    )
    try connection.execute(statement, "making \(table)")
  }

  private func fill(
    _ table: QualifiedName,
    _ file: SnapshotFile,
    _ columns: [Identifier],
    on connection: Connection
  ) throws {
    let handle = try file.open()
    defer { try? handle.close() }
    let count = try connection.copyIn(
      "COPY \(table) (\(columns.joined())) FROM STDIN (FORMAT binary)",
      "restoring \(table) from \(file.url.path)"
    ) { stream in
      // 1 MiB is arbitrary, large against the cost of a call.
      while let part = try handle.read(upToCount: 1 << 20), !part.isEmpty { try stream.write(part.bytes) }
    }
    guard count == file.table.rowCount else {
      throw SnapshotError("restoring \(table)", "the server took \(count) of \(file.table.rowCount) rows")
    }
  }
}
