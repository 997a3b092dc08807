import Libpq

/// The tables of a snapshot as a catalog would describe them, with the types of the database they are to be merged into.
///
/// Names of types out of a manifest never become SQL as they stand there: the server reads them as names and writes them
/// anew.
struct SnapshotCatalog {
  let snapshot: CheckedSnapshot
  /// Stands for the staging schema, in messages too.
  static let schema = "snapshot"

  private let types: [TypeKey: CatalogColumn.BaseType]

  private struct TypeKey: Hashable {
    let name: String
    let modifier: Int

    init(_ column: SnapshotManifest.Column) {
      name = column.baseType
      modifier = column.modifier
    }
  }

  /// Looks every type up.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` when one is not there, or is not the one that the file was written with, or texts
  ///   are in another encoding.
  init(_ snapshot: CheckedSnapshot, productionSchema: String, _ connection: Connection) throws {
    self.snapshot = snapshot
    var types: [TypeKey: CatalogColumn.BaseType] = [:]
    var findings =
      try Self.encodingProblem(snapshot.manifest, connection).map { [Finding.blocker(.snapshot, nil, $0)] } ?? []
    for file in snapshot.files {
      for column in file.table.columns {
        let key = TypeKey(column)
        if types[key] == nil { types[key] = try Self.lookUp(key, productionSchema, connection) }
        if let problem = try Self.problem(column, types[key], on: connection) {
          findings.append(.blocker(.snapshot, file.table.name, problem))
        }
      }
    }
    guard findings.isEmpty else { throw MergeFailure.blocked(findings) }
    self.types = types
  }

  /// The tables, in the schema ``schema``.
  var catalog: Catalog {
    Catalog(
      tables: snapshot.files.map { file in
        CatalogTable(
          oid: 0,
          name: QualifiedName(schema: Self.schema, name: file.table.name),
          kind: .table,
          rootOid: 0,
          estimatedRowCount: file.table.rowCount,
          columns: file.table.columns.compactMap { column in
            types[TypeKey(column)].map { CatalogColumn(name: Identifier(column.name), snapshotType: $0) }
          },
          uniqueIndexes: []
        )
      },
      foreignKeys: []
    )
  }

  /// What a table's plan has to know to read the table's file.
  func tablePlan(_ file: SnapshotFile, number: Int) -> SnapshotTablePlan {
    SnapshotTablePlan(
      snapshotID: snapshot.manifest.id,
      file: file,
      columns: columns(of: file.table),
      number: number
    )
  }

  /// A file's columns with the types of its values.
  func columns(of table: SnapshotManifest.Table) -> [(name: Identifier, type: SQL)] {
    table.columns.compactMap { column in
      types[TypeKey(column)].map { (name: Identifier(column.name), type: $0.fullName) }
    }
  }

  /// A type that stood in production's schema has no schema in the manifest, since this one may have another name.
  private static func lookUp(
    _ key: TypeKey,
    _ productionSchema: String,
    _ connection: Connection
  ) throws -> CatalogColumn.BaseType? {
    do {
      let row = try connection.query(
        """
        SELECT t.oid, format_type(t.oid, -1), format_type(t.oid, $2::text::integer)
        FROM pg_type t WHERE t.oid = coalesce(to_regtype($1), to_regtype($3 || $1))
        """,
        [.text(key.name), .text("\(key.modifier)"), .text(Identifier(productionSchema).quoted + ".")],
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
    on connection: Connection
  ) throws(PostgresError) -> String? {
    guard let type else {
      return
        "the type \(column.baseType) of the snapshot's column \(column.name) does not exist in this database. Create it, "
        + "or replay into a copy of the database that the snapshot was taken from."
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
