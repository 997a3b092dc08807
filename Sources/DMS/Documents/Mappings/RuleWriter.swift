/// Numbers and names rules while they are written.
struct RuleWriter {
  private(set) var rules: [MappingRule] = []
  private var usedNames: Set<String> = []

  private var nextID: String { "\(rules.count + 1)" }

  mutating func select(_ table: ResolvedTable, filters: [SourceFilter]) {
    let rule = SelectionRule(
      ruleID: nextID,
      ruleName: ruleName([table.name, "window"]),
      objectLocator: ObjectLocator(schemaName: table.schema, tableName: table.name),
      ruleAction: .include,
      loadOrder: table.plan.loadOrder.map(String.init),
      filters: filters
    )
    rules.append(.selection(rule))
  }

  mutating func rename(schema: String, to target: String) {
    transform(.schema, ObjectLocator(schemaName: schema), action: .rename, value: target, name: [schema, "to", target])
  }

  mutating func rename(_ table: ResolvedTable) {
    let locator = ObjectLocator(schemaName: table.schema, tableName: table.name)
    let target = table.targetName
    transform(.table, locator, action: .rename, value: target, name: [table.name, "to", target])
  }

  mutating func lowerCase(schema: String, table: String) {
    let name = table == "%" ? [schema, "tables", "lower"] : [table, "lower"]
    transform(.table, ObjectLocator(schemaName: schema, tableName: table), action: .convertLowercase, name: name)
  }

  mutating func lowerCaseColumns(schema: String) {
    let locator = ObjectLocator(schemaName: schema, tableName: "%", columnName: "%")
    transform(.column, locator, action: .convertLowercase, name: [schema, "columns", "lower"])
  }

  mutating func settings(_ table: ResolvedTable) {
    let rule = TableSettingsRule(
      ruleID: nextID,
      ruleName: ruleName([table.name, "load"]),
      objectLocator: ObjectLocator(schemaName: table.schema, tableName: table.name),
      parallelLoad: table.parallelLoad,
      lobSettings: table.plan.lobSettings
    )
    rules.append(.tableSettings(rule))
  }

  private mutating func transform(
    _ target: TransformationRule.Target,
    _ locator: ObjectLocator,
    action: TransformationRule.Action,
    value: String? = nil,
    name: [String]
  ) {
    let rule = TransformationRule(
      ruleID: nextID,
      ruleName: ruleName(name),
      ruleTarget: target,
      objectLocator: locator,
      ruleAction: action,
      value: value
    )
    rules.append(.transformation(rule))
  }

  /// Lower-case letters, digits and hyphens, made unique by the rule's number where two names coincide.
  private mutating func ruleName(_ parts: [String]) -> String {
    let name = parts.joined(separator: "-").lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
    let unique = usedNames.contains(String(name)) ? String(name) + "-" + nextID : String(name)
    usedNames.insert(unique)
    return unique
  }
}
