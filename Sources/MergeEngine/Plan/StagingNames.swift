import Libpq
import Spelling

/// What staging calls the tables that production calls otherwise: by the file (`staging_table`), or by case where
/// `--fold-case` says that case is no difference.
///
/// The same name on both sides goes before the same name in another case.
struct StagingNames {
  private let explicit: [Identifier: Identifier]
  private let foldsCase: Bool
  let staging: [Identifier]
  let production: [Identifier]

  /// - Parameters:
  ///   - staging: the names of the staging tables there are.
  ///   - production: those of production.
  init(_ rules: ColumnRules, staging: [Identifier], production: [Identifier]) {
    explicit = rules.stagingTables
    foldsCase = rules.foldsCase
    self.staging = staging
    self.production = production
  }

  init(_ rules: ColumnRules, staging: [CatalogTable], production: [CatalogTable]) {
    self.init(rules, staging: staging.map(\.name.name), production: production.map(\.name.name))
  }

  /// What was found for a name.
  enum Match: Equatable {
    case found(Identifier)
    case none
    /// Several differ by case only, and nobody has said which is meant.
    case ambiguous([Identifier])
  }

  /// The name that the file gives to a production table's staging; nil if it gives none.
  func named(_ table: Identifier) -> Identifier? { explicit[table] }

  /// The staging table of a production table.
  func staging(of table: Identifier) -> Match {
    if let name = explicit[table] { return staging.contains(name) ? .found(name) : .none }
    let free = staging.filter { !isTaken($0) }
    let folded = foldsCase ? free.filter { isFold($0, of: table) && !production.contains($0) } : []
    if free.contains(table) { return folded.isEmpty ? .found(table) : .ambiguous([table] + folded) }
    guard let name = folded.first else { return .none }
    guard folded.count == 1 else { return .ambiguous(folded) }
    // Two tables of production may have no other difference.
    let rivals = production.filter { isFold($0, of: table) && explicit[$0] == nil && !free.contains($0) }
    return rivals.isEmpty ? .found(name) : .ambiguous([name])
  }

  /// The production table that a staging table is merged into.
  func production(of table: Identifier) -> Match {
    if let name = explicit.first(where: { $0.value == table })?.key {
      return production.contains(name) ? .found(name) : .none
    }
    if production.contains(table), explicit[table] == nil { return .found(table) }
    guard foldsCase else { return .none }
    let folded = production.filter { isFold($0, of: table) && explicit[$0] == nil }
    guard let name = folded.first else { return .none }
    return folded.count == 1 ? .found(name) : .ambiguous(folded)
  }

  /// Where staging of a production table is, or would be made.
  func stagingName(of table: Identifier) -> Identifier {
    if case .found(let name) = staging(of: table) { return name }
    return explicit[table] ?? table
  }

  private func isTaken(_ name: Identifier) -> Bool { explicit.contains { $0.value == name } }

  private func isFold(_ name: Identifier, of other: Identifier) -> Bool {
    name != other && Spelling.isSame(name.name, other.name)
  }
}

extension MergeOptions {
  /// What staging calls the tables that were asked for; nil for all.
  ///
  /// - Parameter staging: the names there are, in staging or in a snapshot.
  func namesInStaging(_ staging: [String]) -> [String]? {
    tables.map { tables in
      let names = StagingNames(
        columns,
        staging: staging.map { Identifier($0) },
        production: tables.map { Identifier($0) }
      )
      return tables.map { names.stagingName(of: Identifier($0)).name }
    }
  }
}
