import Libpq

/// Everything about the rollback of one table that is decided before its first row is touched.
struct RollbackTable: Sendable {
  let entry: BeforeImageCatalog.Entry
  let production: QualifiedName
  let key: [UniqueIndex.Column]
  /// The columns besides the key whose old values there are.
  let columns: [CatalogColumn]
  /// Those of them that an UPDATE puts back. It can set no GENERATED ALWAYS AS IDENTITY, and no merge has.
  let updatableColumns: [CatalogColumn]
  /// Foreign keys that point at the table.
  let references: [Reference]
  private let triggers: RowTriggers

  /// Triggers act on what a rollback writes, and may make something else of it.
  var hasTriggers: Bool { triggers.runAtAll }

  /// Triggers may have written other rows when the run wrote its own. Also such as are disabled now: that is what a rollback
  /// advises where triggers are in its way.
  var mayHaveWrittenElsewhere: Bool { triggers.exist }

  /// Tables whose rows have lost what they referred by if the run has changed it here.
  var forgetfulChildren: [QualifiedName] {
    references.filter {
      $0.forgetsOnUpdate && $0.parentColumns.contains { name in updatableColumns.contains { $0.name == name } }
    }.map(\.child)
  }

  /// Tables are called with their schema.
  var isOfSeveralPairs = false
  var name: String { isOfSeveralPairs ? "\(production)" : production.name.name }
  var image: QualifiedName { entry.image }

  /// Settles how the table is rolled back.
  ///
  /// - Parameter catalog: of the schemas of production and of the images.
  /// - Throws: ``MergeFailure/blocked(_:)`` when the table is gone, or is not the table any more that was merged.
  init(_ entry: BeforeImageCatalog.Entry, _ catalog: Catalog, on connection: Connection) throws {
    let name = entry.production.name.name
    func blocked(_ message: String) -> MergeFailure { .blocked([.blocker(.beforeImages, name, message)]) }
    guard let table = catalog.tables.first(where: { $0.oid == entry.productionOid }) else {
      throw blocked(
        "\(entry.production) has been dropped or recreated since run \(entry.runID) merged into it. Its old rows are "
          + "in \(entry.image); you have to decide what to do with them. To roll back the other tables, name them: --table."
      )
    }
    guard let image = catalog.tables.first(where: { $0.oid == entry.imageOid }), image.name == entry.image else {
      throw blocked(
        "its before-images \(entry.image) have been dropped or renamed by hand. Without them it can't be rolled back."
      )
    }
    // A 32-bit transaction id comes round again after so many; some distance is kept.
    guard entry.age < 4_000_000_000 else {
      throw blocked("its before-images are too old: the server's transaction ids have wrapped around since.")
    }
    let kept = image.columns.dropFirst()
    let keyNames = kept.prefix(entry.keyColumnCount).map(\.name)
    guard let key = Self.key(of: table, over: keyNames) else {
      throw blocked(
        "no primary key or unique index of \(table.name) is the one by which run \(entry.runID) matched its rows: it was "
          + "over \(keyNames.map(\.name).joined(separator: ", ")), NOT NULL. Recreate it to roll the run back."
      )
    }
    let changed = kept.filter { old in
      guard let now = table.column(old.name), !entry.laterColumns.contains(old.name) else { return true }
      return now.isGenerated || now.baseType.oid != old.baseType.oid || now.baseType.modifier != old.baseType.modifier
    }
    guard changed.isEmpty else {
      throw blocked(
        "columns of \(table.name) have been dropped, renamed or given another type since run \(entry.runID): "
          + "\(changed.map(\.name.name).joined(separator: ", ")). Its old rows are in \(entry.image)."
      )
    }
    self.entry = entry
    self.key = key
    production = table.name
    columns = Array(kept.dropFirst(entry.keyColumnCount))
    updatableColumns = columns.filter { table.column($0.name)?.isIdentityAlways == false }
    references = try Reference.read(to: table.oid, connection)
    triggers = try RowTriggers.read(of: [table.oid], connection)[table.oid] ?? .none
  }

  /// The index over these columns, which must tell all rows apart still.
  private static func key(of table: CatalogTable, over names: [Identifier]) -> [UniqueIndex.Column]? {
    let index = table.uniqueIndexes.first { $0.flaws.isEmpty && $0.columnNames == Set(names) }
    return index.map { index in names.compactMap { name in index.columns.first { $0.name == name } } }
  }
}
