import Libpq

/// Tables of several pairs that are called alike.
///
/// A table is called by its schema and its name with a dot between, in options, records and results; names may have dots, too. So
/// "a.b".c and a."b.c" are both called a.b.c, and whatever is asked or said of one would be of the other as well.
enum Namesakes {
  /// - Returns: what is wrong with these pairs in one run; nil for nothing. No question is asked where no two schemas allow it.
  static func complaint(of schemas: Schemas, _ production: Connection) throws(PostgresError) -> String? {
    let names = schemas.allProduction
    let outer = names.filter { name in names.contains { $0.hasPrefix("\(name).") } }
    guard !outer.isEmpty else { return nil }
    let tables = try Catalog(production, schemas: names).tables.map(\.name)
    let alike = Dictionary(grouping: tables) { "\($0.schema.name).\($0.name.name)" }.filter { $0.value.count > 1 }
    guard let (name, tables) = alike.min(by: { $0.key < $1.key }) else { return nil }
    return "the tables \(tables.map(\.quoted).joined(separator: " and ")) would both be called \(name). "
      + "Give their pairs to two runs, or rename one of them."
  }
}
