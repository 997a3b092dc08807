import Libpq

extension MergeOptions {
  /// What is asked of each pair of schemas by itself: its tables, by their plain names, and what the file says of them.
  ///
  /// A name with a schema is of the pair with that production schema; a plain one is of every pair that has such a table. One that
  /// no pair has is left to the first, whose answer it then is.
  ///
  /// - Parameter hasTable: whether a pair has a table of a plain name, on either side.
  func ofEachPair(_ hasTable: (Schemas, String) -> Bool) -> [MergeOptions] {
    let pairs = schemas.each
    return pairs.indices.map { index in
      var options = self
      options.schemas = pairs[index]
      options.tables = tables?.compactMap { Self.plainName($0, in: index, of: pairs, hasTable) }
      options.columns.tables = [:]
      let named = columns.tables.keys.compactMap { name in
        Self.plainName(name, in: index, of: pairs, hasTable).map { (plain: $0, name: name) }
      }
      // What is said of all tables of a name, and then, instead, what is said with the schema: a plain name may have dots, too.
      for (plain, name) in named.filter({ $0.plain == $0.name }) + named.filter({ $0.plain != $0.name }) {
        options.columns.tables[plain] = columns.tables[name]
      }
      return options
    }
  }

  /// - Returns: nil for a name that is another pair's.
  private static func plainName(
    _ name: String,
    in index: Int,
    of pairs: [Schemas],
    _ hasTable: (Schemas, String) -> Bool
  ) -> String? {
    if hasTable(pairs[index], name) { return name }
    if let owner = owner(of: name, pairs, hasTable) {
      return owner.production == pairs[index].production ? rest(of: name, behind: owner) : nil
    }
    return index > 0 || pairs.contains { hasTable($0, name) } ? nil : name
  }

  /// The pair whose production schema a name begins with. Schemas may have dots in their names, too: the longest one that has
  /// such a table, or the longest.
  private static func owner(of name: String, _ pairs: [Schemas], _ hasTable: (Schemas, String) -> Bool) -> Schemas? {
    let named = pairs.filter { name.hasPrefix($0.production + ".") }.sorted {
      $0.production.count > $1.production.count
    }
    return named.first { hasTable($0, rest(of: name, behind: $0)) } ?? named.first
  }

  private static func rest(of name: String, behind pair: Schemas) -> String {
    String(name.dropFirst(pair.production.count + 1))
  }

  /// The same by what is in the catalogs.
  func ofEachPair(staging: Catalog, production: Catalog) -> [MergeOptions] {
    ofEachPair { pair, name in
      production.table(QualifiedName(schema: pair.production, name: name)) != nil
        || staging.table(QualifiedName(schema: pair.staging, name: name)) != nil
    }
  }
}
