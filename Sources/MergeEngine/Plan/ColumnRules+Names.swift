import Libpq
import Spelling

extension ColumnRules {
  /// Tables and columns that the rules name and that there are none of, a sentence each.
  ///
  /// A rule for a misspelt name would do nothing, and a merge without it something else than was asked for.
  ///
  /// - Parameters:
  ///   - production: the tables of the production schema.
  ///   - staging: those of the staging schema; columns that are not merged may be there only.
  func mistakes(production: [CatalogTable], staging: [CatalogTable]) -> [String] {
    let tableNames = production.map(\.name.name.name)
    let stagingColumns = Dictionary(staging.map { ($0.name.name.name, $0.columns) }) { first, _ in first }
    var mistakes: [String] = []
    for (name, rules) in tables.sorted(by: { $0.key < $1.key }) {
      guard let table = production.first(where: { $0.name.name == Identifier(name) }) else {
        mistakes.append(
          "tables.\(name): there is no such table in production.\(Spelling.question(for: name, in: tableNames))"
        )
        continue
      }
      let own = table.columns.map(\.name.name)
      let loaded = (stagingColumns[name] ?? []).map(\.name.name)
      func check(_ columns: [String], _ key: String, among known: [String]) {
        for column in columns where !known.contains(where: { Identifier($0) == Identifier(column) }) {
          mistakes.append(
            "tables.\(name).\(key): \(table.name) has no column \(column).\(Spelling.question(for: column, in: known))"
          )
        }
      }
      check(rules.version.map { [$0] } ?? [], "version_column", among: own)
      check(rules.insertOnly ?? [], "insert_only_columns", among: own)
      // Without staging nobody knows yet what will be loaded.
      if stagingColumns[name] != nil { check(rules.ignore ?? [], "ignore_columns", among: own + loaded) }
    }
    return mistakes + globalMistakes(production)
  }

  /// What is said of all tables has to fit one of them.
  private func globalMistakes(_ production: [CatalogTable]) -> [String] {
    let standard = ColumnRules()
    let known = Set(production.flatMap { $0.columns.map(\.name) })
    let named =
      (version == standard.version ? [] : [("version_column", version)])
      + (insertOnly == standard.insertOnly ? [] : insertOnly.map { ("insert_only_columns", $0) })
    return named.filter { !known.contains(Identifier($0.1)) }.map { key, column in
      "\(key): no table in production has a column \(column).\(Spelling.question(for: column, in: known.map(\.name)))"
    }
  }
}
