import Libpq
import Spelling

/// Resolves what is to be done with one table, and says what stands against it.
struct TablePlanner {
  let options: MergeOptions
  /// Staging is in another database than production, where types made by users have other oids or are missing.
  let isSplit: Bool
  /// Rows come from a snapshot's files, where marks mean nothing.
  let readsSnapshot: Bool
  /// Between which types production's database has casts, and staging's.
  let casts: Casts
  let stagingCasts: Casts
  /// By what staging's text is read.
  let inputSettings: InputSettings
  private(set) var findings: [Finding] = []

  init(
    _ options: MergeOptions,
    casts: Casts,
    stagingCasts: Casts,
    inputSettings: InputSettings,
    isSplit: Bool,
    readsSnapshot: Bool
  ) {
    self.options = options
    self.casts = casts
    self.stagingCasts = stagingCasts
    self.inputSettings = inputSettings
    self.isSplit = isSplit
    self.readsSnapshot = readsSnapshot
  }

  static let statusColumn = Identifier("_dms_processing_status")
  /// What DMS's CSV files say of how a row came about; kept in snapshots that were made of them, and never merged.
  static let operationColumn = Identifier("_dms_op")
  /// What the engine's own columns begin with, in its statements and in the tables that it makes beside production's columns.
  private static let ownPrefix = "_merge_engine_"

  /// - Returns: nil when there is a blocker; ``findings`` then says which.
  mutating func plan(staging loaded: CatalogTable, production: CatalogTable) -> TablePlan? {
    let table = production.name.name.name
    let staged = StagedColumns(loaded, for: production, options.columns)
    let (staging, ignored) = (staged.table, staged.ignored)
    let blockersBefore = blockerCount
    let target = MergeTarget(production, options.columns)
    for obstacle in target.obstacles { block(table, obstacle) }
    guard target.kindObstacle == nil else { return nil }
    checkStorage(table, staging: loaded, production: production)
    warnOfUnlogged(table, production)
    if let obstacle = MisspelledColumns(staging: staging, production: production, ignored: ignored).obstacle {
      // All that is missing is missing by its right name only.
      block(table, obstacle)
      return nil
    }
    checkStaging(table, staging: staging, production: production)
    let shared = sharedColumns(table, staging: staging, production: production, ignored: ignored)
    let versionName = target.version
    for column in target.key?.columns ?? [] where !shared.contains(column.name) {
      checkKeyColumn(column.name, table, staging: staging, production: production)
    }
    if target.versionType != nil, staging.column(versionName) != nil, !shared.contains(versionName) {
      block(table, "the version column \(versionName) of \(production.name) is ignored. Take it out of ignore_columns.")
    }
    guard blockerCount == blockersBefore, let key = target.key, let versionType = target.versionType else {
      return nil
    }
    warnOfVersionInKey(table, production, key: key)
    warnOfWrittenPrimaryKey(table, production, key: key, shared: shared)
    warnOfIdentity(table, production, key: key, shared: shared)

    let ordered = Self.wireOrder(shared, key: key, version: versionName)
    let insertOnly = options.columns.insertOnly(of: table)
    let equality = Dictionary(uniqueKeysWithValues: key.columns.map { ($0.name, $0.equality) })
    // Others over the same columns may take more values for equal: what they refuse is no row that is there already.
    let isAlone = production.uniqueIndexes.allSatisfy { $0.oid == key.oid || $0.columnNames != key.columnNames }
    let readings = ordered.map { column in
      ColumnReading(
        target: column,
        source: staging.column(column.name),
        isKey: key.columns.contains { $0.name == column.name },
        isSplit: isSplit,
        timeZone: options.timeZone,
        casts: casts,
        stagingCasts: stagingCasts
      )
    }
    for obstacle in readings.compactMap(\.obstacle) { block(table, "\(production.name) can't be merged: \(obstacle).") }
    guard blockerCount == blockersBefore else { return nil }
    let columns = readings.map { reading in
      let (column, source, isKey) = (reading.target, reading.source, reading.isKey)
      let isText = source.map { TypeOID.strings.contains($0.baseType.oid) } ?? false
      let zoned = source.flatMap { ZonedCast(zone: options.timeZone).cast("", from: $0.baseType, to: column.baseType) }
      let zoneIsOfDatabase =
        source.map { ZonedCast.isLeftToDatabase(from: $0.baseType, to: column.baseType) } ?? false
      return TablePlan.Column(
        name: column.name,
        renamed: source.flatMap { $0.nameInTable == column.name ? nil : $0.nameInTable },
        readExpression: reading.expression(isCompared: isKey),
        travel: reading.travel,
        baseType: column.baseType,
        inStaging: source?.declared,
        inProduction: column.declared,
        isInsertOnly: insertOnly.contains(column.name) || column.isIdentityAlways,
        equality: equality[column.name] ?? "=",
        arbiter: isAlone ? nil : key.columns.first { $0.name == column.name }?.arbiter,
        comparedExpression: reading.expression(isCompared: true),
        zoneMatters: zoned != nil,
        zoneIsOfDatabase: zoneIsOfDatabase,
        readsTextAsTime: isText && TypeOID.dated.contains(column.baseType.oid),
        decidingSettings: source.map {
          inputSettings.deciding(from: $0.baseType, to: column.baseType, zoneIsOfDatabase: zoneIsOfDatabase)
        } ?? [],
        keyCast: reading.keyCast,
        needsAssignment: column.baseType.needsAssignment
          && (source?.baseType.oid != column.baseType.oid || source?.baseType.modifier != column.baseType.modifier)
      )
    }
    let keyColumns = columns.prefix(key.columns.count)
    let hasStatusColumn = !readsSnapshot && keepsStatus(table, staging)
    var plan = TablePlan(
      staging: staging.name,
      production: production.name,
      stagingOid: staging.oid,
      productionOid: production.oid,
      stagedColumnCount: loaded.columns.count,
      estimatedRowCount: staging.estimatedRowCount,
      columns: columns,
      keyColumnCount: key.columns.count,
      versionIndex: columns.firstIndex { $0.name == versionName } ?? 0,
      versionType: versionType,
      sendsProbeKeys: keyColumns.contains { $0.probesAsText && $0.travel == .binary },
      keyEqualityIsBytewise: keyColumns.allSatisfy { $0.baseType.equalityIsBytewise && $0.travel == .binary },
      keyIndexOid: key.oid,
      // Of all indexes over these columns the server takes none that is deferrable for an arbiter, and says so by an error.
      keyIsDeferrable: production.uniqueIndexes.contains { $0.isDeferrable && $0.columnNames == key.columnNames },
      keyIsPrimary: key.isPrimary,
      citus: production.citus,
      shards: options.shards?["\(production.name)"],
      hasStatusColumn: hasStatusColumn,
      nullRule: options.nulls,
      timeZone: options.timeZone,
      reading: TablePlan.Reading(
        window: VersionWindow(from: options.from, to: options.to),
        isSplit: isSplit,
        mayHaveChildren: loaded.mayHaveChildren
      ),
      writing: TablePlan.Writing(
        marksRows: hasStatusColumn && options.mark == .all,
        restorableColumns: production.columns.filter { column in
          !column.isGenerated && !key.columns.contains { $0.name == column.name }
        }
      )
    )
    plan.omittedDomains = production.columns.filter { column in
      column.isOfBareDomain && !column.hasDefault && !column.isIdentity && !shared.contains { $0.name == column.name }
    }.map { ($0.name, $0.declaredType) }
    return plan
  }

  /// Whether staging has a column that can hold the three words of a row's status. What only bears its name is somebody else's.
  private mutating func keepsStatus(_ table: String, _ staging: CatalogTable) -> Bool {
    guard let column = staging.column(Self.statusColumn) else { return false }
    let isText = TypeOID.strings.contains(column.baseType.oid)
    guard isText, column.baseType.characterLimit ?? .max >= Self.longestStatus.count, !column.isGenerated else {
      findings.append(
        .warning(
          .statusColumn,
          table,
          "the column \(column.name) of \(staging.name) is \(column.isGenerated ? "generated, " : "")of type "
            + "\(column.declaredType), which can't hold a row's status: it is left alone. Progress is kept without it."
        )
      )
      return false
    }
    return true
  }

  private static let longestStatus = "PROCESSED"

  private var blockerCount: Int { findings.count { $0.grade == .blocker } }

  private mutating func block(_ table: String, _ message: String) {
    findings.append(.blocker(.tableShape, table, message))
  }
  private mutating func warn(_ table: String, _ message: String) {
    findings.append(.warning(.tableShape, table, message))
  }

  private mutating func checkStaging(_ table: String, staging: CatalogTable, production: CatalogTable) {
    if staging.kind != .table {
      block(table, "\(staging.name) is not an ordinary table. Staging is read by block ranges: load an ordinary table.")
    }
    let version = options.columns.version(of: table)
    if production.column(version) != nil, staging.column(version) == nil {
      block(
        table,
        "\(staging.name) has no column \(version) to tell newer from older. Load it, or name the right one."
      )
    }
  }

  /// Rows are read by blocks of the heap, and updated.
  private mutating func checkStorage(_ table: String, staging: CatalogTable, production: CatalogTable) {
    if let citus = staging.citus { block(table, citus.obstacle(asStaging: staging.name, of: production.citus)) }
    if let obstacle = production.citus?.obstacle(asProduction: production.name) { block(table, obstacle) }
    for (place, advice) in [
      (staging, "Load into a table USING heap."),
      (production, "A merge updates rows, by a unique key: convert it, ALTER TABLE … SET ACCESS METHOD heap."),
    ] where place.storage != CatalogTable.heap {
      block(
        table,
        "\(place.name) stores its rows by \(place.storage), not in blocks of PostgreSQL's own heap. \(advice)"
      )
    }
  }

  /// Progress is in the log, and outlives what it speaks of.
  private mutating func warnOfUnlogged(_ table: String, _ production: CatalogTable) {
    guard production.isUnlogged else { return }
    let remedy: SQL = "ALTER TABLE \(production.name) SET LOGGED"
    findings.append(
      .warning(
        .unlogged,
        table,
        "\(production.name) is unlogged: a crash of the server empties it, and what was merged has to be merged once more then "
          + "(--again). \(remedy.text) before the merge keeps it."
      )
    )
  }

  /// Right for a table of all versions of its rows, and for no other.
  private mutating func warnOfVersionInKey(_ table: String, _ production: CatalogTable, key: UniqueIndex) {
    let version = options.columns.version(of: table)
    guard key.columnNames.contains(version) else { return }
    warn(
      table,
      key.columns.count == 1
        ? "\(version) is both the key of \(production.name) and its version, so that no row is ever newer than another one with its key: rows "
          + "are inserted, and none is updated. Name the column that says when a row was changed: version_column."
        : "the key of \(production.name), \(key.columns.map(\.name.name).joined(separator: ", ")), holds the version column \(version): a newer row "
          + "is inserted beside the older one, which stays. If the rows of this table are not meant as versions of each other, match them by "
          + "another unique index: tables.\(table).key in the file."
    )
  }

  /// A key that is not the primary one may leave rows numbered by production itself, whose numbers nobody wants to change.
  private mutating func warnOfWrittenPrimaryKey(
    _ table: String,
    _ production: CatalogTable,
    key: UniqueIndex,
    shared: [CatalogColumn]
  ) {
    let insertOnly = options.columns.insertOnly(of: table)
    let written = (production.primaryKey?.columns ?? []).map(\.name).filter { name in
      !key.columnNames.contains(name) && !insertOnly.contains(name)
        && shared.contains { $0.name == name && !$0.isIdentityAlways }
    }
    guard !written.isEmpty else { return }
    let names = written.map(\.name).joined(separator: ", ")
    warn(
      table,
      "rows of \(production.name) are matched by \(key.columns.map(\.name.name).joined(separator: ", ")), so \(names) of its "
        + "primary key \(written.count == 1 ? "is" : "are") updated like any other column. Where production numbers its rows "
        + "itself, list \(written.count == 1 ? "it" : "them") under tables.\(table).ignore_columns."
    )
  }

  /// The server takes no value for such a column in an update.
  private mutating func warnOfIdentity(
    _ table: String,
    _ production: CatalogTable,
    key: UniqueIndex,
    shared: [CatalogColumn]
  ) {
    let insertOnly = options.columns.insertOnly(of: table)
    for column in shared where column.isIdentityAlways {
      guard !key.columnNames.contains(column.name), !insertOnly.contains(column.name) else { continue }
      let statement: SQL = "ALTER TABLE \(production.name) ALTER COLUMN \(column.name) SET GENERATED BY DEFAULT"
      let message =
        "\(column.name) of \(production.name) is GENERATED ALWAYS AS IDENTITY: inserted rows get staging's value, updated ones keep "
        + "production's, and verify compares neither. To write both: \(statement.text). To keep it that way, list "
        + "it under tables.\(table).insert_only_columns."
      findings.append(.warning(.identityColumn, table, message))
    }
  }

  private mutating func checkKeyColumn(
    _ name: Identifier,
    _ table: String,
    staging: CatalogTable,
    production: CatalogTable
  ) {
    if staging.column(name) == nil {
      let place = readsSnapshot ? "what was saved" : "\(staging.name)"
      block(
        table,
        "the key column \(name) is missing in \(place). Load it\(readsSnapshot ? "." : ", or create it with init.")"
      )
    } else if production.column(name)?.isGenerated == false {
      block(table, "the key column \(name) of \(production.name) is ignored. Take it out of ignore_columns.")
    }
  }

  /// The production columns that staging has too and that can be written.
  private mutating func sharedColumns(
    _ table: String,
    staging: CatalogTable,
    production: CatalogTable,
    ignored: Set<Identifier>
  ) -> [CatalogColumn] {
    for column in staging.columns where production.column(column.name) == nil {
      guard ![Self.statusColumn, Self.operationColumn].contains(column.name), !ignored.contains(column.name) else {
        continue
      }
      block(
        table,
        "the staging column \(column.name) does not exist in \(production.name). Add it there, or list it under "
          + "tables.\(table).ignore_columns."
          + Spelling.question(for: column.name.name, in: production.columns.map(\.name.name))
      )
    }
    let names = Set((staging.columns + production.columns).map(\.name.name))
    for name in names.sorted() where name.hasPrefix(Self.ownPrefix) {
      block(
        table,
        "the column \(name) of \(production.name) can't be merged: names that begin with \(Self.ownPrefix) are those of "
          + "merge-engine's own columns. Rename it."
      )
    }
    if let column = production.column(Self.statusColumn), !column.isGenerated, !ignored.contains(column.name) {
      findings.append(
        .warning(
          .statusColumn,
          table,
          "\(column.name) of \(production.name) is not merged: what a column of this name holds in staging is what became of a row. If "
            + "production's matters, give it another name; if not, list it under tables.\(table).ignore_columns."
        )
      )
    }
    var shared: [CatalogColumn] = []
    // What the engine writes into staging's status column is no data, whatever production calls so.
    for column in production.columns where !column.isGenerated && column.name != Self.statusColumn {
      if staging.column(column.name) != nil && !ignored.contains(column.name) {
        shared.append(column)
      } else if column.isNotNull && !column.hasDefault && !column.isIdentity {
        block(
          table,
          "the column \(column.name) of \(production.name) is NOT NULL, has no default, and is missing in staging. "
            + "Load it, or give it a default."
        )
      }
    }
    return shared
  }

  private static func wireOrder(
    _ shared: [CatalogColumn],
    key: UniqueIndex,
    version: Identifier
  ) -> [CatalogColumn] {
    let keyNames = key.columns.map(\.name)
    let keyColumns = keyNames.compactMap { name in shared.first { $0.name == name } }
    let rest = shared.filter { !keyNames.contains($0.name) }
    return keyColumns + rest.filter { $0.name == version } + rest.filter { $0.name != version }
  }
}

extension [CatalogColumn] {
  fileprivate func contains(_ name: Identifier) -> Bool { contains { $0.name == name } }
}
