import Foundation
import Libpq
import Logging

/// What of a file is to be applied to which tables, settled before anything is written.
struct RepairPlan: Sendable {
  /// The tables with something to do, parents first.
  var tables: MergePlan
  /// For each of them the lines whose values come from staging.
  let writes: [[CheckedDifferences.Entry]]
  /// For each of them the lines of rows that are to be deleted.
  let deletions: [[CheckedDifferences.Entry]]
  /// For each of them the lines of kinds that were not asked for.
  let notAskedForCounts: [Int]
  /// The foreign keys that point at the tables of which rows are deleted.
  let references: [[Reference]]
  let differences: CheckedDifferences
  /// Whether it is made by a role that may only look, for one that may write: nobody's rights were checked.
  let isForOthers: Bool

  /// Whether there is a line of the kinds that were asked for.
  var hasWork: Bool { (writes + deletions).contains { !$0.isEmpty } }

  /// - Returns: nil when the file says nothing of the tables in question.
  /// - Throws: ``MergeFailure/blocked(_:)`` with what stands against it.
  init?(
    _ differences: CheckedDifferences,
    _ options: RepairOptions,
    _ logger: Logger,
    production: Connection,
    staging: Connection
  ) throws {
    self.differences = differences
    if let obstacle = differences.header.database.obstacle(in: try .init(production)) {
      throw differences.blocked("can't be applied here: \(obstacle)")
    }
    let entries = try Self.wanted(differences, options)
    guard !entries.isEmpty else { return nil }
    var merge = options.merge
    merge.tables = entries.keys.sorted()
    let snapshot = try differences.header.snapshotID.map { try Self.snapshot($0, of: merge, differences, production) }
    tables = try Preparation(options: merge, logger: logger, snapshot: snapshot, purpose: .look)
      .plan(production: production, staging: snapshot == nil ? staging : production)
    let kinds = Set(options.kinds)
    let lines = tables.tables.map { entries[$0.name] ?? [] }
    writes = lines.map { $0.filter { kinds.contains($0.kind) && $0.kind != .extra } }
    deletions = lines.map { $0.filter { kinds.contains($0.kind) && $0.kind == .extra } }
    notAskedForCounts = lines.map { $0.count { !kinds.contains($0.kind) } }
    references = try zip(tables.tables, deletions).map { table, lines in
      lines.isEmpty ? [] : try Reference.read(to: table.productionOid, production)
    }
    isForOthers = try options.isDryRun && AccessCheck.isReader(tables, production)
    try requireKeys()
    if !isForOthers { try requireRightsToDelete(production) }
    try requireFewDeletions(options, production)
  }

  /// Looks which keys of staging can't be production's, where rows are to be deleted that staging lacks.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` where they are too many.
  mutating func findUnreadableKeys(_ connection: Connection) throws {
    for (index, table) in tables.tables.enumerated() where !deletions[index].isEmpty && table.reading.snapshot == nil {
      guard let keys = try UnreadableRows.keys(of: table, connection).find() else {
        let reason =
          "more than \(UnreadableRows.limit.rows) of \(table.staging) have keys that \(table.production) can't have: which rows staging lacks "
          + "can't be told."
        throw MergeFailure.blocked([.blocker(.unreadableTypes, table.name, reason)])
      }
      tables.leaveOut(unreadableKeys: keys, of: index)
    }
  }

  /// Stands for the snapshot whose files say what was deleted: its tables are not read, and staging has no part in it.
  private static func snapshot(
    _ id: String,
    of options: MergeOptions,
    _ differences: CheckedDifferences,
    _ production: Connection
  ) throws -> CheckedSnapshot {
    let catalog = try Catalog(production, schemas: options.schemas.allProduction)
    let encoding = try production.query("SELECT current_setting('client_encoding')", "reading the encoding").text(0, 0)
    let url = URL(filePath: differences.path)
    let state = try SnapshotFile.State(url)
    func table(_ name: String, of schemas: Schemas) -> CatalogTable? {
      catalog.table(QualifiedName(schema: schemas.production, name: name))
    }
    let tables = options.ofEachPair { table($1, of: $0) != nil }.flatMap { own in
      (own.tables ?? []).map { name in
        SnapshotManifest.Table(
          name: name,
          pair: own.schemas.pairs[0],
          file: url.lastPathComponent,
          byteCount: 0,
          rowCount: 0,
          sha256: "",
          columns: (table(name, of: own.schemas)?.columns ?? []).filter { !$0.isGenerated }
            .map { SnapshotManifest.Column($0, productionSchema: own.schemas.production) },
          key: [],
          primaryKey: [],
          versionColumn: nil
        )
      }
    }
    let manifest = SnapshotManifest(
      engineVersion: EngineVersion.current,
      id: id,
      takenAt: differences.header.writtenAt,
      serverVersion: "",
      encoding: encoding ?? "",
      stagingSchema: options.schemas.staging,
      window: nil,
      tables: tables
    )
    return CheckedSnapshot(
      manifest: manifest,
      files: tables.map { SnapshotFile(table: $0, url: url, pieces: [], state: state) }
    )
  }

  /// What makes deleting rows slow, a sentence a foreign key.
  var slowChecks: [String] {
    zip(tables.tables, references).flatMap { table, references in
      references.compactMap { $0.slowCheck(deletingFrom: table.production) }
    }
  }

  /// The lines of the tables in question, if there are any that are asked for.
  private static func wanted(_ differences: CheckedDifferences, _ options: RepairOptions) throws
    -> [String: [CheckedDifferences.Entry]]
  {
    let schemas = options.merge.schemas
    let pairs = schemas.pairs.map(\.name)
    if let other = differences.entries.keys.first(where: { !pairs.contains($0.pair) })?.pair {
      throw differences.blocked(
        "is about the schemas \(other), not \(pairs.joined(separator: ", ")): name them with --staging-schema and "
          + "--production-schema."
      )
    }
    func name(_ pair: String, _ table: String) -> String {
      schemas.hasSeveralPairs ? "\(SchemaPair(pair)?.production ?? "").\(table)" : table
    }
    var entries: [String: [CheckedDifferences.Entry]] = [:]
    for (table, lines) in differences.entries { entries[name(table.pair, table.name)] = lines }
    if let names = options.merge.tables {
      let known = differences.header.tables.map { name($0.pair, $0.table) }
      if let unknown = names.first(where: { !known.contains($0) }) {
        throw MergeFailure.blocked([
          .blocker(.differenceFile, unknown, "the file \(differences.path) does not mention it: it was not verified.")
        ])
      }
      entries = entries.filter { names.contains($0.key) }
    }
    return entries
  }

  /// A key that is not the one that was compared finds other rows, and other columns of staging hold other values.
  private func requireKeys() throws {
    for (table, lines) in zip(tables.tables, zip(writes, deletions).map(+)) {
      let seen = differences.header.tables.first { $0.table == table.plainName && $0.pair == table.pair.name }
      if let then = seen?.columns, then != table.renamedColumns, !lines.isEmpty {
        throw MergeFailure.blocked([
          .blocker(
            .differenceFile,
            table.name,
            "staging's names for its columns were \(Self.words(then)) when it was verified, and are "
              + "\(Self.words(table.renamedColumns)) now: run verify --output again, or repair with the file that it was verified with."
          )
        ])
      }
      guard let first = try differences.differences(lines.prefix(1)).first else { continue }
      let names = table.keyColumns.map(\.name.name)
      guard Set(first.key.keys) == Set(names) else {
        throw MergeFailure.blocked([
          .blocker(
            .differenceFile,
            table.name,
            "its key was \(first.key.keys.sorted().joined(separator: ", ")) when it was verified, and is "
              + "\(names.sorted().joined(separator: ", ")) now: run verify --output again."
          )
        ])
      }
    }
  }

  private static func words(_ names: [String: String]) -> String {
    let others = names.sorted { $0.key < $1.key }.map { "\($0.value) for \($0.key)" }
    return others.isEmpty ? "production's" : others.joined(separator: ", ")
  }

  private func requireRightsToDelete(_ production: Connection) throws {
    var findings: [Finding] = []
    for (index, table) in tables.tables.enumerated() where !deletions[index].isEmpty {
      let rights =
        [
          SQL(
            "('DELETE on ' || \(Literal("\(table.production)")), has_table_privilege(\(Literal(table.production.quoted)), 'DELETE'))"
          )
        ]
        + references[index].map {
          "('SELECT on ' || \(Literal("\($0.child)")), has_any_column_privilege(\(Literal($0.child.quoted)), 'SELECT'))"
        }
      let missing = try production.query(
        """
        SELECT string_agg(r.name, ', '), string_agg('GRANT ' || replace(r.name, ' on ', ' ON ') || ' TO ' || quote_ident(current_user), '; ')
        FROM (VALUES \(rights.joined(", "))) AS r (name, is_granted) WHERE NOT r.is_granted
        """,
        "reading the role's rights on \(table.production)"
      )
      if let names = missing.text(0, 0), let grants = missing.text(0, 1) {
        findings.append(
          .blocker(.missingRight, table.name, "--kind extra: the role lacks \(names). Have its owner run: \(grants)")
        )
      }
      // A row that refers to one and is not seen would go with it.
      findings += try RowSecurity(table: table.name).findings(on: references[index].map(\.child), production)
    }
    guard findings.isEmpty else { throw MergeFailure.blocked(findings) }
  }

  /// Rows that CDC has brought since the load are newer than every bound: without two they would count as extra. And many
  /// extra rows mean that staging is not complete, rather than that they were deleted in Oracle.
  private func requireFewDeletions(_ options: RepairOptions, _ production: Connection) throws {
    for (table, lines) in zip(tables.tables, deletions) where !lines.isEmpty {
      let seen = differences.header.tables.first { $0.table == table.plainName && $0.pair == table.pair.name }
      // Who was asked for row by row can't be new: what was written since the load began is not in such a file. And what a
      // snapshot's files say was deleted was.
      if seen?.askedKeyCount != nil || table.reading.snapshot != nil {
        let window = VersionWindow(from: seen?.from, to: seen?.to)
        try requireFew(lines.count, of: table, in: window, options, production)
        continue
      }
      guard let from = seen?.from, let to = seen?.to else {
        throw MergeFailure.blocked([
          .blocker(
            .extraRows,
            table.name,
            "--kind extra needs a file about a window with both ends. Write one: verify --from T --to T --output FILE."
          )
        ])
      }
      try requireFew(lines.count, of: table, in: VersionWindow(from: from, to: to), options, production)
    }
  }

  private func requireFew(
    _ lineCount: Int,
    of table: TablePlan,
    in window: VersionWindow,
    _ options: RepairOptions,
    _ production: Connection
  ) throws {
    let version = VersionWindow.Version(value: "p.\(table.version.name)") { table.versionBound("\($0)") }
    let place = window.isUnbounded ? "of the table" : "inside the window"
    let count =
      try production.query(
        "SELECT count(*) FROM \(table.production) AS p WHERE \(window.condition(on: version))",
        "counting the rows of \(table.production) \(place)"
      ).integer(0, 0) ?? 0
    let percent = count > 0 ? Double(lineCount) * 100 / Double(count) : 100
    guard percent > options.maxExtraPercent else { return }
    throw MergeFailure.blocked([
      .blocker(
        .extraRows,
        table.name,
        "\(lineCount) of \(count) rows \(place) (\((percent * 100).rounded() / 100) %) would be deleted, "
          + "more than --max-extra-percent \(options.maxExtraPercent) allows. "
          + (table.reading.snapshot != nil ? "Were so many deleted?" : "Is staging complete?")
      )
    ])
  }
}
