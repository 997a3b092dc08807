import Libpq

/// The tables of a snapshot as a catalog would describe them, with the types of the database they are to be merged into.
///
/// Names of types out of a manifest never become SQL as they stand there: the server reads them as names and writes them
/// anew.
struct SnapshotCatalog {
  private let manifest: SnapshotManifest
  private let files: [(name: QualifiedName, productionSchema: String, file: SnapshotFile)]
  private let types: [TypeKey: CatalogColumn.BaseType]

  /// The schemas as the catalog has them: files stand for staging.
  let schemas: Schemas
  /// Stands for the staging schema, in messages too; of several pairs each has its own.
  static let schema = "snapshot"

  private struct TypeKey: Hashable {
    let name: String
    let modifier: Int
    let productionSchema: String

    init(_ column: SnapshotManifest.Column, _ productionSchema: String) {
      name = column.baseType
      modifier = column.modifier
      self.productionSchema = productionSchema
    }
  }

  /// Looks every type up.
  ///
  /// - Parameter schemas: the pairs that the files go to; those of other pairs are left out.
  /// - Throws: ``MergeFailure/blocked(_:)`` when one is not there, or is not the one that the file was written with, or texts
  ///   are in another encoding.
  init(_ snapshot: CheckedSnapshot, _ schemas: Schemas, _ connection: Connection) throws {
    manifest = snapshot.manifest
    let pairs = SnapshotPairs(manifest, schemas)
    var files: [(name: QualifiedName, productionSchema: String, file: SnapshotFile)] = []
    for file in snapshot.files {
      guard let own = pairs.schemas(of: file.table) else { continue }
      let name = QualifiedName(schema: Self.schema(of: own.staging, in: schemas), name: file.table.name)
      files.append((name, own.production, file))
    }
    self.files = files
    self.schemas = Self.standIns(schemas)
    var types: [TypeKey: CatalogColumn.BaseType] = [:]
    var findings =
      try Self.encodingProblem(snapshot.manifest, connection).map { [Finding.blocker(.snapshot, nil, $0)] } ?? []
    for (_, production, file) in files {
      for column in file.table.columns {
        let key = TypeKey(column, production)
        if types[key] == nil { types[key] = try Self.lookUp(key, connection) }
      }
    }
    let definitions = try TypeDefinitions(of: types.values.map(\.oid), connection)
    for (_, production, file) in files {
      for column in file.table.columns {
        if let problem = Self.problem(column, types[TypeKey(column, production)], definitions) {
          findings.append(.blocker(.snapshot, manifest.label(file.table), problem))
        }
      }
    }
    guard findings.isEmpty else { throw MergeFailure.blocked(findings) }
    self.types = types
  }

  private static func schema(of staging: String, in schemas: Schemas) -> String {
    schemas.hasSeveralPairs ? "\(schema) of \(staging)" : schema
  }

  /// The schemas with what stands for staging in its place.
  private static func standIns(_ schemas: Schemas) -> Schemas {
    var standIns = schemas
    standIns.staging = schema(of: schemas.staging, in: schemas)
    standIns.otherPairs = schemas.otherPairs?.map { pair in
      SchemaPair(staging: schema(of: pair.staging, in: schemas), production: pair.production)
    }
    return standIns
  }

  /// The tables, in the staging schemas of ``schemas``.
  var catalog: Catalog {
    Catalog(
      tables: files.map { name, _, file in
        CatalogTable(
          oid: 0,
          name: name,
          kind: .table,
          rootOid: 0,
          estimatedRowCount: file.table.rowCount,
          columns: columns(of: name).map { CatalogColumn(name: $0.name, snapshotType: $0.type) },
          uniqueIndexes: []
        )
      },
      foreignKeys: []
    )
  }

  /// What a table's plan has to know to read the table's file.
  ///
  /// - Parameter name: the table's in ``catalog``.
  func tablePlan(_ name: QualifiedName, number: Int) -> SnapshotTablePlan? {
    files.first { $0.name == name }.map { _, _, file in
      SnapshotTablePlan(
        source: StagingSource(
          snapshotID: manifest.id,
          table: manifest.isOfSeveralPairs
            ? "\(manifest.stagingSchema(of: file.table)).\(file.table.name)" : file.table.name
        ),
        snapshotID: manifest.id,
        file: file,
        columns: columns(of: name).map { (name: $0.name, type: $0.type.fullName) },
        number: number
      )
    }
  }

  /// A table as it stands in ``catalog``.
  func table(_ table: SnapshotManifest.Table) -> CatalogTable? {
    files.first { $0.file.table.file == table.file }.flatMap { catalog.table($0.name) }
  }

  /// A file's columns with the types of its values.
  func columns(of table: SnapshotManifest.Table) -> [(name: Identifier, type: SQL)] {
    let name = files.first { $0.file.table.file == table.file }?.name
    return name.map { columns(of: $0).map { (name: $0.name, type: $0.type.fullName) } } ?? []
  }

  private func columns(of name: QualifiedName) -> [(name: Identifier, type: CatalogColumn.BaseType)] {
    guard let (_, production, file) = files.first(where: { $0.name == name }) else { return [] }
    return file.table.columns.compactMap { column in
      types[TypeKey(column, production)].map { (name: Identifier(column.name), type: $0) }
    }
  }

  /// A type that stood in production's schema has no schema in the manifest, since this one may have another name.
  private static func lookUp(
    _ key: TypeKey,
    _ connection: Connection
  ) throws -> CatalogColumn.BaseType? {
    do {
      let row = try connection.query(
        """
        SELECT t.oid, format_type(t.oid, -1), format_type(t.oid, $2::text::integer)
        FROM pg_type t WHERE t.oid = coalesce(to_regtype($1), to_regtype($3 || $1))
        """,
        [.text(key.name), .text("\(key.modifier)"), .text(Identifier(key.productionSchema).quoted + ".")],
        "looking for the type \(key.name)"
      )
      guard row.count == 1 else { return nil }
      return CatalogColumn.BaseType(
        oid: UInt32(row.integer(0, 0) ?? 0),
        modifier: key.modifier,
        plainName: .uncheckedFromServer(row.text(0, 1) ?? ""),
        fullName: .uncheckedFromServer(row.text(0, 2) ?? ""),
        arrayOid: 0,
        nonDeterministicCollation: nil
      )
    } catch {
      // What is no name of a type is a syntax error to the server.
      guard error.origin == .server else { throw error }
      return nil
    }
  }

  /// Files of a SQL_ASCII database hold bytes of no encoding in particular, which no other database can check or convert.
  private static func encodingProblem(
    _ manifest: SnapshotManifest,
    _ connection: Connection
  ) throws(PostgresError) -> String? {
    let result = try connection.query("SELECT current_setting('client_encoding')", "reading the encoding")
    guard let own = result.text(0, 0), own != manifest.encoding else { return nil }
    return
      "the snapshot's text is encoded in \(manifest.encoding), this database's in \(own). Replay into a "
      + "database with the same encoding as the one the snapshot was taken from."
  }

  private static func problem(
    _ column: SnapshotManifest.Column,
    _ type: CatalogColumn.BaseType?,
    _ definitions: TypeDefinitions
  ) -> String? {
    guard let type else {
      return
        "the type \(column.baseType) of the snapshot's column \(column.name) does not exist in this database. Create it, "
        + "or replay into a copy of the database that the snapshot was taken from."
    }
    if let saved = column.typeDefinition, saved != definitions[type.oid] {
      return
        "the snapshot's column \(column.name) is of type \(column.baseType), which means something else in this database (\(saved); here "
        + "\(definitions[type.oid] ?? "the server's own")). Its values would be read as others: give the type its old definition for the "
        + "replay."
    }
    guard let number = column.typeNumber, number != type.oid else { return nil }
    return
      "the snapshot's column \(column.name) is of type \(column.baseType), whose binary form contains the types' oids "
      + "in the database it was taken from, and they differ here. Replay into that database, or into a physical "
      + "copy of it, not one restored from pg_dump."
  }
}

extension CatalogColumn {
  /// A column of a file: nothing but a name and a type.
  fileprivate init(name: Identifier, snapshotType type: BaseType) {
    self.init(
      name: name,
      declaredType: type.fullName,
      baseType: type,
      isNotNull: false,
      hasDefault: false,
      isGenerated: false,
      isIdentity: false,
      isIdentityAlways: false,
      travel: .binary
    )
  }
}
