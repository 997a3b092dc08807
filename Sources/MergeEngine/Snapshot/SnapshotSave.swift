import Foundation
import Libpq
import Logging

/// Copies the staging tables into files, all as they are at one moment: what `snapshot save` does.
package struct SnapshotSave: Sendable {
  private let options: MergeOptions
  private let session: Session
  private let stop: StopSignal
  private let logger: Logger

  /// - Parameters:
  ///   - target: the database that holds production, and staging too unless that is elsewhere.
  ///   - stagingTarget: the database that holds staging, if it is another one.
  ///   - options: schemas, tables and column rules.
  ///   - logger: is told of every table.
  ///   - stop: ends it early; nothing is left then.
  package init(
    target: ConnectionTarget,
    stagingTarget: ConnectionTarget? = nil,
    options: MergeOptions,
    logger: Logger,
    stop: StopSignal = StopSignal()
  ) {
    self.options = options
    self.stop = stop
    self.logger = logger
    var session = Session(target: target, stagingTarget: stagingTarget, schemas: options.schemas, logger: logger)
    session.isReadOnly = true
    // One transaction over all tables, idle while a file is closed.
    session.leavesTransactionsIdle = true
    self.session = session
  }

  /// Takes the snapshot; blocks the calling thread until the disk has all of it.
  ///
  /// - Parameter directory: empty, or not there yet.
  /// - Throws: ``MergeFailure`` before anything is written; ``SnapshotError`` or ``PostgresError`` later, after which what
  ///   was written is removed.
  package func run(into directory: URL) throws -> SnapshotManifest {
    try options.schemas.requireDistinct()
    let production = try session.reachControl()
    let staging = try session.reachStaging(beside: production)
    return try stop.covering(production) {
      try stop.covering(staging) {
        try run(into: SnapshotDirectory(url: directory), production: production, staging: staging)
      }
    }
  }

  private func run(
    into folder: SnapshotDirectory,
    production: Connection,
    staging: Connection
  ) throws -> SnapshotManifest {
    let loaded = try LoadedWindow.read(production, options.schemas)
    let targets = try Catalog(production, schemas: options.schemas.allProduction)
    let catalog = try Catalog(staging, schemas: options.schemas.allStaging)
    let pairs = options.ofEachPair(staging: catalog, production: targets).map { SavedPair($0, catalog, targets) }
    let findings = pairs.flatMap { pair in
      pair.missing.map { Finding.blocker(.notFound, $0, "there is no ordinary table \(pair.staging).\($0) to save.") }
    }
    guard findings.isEmpty else { throw MergeFailure.blocked(findings) }
    let names = pairs.flatMap(\.tables)
    guard !names.isEmpty else {
      let schemas = options.schemas.allStaging
      throw MergeFailure.blocked([
        .blocker(
          .notFound,
          nil,
          "there is no table in the schema\(schemas.count > 1 ? "s" : "") \(schemas.joined(separator: ", ")) to save. Name the right one: "
            + "--staging-schema."
        )
      ])
    }
    let wasMade = try folder.prepare()
    do {
      let manifest = try save(pairs, folder, loaded: loaded, on: staging)
      try folder.write(manifest)
      return manifest
    } catch {
      folder.discard(names.map(fileName), wasMade: wasMade)
      throw error
    }
  }

  private func fileName(of table: QualifiedName) -> String {
    SnapshotDirectory.fileName(of: table.name.name, in: options.schemas.hasSeveralPairs ? table.schema.name : nil)
  }

  private func save(
    _ pairs: [SavedPair],
    _ folder: SnapshotDirectory,
    loaded: LoadedWindow?,
    on connection: Connection
  ) throws -> SnapshotManifest {
    // The locks before the snapshot, which the first query takes: a TRUNCATE in between would show empty tables.
    try connection.execute(
      """
      BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
      LOCK TABLE \(pairs.flatMap(\.tables).map { "\($0)" as SQL }.joined(", ")) IN ACCESS SHARE MODE
      """,
      "locking the staging tables against being changed"
    )
    let facts = try connection.query(
      "SELECT current_setting('server_version'), current_setting('client_encoding')",
      "beginning the snapshot"
    )
    let catalog = try Catalog(connection, schemas: options.schemas.allStaging)
    let takenAt = Date()
    let found = pairs.map { pair in pair.tables.compactMap { catalog.table($0) } }
    let window = try loaded?.proven(for: found.flatMap(\.self), connection)
    var tables: [SnapshotManifest.Table] = []
    for (pair, all) in zip(pairs, found) {
      for table in all { tables.append(try save(table, of: pair, among: all, folder, on: connection)) }
    }
    try connection.execute("COMMIT", "ending the snapshot")
    return SnapshotManifest(
      formatVersion: options.schemas.hasSeveralPairs
        ? SnapshotManifest.currentFormatVersion : SnapshotManifest.plainFormatVersion,
      engineVersion: EngineVersion.current,
      id: UUID().uuidString.lowercased(),
      takenAt: takenAt.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)),
      serverVersion: facts.text(0, 0) ?? "",
      encoding: facts.text(0, 1) ?? "",
      stagingSchema: options.schemas.staging,
      window: window,
      tables: tables
    )
  }

  private func save(
    _ table: CatalogTable,
    of pair: SavedPair,
    among all: [CatalogTable],
    _ folder: SnapshotDirectory,
    on connection: Connection
  ) throws -> SnapshotManifest.Table {
    let name = table.name.name.name
    // What staging generates is a value like any other to who merges it.
    let columns = table.columns
    let definitions = try TypeDefinitions(of: columns.map(\.baseType.oid), connection)
    let described = columns.map {
      SnapshotManifest.Column($0, productionSchema: pair.schemas.production, definitions: definitions)
    }
    let file = fileName(of: table.name)
    var writer = try SnapshotFileWriter(folder.fileURL(file), described)
    try connection.copyOut(Self.copy(table, columns), "reading \(table.name)") { try writer.append($0) }
    let digest = try writer.finish()
    logger.info(
      "\(writer.rowCount.rows) saved, \(Numbers.bytes(writer.byteCount))",
      metadata: ["table": "\(options.schemas.hasSeveralPairs ? "\(table.name)" : name)"]
    )
    let ownKey = (table.primaryKey?.columns ?? []).map(\.name.name)
    let target = pair.target(of: table, among: all)
    return SnapshotManifest.Table(
      name: name,
      pair: SchemaPair(staging: pair.schemas.staging, production: pair.schemas.production),
      file: file,
      byteCount: writer.byteCount,
      rowCount: writer.rowCount,
      sha256: digest,
      columns: described,
      key: target?.key ?? ownKey,
      primaryKey: ownKey,
      versionColumn: target?.versionColumn ?? table.column(pair.rules.version(of: name)).map(\.name.name)
    )
  }

  /// `COPY table (columns)`, but where a type has no binary form, or one that other databases understand otherwise: its values go as text.
  private static func copy(_ table: CatalogTable, _ columns: [CatalogColumn]) -> SQL {
    guard columns.contains(where: { $0.travelElsewhere == .text || $0.isGenerated }) else {
      return "COPY \(table.name) (\(columns.map(\.name).joined())) TO STDOUT (FORMAT binary)"
    }
    let outputs = columns.map { $0.travelElsewhere == .text ? "\($0.name)::text" : "\($0.name)" as SQL }
    return "COPY (SELECT \(outputs.joined(", ")) FROM \(table.name)) TO STDOUT (FORMAT binary)"
  }
}

/// What is saved of one pair of schemas, and what production has for it: how rows are matched, and which of two is newer.
private struct SavedPair {
  /// By staging's names.
  struct Target {
    let key: [String]?
    /// nil if staging has no such column.
    let versionColumn: String?
  }

  let schemas: Schemas
  let rules: ColumnRules
  /// Staging's ordinary tables that are asked for.
  let tables: [QualifiedName]
  /// Names that were asked for, and that no ordinary table has.
  let missing: [String]
  private let production: [CatalogTable]

  var staging: String { schemas.staging }

  init(_ options: MergeOptions, _ staging: Catalog, _ production: Catalog) {
    schemas = options.schemas
    rules = options.columns
    let ordinary = staging.tables(in: schemas.staging).filter { $0.kind == .table }.map(\.name)
    let wanted = options.namesInStaging(ordinary.map(\.name.name))
    tables = ordinary.filter { wanted?.contains($0.name.name) ?? true }
    missing = (wanted ?? []).filter { name in !ordinary.contains { $0.name.name == name } }
    self.production = production.tables(in: schemas.production)
  }

  /// - Returns: nil for a table that production does not have.
  func target(of table: CatalogTable, among staging: [CatalogTable]) -> Target? {
    let names = StagingNames(rules, staging: staging, production: production)
    guard case .found(let name) = names.production(of: table.name.name),
      let own = production.first(where: { $0.name.name == name })
    else { return nil }
    let target = MergeTarget(own, rules)
    let staged = StagedColumns(table, for: own, rules).table
    let key = target.key.map { key in key.columns.compactMap { staged.column($0.name)?.nameInTable.name } }
    return Target(
      // A key that staging has not whole matches nothing.
      key: key?.count == target.key?.columns.count ? key : nil,
      versionColumn: staged.column(target.version)?.nameInTable.name
    )
  }
}
