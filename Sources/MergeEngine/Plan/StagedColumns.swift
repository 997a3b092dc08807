import Libpq
import Spelling

/// A staging table under production's names: its columns are called as production calls them, by the file (`columns`), or
/// by case where `--fold-case` says that case is no difference.
struct StagedColumns {
  /// The table; ``CatalogColumn/nameInTable`` says what a column is called there.
  let table: CatalogTable
  /// The columns, under production's names, that are not merged.
  let ignored: Set<Identifier>

  init(_ staging: CatalogTable, for production: CatalogTable, _ rules: ColumnRules) {
    let own = rules.tables[production.name.name.name]
    let stagedNames = (own?.columns ?? [:]).reduce(into: [Identifier: Identifier]()) {
      $0[Identifier($1.key)] = Identifier($1.value)
    }
    let renamed = Dictionary(stagedNames.map { ($0.value, $0.key) }) { first, _ in first }
    let unmerged = rules.ignored(of: production.name.name.name)
    var ignored: Set<Identifier> = []
    var columns: [CatalogColumn] = []
    for column in staging.columns {
      let name: Identifier
      if let given = renamed[column.name] {
        name = given
      } else if stagedNames[column.name] != nil {
        // Production's column of this name is read from another one.
        continue
      } else if production.column(column.name) != nil || !rules.foldsCase {
        name = column.name
      } else {
        let meant = production.columns.map(\.name).filter {
          Spelling.isSame($0.name, column.name.name) && staging.column($0) == nil && stagedNames[$0] == nil
        }
        name = meant.count == 1 ? meant[0] : column.name
      }
      if unmerged.contains(column.name) || unmerged.contains(name) && staging.column(name) == nil {
        ignored.insert(name)
      }
      columns.append(column.renamed(name, nameInTable: column.name))
    }
    table = staging.with(columns)
    self.ignored = ignored
  }
}

extension CatalogTable {
  fileprivate func with(_ columns: [CatalogColumn]) -> CatalogTable {
    CatalogTable(
      oid: oid,
      name: name,
      kind: kind,
      rootOid: rootOid,
      estimatedRowCount: estimatedRowCount,
      columns: columns,
      uniqueIndexes: uniqueIndexes
    )
  }
}
