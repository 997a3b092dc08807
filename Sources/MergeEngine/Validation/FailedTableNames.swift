import Libpq
import Spelling

/// A table of production that DMS's validation may speak of.
struct FailedTable {
  let table: CatalogTable
  /// What it is called: with its schema where there are several pairs.
  let name: String
  /// What DMS tells its rows apart by; nil if there is nothing.
  let key: UniqueIndex?
  fileprivate let schemas: Schemas
  /// The names on Oracle's side, as far as the file says them.
  fileprivate let source: ValidationFailures.SourceName?

  fileprivate var plainName: String { table.name.name.name }
}

/// Which table of production DMS means; it does not say whether its names are Oracle's or the target's.
struct FailedTableNames {
  enum Match {
    case found(FailedTable)
    /// Of another schema, or not asked for.
    case other
    /// Of ours, and not there.
    case missing(String)
    /// Of several pairs of schemas, of which nobody has said what Oracle calls them.
    case ambiguous(String, [String])
  }

  private let tables: [FailedTable]
  private let options: ValidationFailures.Options

  init(_ catalog: Catalog, _ options: ValidationFailures.Options) {
    self.options = options
    var merge = MergeOptions()
    merge.schemas = options.schemas
    merge.columns = options.columns
    tables = merge.ofEachPair(staging: catalog, production: catalog).flatMap { own in
      catalog.tables(in: own.schemas.production).filter { $0.kind == .table || $0.kind == .partitioned }.map { table in
        let fullName = "\(table.name.schema.name).\(table.name.name.name)"
        return FailedTable(
          table: table,
          name: options.schemas.hasSeveralPairs ? fullName : table.name.name.name,
          key: MergeTarget(table, own.columns).validatedKey,
          schemas: own.schemas,
          source: options.sources[fullName] ?? options.sources[table.name.name.name]
        )
      }
    }
  }

  /// - Throws: ``MergeFailure/blocked(_:)`` for a name that was asked for and that nothing has.
  func requireKnown(_ names: [String]?) throws {
    let unknown = (names ?? []).filter { name in !tables.contains { isAsked($0, by: name) } }
    guard unknown.isEmpty else {
      throw MergeFailure.blocked(
        unknown.map { name in
          let schemas = options.schemas.hasSeveralPairs ? "" : "\(options.schemas.production)."
          return .blocker(
            name,
            "there is no table \(schemas)\(name)." + Spelling.question(for: name, in: tables.map(\.name))
          )
        }
      )
    }
  }

  func table(of row: FailureRow) -> Match {
    let candidates = tables.filter { isMeant($0, by: row) }
    if candidates.count > 1, candidates.contains(where: { oracleSchema(of: $0) == nil }) {
      return .ambiguous("\(row.owner).\(row.name)", candidates.map(\.name))
    }
    if let table = candidates.first {
      let isWanted = options.tables?.contains { isAsked(table, by: $0) } ?? true
      return isWanted ? .found(table) : .other
    }
    // What was not asked for is nobody's business here, and neither is what lies in schemas of others.
    guard options.tables == nil, isOurs(row.owner) else { return .other }
    return .missing("\(row.owner).\(row.name)")
  }

  private func isAsked(_ table: FailedTable, by name: String) -> Bool {
    name == table.plainName || name == "\(table.schemas.production).\(table.plainName)"
  }

  private func isMeant(_ table: FailedTable, by row: FailureRow) -> Bool {
    guard [table.plainName, table.source?.table].contains(where: { Self.isSame($0, row.name) }) else { return false }
    if isTarget(row.owner, table.schemas) { return true }
    // The target's schema of another pair says that its table is meant.
    guard !options.schemas.each.contains(where: { isTarget(row.owner, $0) }) || oracleSchema(of: table) != nil else {
      return false
    }
    return oracleSchema(of: table).map { Self.isSame($0, row.owner) } ?? true
  }

  private func oracleSchema(of table: FailedTable) -> String? {
    table.source?.schema ?? options.sourceSchemas[table.schemas.production]
  }

  private func isTarget(_ owner: String, _ schemas: Schemas) -> Bool {
    [schemas.production, schemas.staging].contains { Self.isSame($0, owner) }
  }

  private func isOurs(_ owner: String) -> Bool {
    let known = options.sourceSchemas.values + options.sources.values.compactMap(\.schema)
    let isAllKnown = options.schemas.allProduction.allSatisfy { options.sourceSchemas[$0] != nil }
    return options.schemas.each.contains { isTarget(owner, $0) } || !isAllKnown
      || known.contains { Self.isSame($0, owner) }
  }

  /// Oracle's name, which may stand in double quotes, and DMS's.
  private static func isSame(_ name: String?, _ other: String) -> Bool {
    name?.replacing("\"", with: "").lowercased() == other.lowercased()
  }
}
