/// What a mapping document is made from: tables, a window and the schema they go to.
public struct MappingPlan: Hashable, Sendable {
  /// The source schema of tables that name none.
  public var sourceSchema: String
  /// The schema on the target, as PostgreSQL spells it, of tables that name none.
  public var targetSchema: String
  /// The tables, in the order in which their rules are written.
  public var tables: [PlannedTable]
  /// The window of tables that name no keys; nil for all of their rows.
  public var window: TimeWindow?
  /// How much more is loaded at the window's ends.
  public var padding: WindowPadding
  /// How the window is written.
  public var windowForm: WindowForm
  /// Rows at the window's very end, which DMS has no operator to leave out of a range, are left out by a filter of their own.
  /// Who cuts exactly afterwards needs none.
  public var leavesOutEnd = false

  /// The two ways of writing a window that filter.
  public enum WindowForm: String, Codable, Sendable, CaseIterable {
    /// One filter, one `between`.
    case between
    /// Two filters, joined by AND: `gte` and `lte`.
    case twoFilters = "two-filters"
  }

  /// Makes a plan.
  public init(
    sourceSchema: String,
    targetSchema: String = "staging",
    tables: [PlannedTable],
    window: TimeWindow?,
    padding: WindowPadding = .none,
    windowForm: WindowForm = .between
  ) {
    self.sourceSchema = sourceSchema
    self.targetSchema = targetSchema
    self.tables = tables
    self.window = window
    self.padding = padding
    self.windowForm = windowForm
  }

  /// The mapping document of this plan.
  ///
  /// Selections come first, then the names (schema renamed, tables and columns in lower case), then the table settings.
  /// No object is met by two actions.
  ///
  /// - Throws: ``DocumentError`` when a name cannot be used, two tables have one target or one source schema has two, or ranges don't
  ///   fit their columns.
  public func mappings() throws(DocumentError) -> TableMappings {
    guard !tables.isEmpty else { throw .noTables }
    var resolved: [ResolvedTable] = []
    for table in tables {
      resolved.append(try ResolvedTable(table, sourceSchema: sourceSchema, targetSchema: targetSchema))
    }
    try Self.refuseSharedTargets(resolved)

    var writer = RuleWriter()
    for table in resolved { writer.select(table, filters: try filters(of: table)) }
    for schema in resolved.map(\.schema).uniqued() {
      let ofSchema = resolved.filter { $0.schema == schema }
      writer.rename(schema: schema, to: try Self.target(of: ofSchema))
      if ofSchema.allSatisfy({ !$0.isRenamed }) {
        writer.lowerCase(schema: schema, table: "%")
      } else {
        // A rename and a lower-casing of '%' would be two actions on the renamed table.
        for table in ofSchema {
          if table.isRenamed { writer.rename(table) } else { writer.lowerCase(schema: schema, table: table.name) }
        }
      }
      writer.lowerCaseColumns(schema: schema)
    }
    for table in resolved where table.plan.parallelLoad != nil || table.plan.lobSettings != nil {
      writer.settings(table)
    }
    return TableMappings(rules: writer.rules)
  }

  private func filters(of table: ResolvedTable) throws(DocumentError) -> [SourceFilter] {
    guard let keyValues = table.plan.keyValues else { return filters(on: table.versionColumn) }
    var filters: [SourceFilter] = []
    for entry in keyValues {
      filters.append(SourceFilter(columnName: try OracleName.inDictionary(entry.column), anyOf: entry.values))
    }
    return filters
  }

  private func filters(on column: String) -> [SourceFilter] {
    guard let window else { return [] }
    let bounds = window.loadBounds(padding: padding)
    let end = SourceFilter(columnName: column, condition: .comparison(.notEqual, window.to))
    return range(bounds, on: column) + (leavesOutEnd ? [end] : [])
  }

  private func range(_ bounds: ClosedRange<SourceTime>, on column: String) -> [SourceFilter] {
    switch windowForm {
    case .between: [SourceFilter(columnName: column, condition: .between(bounds))]
    case .twoFilters:
      [
        SourceFilter(columnName: column, condition: .comparison(.atLeast, bounds.lowerBound)),
        SourceFilter(columnName: column, condition: .comparison(.atMost, bounds.upperBound)),
      ]
    }
  }

  /// The one schema that a source schema is renamed to: a rule renames it for all of its tables.
  private static func target(of tables: [ResolvedTable]) throws(DocumentError) -> String {
    let targets = tables.map(\.targetSchema).uniqued()
    guard targets.count == 1 else {
      throw .schemaWithTwoTargets(schema: tables[0].schema, first: targets[0], second: targets[1])
    }
    return targets[0]
  }

  private static func refuseSharedTargets(_ tables: [ResolvedTable]) throws(DocumentError) {
    var sourceOfTarget: [String: String] = [:]
    for table in tables {
      let source = "\(table.schema).\(table.name)"
      let target = "\(table.targetSchema).\(table.targetName)"
      if let other = sourceOfTarget.updateValue(source, forKey: target) {
        throw .twoTablesForOneTarget(target: target, first: other, second: source)
      }
    }
  }
}

extension Array where Element: Hashable {
  /// The elements without repetitions, in the order of their first occurrence.
  fileprivate func uniqued() -> [Element] {
    var seen: Set<Element> = []
    return filter { seen.insert($0).inserted }
  }
}
