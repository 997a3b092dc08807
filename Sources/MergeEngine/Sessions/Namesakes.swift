import Libpq

/// Tables of several pairs that are called alike.
///
/// A table is called by its schema and its name with a dot between, in options, records and results; names may have dots, too. So
/// "a.b".c and a."b.c" are both called a.b.c, and whatever is asked or said of one would be of the other as well.
enum Namesakes {
  /// - Returns: what is wrong with these pairs in one run; nil for nothing. No question is asked where no two schemas allow it.
  static func complaint(of schemas: Schemas, _ production: Connection) throws(PostgresError) -> String? {
    let names = schemas.allProduction
    guard names.contains(where: { name in names.contains { $0.hasPrefix("\(name).") } }) else { return nil }
    let tables = try production.query(
      """
      SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
      ORDER BY n.nspname, c.relname
      """,
      [.textArray(names)],
      "reading the names of production's tables"
    )
    let named = (0..<tables.count).map {
      QualifiedName(schema: Identifier(tables.text($0, 0) ?? ""), name: Identifier(tables.text($0, 1) ?? ""))
    }
    let alike = Dictionary(grouping: named) { "\($0.schema.name).\($0.name.name)" }.filter { $0.value.count > 1 }
    guard let (name, tables) = alike.min(by: { $0.key < $1.key }) else { return nil }
    return "the tables \(tables.map(\.quoted).joined(separator: " and ")) would both be called \(name). "
      + "Give their pairs to two runs, or rename one of them."
  }
}
