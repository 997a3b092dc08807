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
    let names = StagingNames(self, staging: staging, production: production)
    let stagingColumns = Dictionary(staging.map { ($0.name.name, $0.columns) }) { first, _ in first }
    var mistakes: [String] = []
    for (name, rules) in tables.sorted(by: { $0.key < $1.key }) {
      guard let table = production.first(where: { $0.name.name == Identifier(name) }) else {
        mistakes.append(
          "tables.\(name): there is no such table in production.\(Spelling.question(for: name, in: tableNames))"
        )
        continue
      }
      let own = table.columns.map(\.name.name)
      let stagingTable = names.stagingName(of: table.name.name)
      let loaded = (stagingColumns[stagingTable] ?? []).map(\.name.name)
      func check(_ columns: [String], _ key: String, among known: [String]) {
        for column in columns where !known.contains(where: { Identifier($0) == Identifier(column) }) {
          mistakes.append(
            "tables.\(name).\(key): \(table.name) has no column \(column).\(Spelling.question(for: column, in: known))"
          )
        }
      }
      check(rules.version.map { [$0] } ?? [], "version_column", among: own)
      if rules.key?.isEmpty == true {
        mistakes.append("tables.\(name).key: it names no column. Name the columns of a unique index, or leave key out.")
      }
      if let key = rules.key, Set(key).count < key.count {
        mistakes.append("tables.\(name).key: it names a column twice.")
      }
      check(rules.key ?? [], "key", among: own)
      check(rules.insertOnly ?? [], "insert_only_columns", among: own)
      if let version = (rules.insertOnly ?? []).first(where: { Identifier($0) == version(of: name) }) {
        mistakes.append("tables.\(name).insert_only_columns: \(Self.neverMoves(version))")
      }
      // Without staging nobody knows yet what will be loaded.
      if stagingColumns[stagingTable] != nil { check(rules.ignore ?? [], "ignore_columns", among: own + loaded) }
      check((rules.columns ?? [:]).keys.sorted(), "columns", among: own)
      mistakes += columnMistakes(rules, name, in: stagingTable, loaded)
    }
    return mistakes + sharedNames() + globalMistakes(production)
  }

  /// Columns of staging that the file names and that are not there, or that two of production's would be read from.
  ///
  /// - Parameter loaded: the staging table's columns; empty without a staging table.
  private func columnMistakes(
    _ rules: TableRules,
    _ name: String,
    in stagingTable: Identifier,
    _ loaded: [String]
  ) -> [String] {
    let pairs = (rules.columns ?? [:]).sorted { $0.key < $1.key }
    var mistakes: [String] = []
    for (column, staged) in pairs where !loaded.isEmpty {
      if !loaded.contains(where: { Identifier($0) == Identifier(staged) }) {
        mistakes.append(
          "tables.\(name).columns.\(column): the staging table \(stagingTable) has no column \(staged)."
            + Spelling.question(for: staged, in: loaded)
        )
      }
      let isLeftOver =
        loaded.contains { Identifier($0) == Identifier(column) } && !pairs.contains { $0.value == column }
        && rules.ignore?.contains(column) != true
      if isLeftOver {
        mistakes.append(
          "tables.\(name).columns.\(column): it is read from \(staged), and the staging table \(stagingTable) has a column "
            + "\(column) too. List that one under ignore_columns, or remove this line."
        )
      }
    }
    let counts = Dictionary(grouping: pairs, by: \.value).filter { $0.value.count > 1 }
    for (staged, columns) in counts.sorted(by: { $0.key < $1.key }) {
      mistakes.append(
        "tables.\(name).columns: \(columns.map(\.key).joined(separator: " and ")) are both read from \(staged). One staging column "
          + "can fill only one production column."
      )
    }
    return mistakes
  }

  /// One staging table is merged into one production table.
  private func sharedNames() -> [String] {
    Dictionary(grouping: stagingTables, by: \.value).filter { $0.value.count > 1 }.sorted { $0.key < $1.key }.map {
      "\($0.value.map { "tables.\($0.key.name).staging_table" }.sorted().joined(separator: " and ")) both name \($0.key.name). "
        + "A staging table can be merged into only one production table."
    }
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
      + insertOnly.filter { Identifier($0) == Identifier(version) }.map {
        "insert_only_columns: \(Self.neverMoves($0))"
      }
  }

  private static func neverMoves(_ version: String) -> String {
    "\(version) is the version column. An updated row would keep its old version, and the newer one could not win."
  }
}
