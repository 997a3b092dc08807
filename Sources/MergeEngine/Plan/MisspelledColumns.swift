import Libpq
import Spelling

/// Columns of a staging table that production has in another case: DMS loads Oracle's names as they are unless it is told
/// to convert them.
struct MisspelledColumns {
  private let staging: QualifiedName
  private let pairs: [(staging: Identifier, production: Identifier)]

  /// - Parameter ignored: staging's columns that nobody wants to merge.
  init(staging: CatalogTable, production: CatalogTable, ignored: Set<Identifier>) {
    self.staging = staging.name
    pairs = staging.columns.compactMap { column in
      guard production.column(column.name) == nil, !ignored.contains(column.name),
        let meant = production.columns.first(where: { Spelling.isSame($0.name.name, column.name.name) }),
        staging.column(meant.name) == nil
      else { return nil }
      return (column.name, meant.name)
    }
  }

  /// What is the matter and what to do; nil when nothing is.
  var obstacle: String? {
    guard !pairs.isEmpty else { return nil }
    let names = pairs.map { "\($0.staging.quoted) for \($0.production)" }.joined(separator: ", ")
    let statements = pairs.map { "ALTER TABLE \(staging) RENAME COLUMN \($0.staging) TO \($0.production);" as SQL }
    return
      "columns of \(staging) differ from production's only in case: \(names). Have DMS load them in lower case (the rule "
      + "action convert-lowercase of its mappings), match them with --fold-case, or rename them: \(statements.joined(" ").text)"
  }
}
