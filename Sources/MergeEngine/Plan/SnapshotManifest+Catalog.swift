import Libpq

extension SnapshotManifest.Column {
  /// A column as the catalog has it, and as its values come out of a COPY.
  ///
  /// Types of production's schema are named without it: the database that the snapshot is replayed into may call it otherwise.
  ///
  /// - Parameter definitions: of the columns' types; nil where nobody replays what is described.
  init(_ column: CatalogColumn, productionSchema: String, definitions: TypeDefinitions? = nil) {
    func name(_ type: SQL) -> String {
      let schema = Identifier(productionSchema)
      let prefix = [schema.quoted + ".", schema.name + "."].first { type.text.hasPrefix($0) } ?? ""
      return String(type.text.dropFirst(prefix.count))
    }
    let travelsAsText = column.travelElsewhere == .text
    let base = column.baseType
    // Arrays and composite types have no array type; in binary form they hold the numbers of the types within.
    let holdsTypeNumbers = !travelsAsText && !base.isBuiltIn && base.arrayOid == 0
    self.init(
      name: column.name.name,
      type: name(column.declaredType),
      baseType: travelsAsText ? "text" : name(base.plainName),
      modifier: travelsAsText ? -1 : base.modifier,
      typeNumber: holdsTypeNumbers ? base.oid : nil,
      typeDefinition: travelsAsText ? nil : definitions?[base.oid],
      isNotNull: column.isNotNull
    )
  }
}
