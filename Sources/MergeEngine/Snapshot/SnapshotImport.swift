import Foundation
import Libpq
import Logging
import Spelling

/// Makes a snapshot of the CSV files that DMS wrote to S3: what `snapshot from-csv` does.
///
/// ```
/// files ─▶ CSVReader ─▶ CSVBatch ─▶ the server makes values of production's types ─▶ the table's file
///                          └─ D ──▶ a temporary table ─▶ still in production? ─▶ deletes.jsonl, for repair
/// ```
/// Production is only read. Held are a piece of a file and a batch, whatever the files' size.
package struct SnapshotImport: Sendable {
  /// What is to be imported, and how the files are written.
  package struct Options: Sendable {
    /// Schemas, tables, column rules and time zone; the rest has no meaning here.
    package var merge = MergeOptions()
    /// Files, and folders that are searched for them.
    package var sources: [String] = []
    /// How they are written.
    package var format = CSVFormat()
    /// The names of the files' columns in their order, where no first row says them; nil for production's own.
    package var columns: [String]?
    /// Columns of the files that production has not, and that are left out.
    package var ignoredColumns: [String] = []
    /// So many bad rows are left out and kept aside; with more nothing is imported.
    package var maxErrors = 0

    /// DMS's defaults.
    package init() {}
  }

  private let options: Options
  private let session: Session
  private let logger: Logger
  private let stop: StopSignal

  /// - Parameters:
  ///   - target: the database that holds production.
  ///   - options: what to import.
  ///   - logger: is told of every table.
  ///   - stop: ends it early; nothing is left then.
  package init(target: ConnectionTarget, options: Options, logger: Logger, stop: StopSignal = StopSignal()) {
    self.options = options
    self.logger = logger
    self.stop = stop
    session = Session(target: target, schemas: options.merge.schemas, logger: logger)
  }

  /// The files beside the tables' own.
  static let deletesName = "deletes.jsonl"
  static let rejectedName = "rejected.csv"

  /// Imports; blocks the calling thread until the disk has all of it.
  ///
  /// - Parameter directory: empty, or not there yet.
  /// - Throws: ``MergeFailure`` when tables or files don't fit, or a row is bad, and ``SnapshotError`` or ``PostgresError``;
  ///   what was written is removed then. `CancellationError` when it was stopped.
  package func run(into directory: URL) throws -> SnapshotImportReport {
    try options.merge.schemas.requireDistinct()
    var purpose = Session.Purpose()
    purpose.carriesText = true
    let connection = try Reaching.database { () throws(PostgresError) in
      try session.connect(session.target, role: "control", for: purpose)
    }
    return try stop.covering(connection) { try run(into: SnapshotDirectory(url: directory), connection) }
  }

  private func run(into folder: SnapshotDirectory, _ connection: Connection) throws -> SnapshotImportReport {
    let schemas = options.merge.schemas
    try SessionFindings.requireZone(options.merge, connection)
    let denied = try AccessCheck(schemas: schemas).ofRole(connection, writesNow: true)
    guard denied.isEmpty else { throw MergeFailure.blocked(denied) }
    for schema in schemas.allProduction {
      try SchemaCheck(connection).require(schema, advice: "Name the production schema: --production-schema.")
    }
    let catalog = try Catalog(connection, schemas: schemas.allProduction)
    let pairs = options.merge.ofEachPair { pair, name in
      catalog.table(QualifiedName(schema: pair.production, name: name)) != nil
    }
    let choice = try CSVFileChoice(options.sources, pairs, catalog)
    let tables = try plan(choice, catalog)
    try readAsAsked(tables, connection)
    let id = UUID().uuidString.lowercased()
    let facts = try connection.query(
      "SELECT current_setting('server_version'), current_setting('client_encoding')",
      "beginning the snapshot"
    )
    let lastRun = try LastRun.read(connection, schemas)
    let wasMade = try folder.prepare()
    do {
      var reports: [SnapshotImportReport.Table] = []
      var saved: [SnapshotManifest.Table] = []
      let rejects = CSVRejects(limit: options.maxErrors)
      let deletes = DeletesFile(
        folder.fileURL(Self.deletesName),
        try header(id, tables, runID: lastRun?.id, connection)
      )
      for (number, table) in tables.enumerated() {
        var work = try CSVTableImport(table, number: number, options, folder, rejects, stop, connection)
        let (report, manifest) = try work.run(deletes)
        logger.info("\(manifest.rowCount.rows) imported", metadata: ["table": "\(table.name)"])
        reports.append(report)
        saved.append(manifest)
      }
      if stop.signal != nil { throw CancellationError() }
      rejects.arrange()
      try rejects.write(to: folder.fileURL(Self.rejectedName))
      let deletesPath = try deletes.finish()
      let manifest = SnapshotManifest(
        formatVersion: schemas.hasSeveralPairs
          ? SnapshotManifest.currentFormatVersion : SnapshotManifest.plainFormatVersion,
        engineVersion: EngineVersion.current,
        id: id,
        takenAt: Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)),
        serverVersion: facts.text(0, 0) ?? "",
        encoding: facts.text(0, 1) ?? "",
        stagingSchema: schemas.staging,
        window: nil,
        tables: saved
      )
      try folder.write(manifest)
      return SnapshotImportReport(
        manifest: manifest,
        tables: reports,
        rejected: rejects.rows,
        rejectedPath: rejects.rows.isEmpty ? nil : folder.fileURL(Self.rejectedName).path,
        deletesPath: deletesPath
      )
    } catch {
      for name in [Self.deletesName, Self.rejectedName] {
        try? FileManager.default.removeItem(at: folder.fileURL(name))
      }
      folder.discard(tables.map { CSVTableImport.fileName(of: $0, options) }, wasMade: wasMade)
      throw stop.signal == nil ? error : CancellationError()
    }
  }

  /// Has texts read as the options say, and else as the database does, whatever type they become a part of.
  private func readAsAsked(_ tables: [CSVTable], _ connection: Connection) throws(PostgresError) {
    let operation = "setting up the session"
    _ = try connection.query(
      "SELECT set_config('TimeZone', $1, false)",
      [.text(options.merge.timeZone)],
      operation
    )
    // What goes into the snapshot as text has to be read again under any style.
    guard !tables.contains(where: { $0.columns.contains { $0.travelElsewhere == .text } }) else { return }
    try connection.execute("RESET IntervalStyle", operation)
  }

  /// Looks at every table and the first rows of its files.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` with all that stands against it.
  private func plan(_ choice: CSVFileChoice, _ catalog: Catalog) throws -> [CSVTable] {
    var findings: [Finding] = []
    var tables: [CSVTable] = []
    for (candidate, files) in choice.tables {
      do {
        let table = try CSVTable(candidate, files, options)
        findings += table.findings(casts: catalog.casts)
        tables.append(table)
      } catch let MergeFailure.blocked(found) {
        findings += found
      }
    }
    let blockers = findings.filter { $0.grade == .blocker }
    guard blockers.isEmpty else { throw MergeFailure.blocked(blockers) }
    for finding in findings { logger.warning("\(finding.message)", metadata: ["table": "\(finding.table ?? "")"]) }
    return tables
  }

  private func header(_ id: String, _ tables: [CSVTable], runID: Int?, _ connection: Connection) throws
    -> DifferenceFile.Header
  {
    DifferenceFile.Header(
      writtenAt: Date().formatted(Date.ISO8601FormatStyle()),
      database: try .init(connection),
      runID: runID,
      snapshotID: id,
      tables: tables.map { table in
        .init(
          pair: table.pair.name,
          table: table.plainName,
          staging: "snapshot \(id) \(table.plainName)",
          from: nil,
          to: nil
        )
      }
    )
  }
}
