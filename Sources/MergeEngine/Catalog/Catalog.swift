import Libpq

/// What the engine knows of the tables of some schemas, read once at the start of a run.
struct Catalog: Sendable {
  let tables: [CatalogTable]
  /// Between tables, and roots of partitions.
  let foreignKeys: Set<ForeignKey>
  let casts: Casts
  /// By what the database reads text as times.
  let inputSettings: InputSettings

  /// A catalog of tables that are in no database.
  init(tables: [CatalogTable], foreignKeys: Set<ForeignKey>) {
    self.tables = tables
    self.foreignKeys = foreignKeys
    casts = .none
    inputSettings = InputSettings()
  }

  /// Reads all tables and views of the schemas with columns, unique indexes and foreign keys; opens none of them, so that
  /// nobody's lock is waited for.
  init(_ connection: Connection, schemas: [String]) throws(PostgresError) {
    let relations = try connection.query(Self.relations(schemas))
    let columns = try Self.columns(connection, schemas)
    let uniqueIndexes = try Self.uniqueIndexes(connection, schemas)
    let oids = (0..<relations.count).map { UInt32(relations.integer($0, 0) ?? 0) }
    let hasCitus = !oids.isEmpty && relations.bool(0, 7) == true
    let citusTables = hasCitus ? try CitusTable.read(oids, connection) : [:]
    let storages = Self.otherStorages(relations)
    let unlogged = Self.unlogged(relations)
    tables = (0..<relations.count).compactMap { row in
      guard let kind = relations.text(row, 3).flatMap({ CatalogTable.Kind(rawValue: $0) }) else { return nil }
      let oid = UInt32(relations.integer(row, 0) ?? 0)
      let estimate = relations.double(row, 5) ?? -1
      return CatalogTable(
        oid: oid,
        name: QualifiedName(schema: relations.text(row, 1) ?? "", name: relations.text(row, 2) ?? ""),
        kind: kind,
        rootOid: UInt32(relations.integer(row, 4) ?? 0),
        // -1 means never counted; 0 is what versions before 14 said, and an empty table needs no estimate.
        estimatedRowCount: estimate > 0 ? Int(estimate) : nil,
        columns: columns[oid] ?? [],
        uniqueIndexes: uniqueIndexes[oid] ?? [],
        storage: storages[oid] ?? CatalogTable.heap,
        isUnlogged: unlogged.contains(oid),
        mayHaveChildren: relations.bool(row, 9) == true,
        citus: citusTables[oid]
      )
    }
    let pairs = try connection.query(Self.casts)
    inputSettings = InputSettings(of: connection, zoneAbbreviations: pairs.text(0, 3))
    func pair(_ row: Int) -> Casts.Pair {
      Casts.Pair(source: UInt32(pairs.integer(row, 0) ?? 0), target: UInt32(pairs.integer(row, 1) ?? 0))
    }
    casts = Casts(
      all: Set((0..<pairs.count).map(pair)),
      made: Set((0..<pairs.count).filter { pairs.bool($0, 2) == true }.map(pair))
    )
    let keys = try connection.query(Self.foreignKeys(schemas))
    foreignKeys = Set(
      (0..<keys.count).map { row in
        ForeignKey(child: UInt32(keys.integer(row, 0) ?? 0), parent: UInt32(keys.integer(row, 1) ?? 0))
      }
    )
  }

  /// All that ``init(_:schemas:)`` asks, but for tables of Citus.
  static func queries(_ schemas: [String]) -> [Query] {
    [relations(schemas), columns(schemas), uniqueIndexes(schemas), casts, foreignKeys(schemas)]
  }

  private static func relations(_ schemas: [String]) -> Query {
    Query(CatalogSQL.relations, [.textArray(schemas)], "reading the catalog")
  }
  private static func columns(_ schemas: [String]) -> Query {
    Query(CatalogSQL.columns, [.textArray(schemas)], "reading the columns")
  }
  private static func uniqueIndexes(_ schemas: [String]) -> Query {
    Query(CatalogSQL.uniqueIndexes, [.textArray(schemas)], "reading the unique indexes")
  }
  private static let casts = Query(CatalogSQL.casts, "reading the casts")
  private static func foreignKeys(_ schemas: [String]) -> Query {
    Query(CatalogSQL.foreignKeys, [.textArray(schemas)], "reading the foreign keys")
  }

  /// The tables of one schema, by name.
  func tables(in schema: String) -> [CatalogTable] {
    tables.filter { $0.name.schema.name == schema }
  }

  func table(_ name: QualifiedName) -> CatalogTable? {
    tables.first { $0.name == name }
  }

  /// The root of a partition's tree; any other table itself.
  func rootOid(of table: UInt32) -> UInt32 { tables.first { $0.oid == table }?.rootOid ?? table }

  /// Of tables whose rows are not on the heap, and of the roots of such partitions, how they are stored.
  private static func otherStorages(_ relations: ResultSet) -> [UInt32: String] {
    var storages: [UInt32: String] = [:]
    for row in 0..<relations.count {
      guard let storage = relations.text(row, 6), storage != CatalogTable.heap, relations.text(row, 3) != "m" else {
        continue
      }
      for oid in [relations.integer(row, 0), relations.integer(row, 4)] {
        if let oid, storages[UInt32(oid)] == nil { storages[UInt32(oid)] = storage }
      }
    }
    return storages
  }

  /// Tables without a log of their rows, and the roots of such partitions.
  private static func unlogged(_ relations: ResultSet) -> Set<UInt32> {
    let rows = (0..<relations.count).filter { relations.bool($0, 8) == true }
    return Set(rows.flatMap { row in [0, 4].compactMap { relations.integer(row, $0).map(UInt32.init) } })
  }

  private static func columns(
    _ connection: Connection,
    _ schemas: [String]
  ) throws(PostgresError) -> [UInt32: [CatalogColumn]] {
    let rows = try connection.query(columns(schemas))
    var columns: [UInt32: [CatalogColumn]] = [:]
    for row in 0..<rows.count {
      func sql(_ column: Int) -> SQL { SQL.uncheckedFromServer(rows.text(row, column) ?? "") }
      var column = CatalogColumn(
        name: Identifier(rows.text(row, 1) ?? ""),
        declaredType: sql(2),
        baseType: CatalogColumn.BaseType(
          oid: UInt32(rows.integer(row, 7) ?? 0),
          modifier: rows.integer(row, 8) ?? -1,
          plainName: sql(9),
          fullName: sql(10),
          arrayOid: UInt32(rows.integer(row, 11) ?? 0),
          nonDeterministicCollation: rows.text(row, 12).map { .uncheckedFromServer($0) },
          castTruncates: rows.bool(row, 15) == true,
          castTruncatesElements: rows.bool(row, 21) == true,
          plainElements: rows.text(row, 22).map { .uncheckedFromServer($0) }
        ),
        isNotNull: rows.bool(row, 3) ?? false,
        hasDefault: rows.bool(row, 4) ?? false,
        isGenerated: rows.bool(row, 5) ?? false,
        isIdentity: rows.bool(row, 6) ?? false,
        isIdentityAlways: rows.bool(row, 14) ?? false,
        travel: rows.bool(row, 13) == true ? .binary : .text
      )
      column.isOfBareDomain = rows.bool(row, 20) == true
      column.baseType.declaredCollation = rows.text(row, 19).map { .uncheckedFromServer($0) }
      column.declared = CatalogColumn.Declaration(
        number: rows.integer(row, 16) ?? 0,
        type: UInt32(rows.integer(row, 17) ?? 0),
        modifier: rows.integer(row, 18) ?? -1
      )
      columns[UInt32(rows.integer(row, 0) ?? 0), default: []].append(column)
    }
    return columns
  }

  private static func uniqueIndexes(
    _ connection: Connection,
    _ schemas: [String]
  ) throws(PostgresError) -> [UInt32: [UniqueIndex]] {
    let rows = try connection.query(uniqueIndexes(schemas))
    var indexes: [UInt32: [UniqueIndex]] = [:]
    for row in 0..<rows.count {
      let table = UInt32(rows.integer(row, 0) ?? 0)
      let oid = UInt32(rows.integer(row, 1) ?? 0)
      var ofTable = indexes[table] ?? []
      if ofTable.last?.oid != oid {
        var index = UniqueIndex(
          oid: oid,
          name: QualifiedName(schema: rows.text(row, 2) ?? "", name: rows.text(row, 3) ?? ""),
          isPrimary: rows.bool(row, 4) == true,
          isDeferrable: rows.bool(row, 5) == false
        )
        if rows.bool(row, 6) == false { index.flaws.append(.invalid) }
        if rows.bool(row, 7) == true { index.flaws.append(.partial) }
        if rows.bool(row, 8) == false { index.flaws.append(.notOfEquality) }
        ofTable.append(index)
      }
      let last = ofTable.count - 1
      if let name = rows.text(row, 9).map({ Identifier($0) }) {
        if rows.bool(row, 10) == false { ofTable[last].flaws.append(.nullable(name)) }
        if rows.bool(row, 13) == false { ofTable[last].flaws.append(.otherEquality(name)) }
        if rows.bool(row, 14) == false { ofTable[last].flaws.append(.otherCollation(name)) }
        let schema = Identifier(rows.text(row, 11) ?? "")
        // An operator's own name is made of operator characters only and is never quoted.
        let symbol = SQL.uncheckedFromServer(rows.text(row, 12) ?? "=")
        let operatorClass = QualifiedName(schema: rows.text(row, 15) ?? "", name: rows.text(row, 16) ?? "")
        let collation: SQL =
          rows.text(row, 18).map { " COLLATE \(QualifiedName(schema: rows.text(row, 17) ?? "", name: $0))" } ?? ""
        ofTable[last].columns.append(
          .init(
            name: name,
            equality: "OPERATOR(\(schema).\(symbol))",
            arbiter: "\(name)\(collation) \(operatorClass)"
          )
        )
      } else if !ofTable[last].flaws.contains(.expression) {
        ofTable[last].flaws.append(.expression)
      }
      indexes[table] = ofTable
    }
    return indexes
  }
}
