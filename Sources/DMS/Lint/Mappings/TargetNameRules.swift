import Spelling

/// Where the rows go: whether the names that result are those of the tables that wait for them.
enum TargetNameRules {
  static func check(_ document: MappingView, _ schema: KnownSchema?, into found: inout FindingList) {
    let names = TargetNames(document)
    checkLowerCase(document, names, schema: schema, into: &found)
    checkSchemas(document, names, into: &found)
    checkTargets(document, names, into: &found)
    if let schema { checkKnown(document, names, schema: schema, into: &found) }
  }

  /// `%` and the like cannot be looked up; a name that no rule singles out stands for all that they meet.
  private static func sample(_ pattern: String) -> String {
    NamePattern(pattern).hasWildcards ? "SAMPLE" : pattern
  }

  private static func checkLowerCase(
    _ document: MappingView,
    _ names: TargetNames,
    schema: KnownSchema?,
    into found: inout FindingList
  ) {
    var tables: [String] = []
    var columns: [String] = []
    for rule in document.includes {
      guard let schemaName = rule.schema?.text, let table = rule.table?.text else { continue }
      let target = names.table(schemaName, sample(table))
      let targetSchema = names.schema(schemaName)
      if target.contains(where: \.isUppercase), schema?.table(target, in: targetSchema) == nil { tables.append(table) }
      let known = schema?.table(names.table(schemaName, table), in: targetSchema)
      let filtered = rule.filters.compactMap { $0.column?.text }
      let checked = known.map { $0.columns.map { $0.name.uppercased() } } ?? (filtered.isEmpty ? ["SAMPLE"] : filtered)
      let kept = checked.filter { column in
        let result = names.column(schemaName, sample(table), name: column)
        return result.contains(where: \.isUppercase) && known?.columns.contains { $0.name == result } != true
      }
      if !kept.isEmpty { columns.append(filtered.isEmpty && known == nil ? table : "\(table).\(kept[0])") }
    }
    report("table", tables, in: document, into: &found)
    report("column", columns, in: document, into: &found)
  }

  private static func report(_ kind: String, _ names: [String], in document: MappingView, into found: inout FindingList)
  {
    guard let first = names.first else { return }
    let others = names.count > 1 ? " and \(names.count - 1) more" : ""
    let locator =
      kind == "table" ? "\"table-name\": \"%\"" : "\"table-name\": \"%\", \"column-name\": \"%\""
    found.add(
      .missingLowerCase,
      at: document.place,
      "no rule makes the \(kind) names lower case (\(first)\(others)): DMS then writes to upper-case names in double quotes, "
        + "not to the \(kind)s that PostgreSQL has",
      advice:
        "add a transformation rule with \"rule-action\": \"convert-lowercase\", \"rule-target\": \"\(kind)\" and \(locator), and "
        + "no other action on the same \(kind)s"
    )
  }

  private static func checkSchemas(_ document: MappingView, _ names: TargetNames, into found: inout FindingList) {
    var seen: Set<String> = []
    for rule in document.includes {
      guard let place = rule.schema, let text = place.text, seen.insert(text).inserted else { continue }
      guard names.schema(sample(text)) == sample(text) else { continue }
      found.add(
        .schemaNotRenamed,
        at: place,
        "no rule renames the schema \(text), so the rows go to a schema of that name unless TargetSchema in the task settings "
          + "says otherwise",
        advice:
          "add a transformation rule with \"rule-action\": \"rename\", \"rule-target\": \"schema\" and the staging schema as "
          + "\"value\""
      )
    }
  }

  private static func checkTargets(_ document: MappingView, _ names: TargetNames, into found: inout FindingList) {
    var sourceOfTarget: [String: String] = [:]
    for rule in document.includes {
      guard let schema = rule.schema?.text, let table = rule.table?.text, !NamePattern(table).hasWildcards else {
        continue
      }
      let source = "\(schema).\(table)"
      let target = "\(names.schema(schema)).\(names.table(schema, table))"
      if let other = sourceOfTarget.updateValue(source, forKey: target), other != source {
        found.add(
          .twoTablesOneTarget,
          at: rule.table ?? rule.cursor,
          "\(other) and \(source) would both be loaded into \(target), which DMS does not support",
          advice: "rename one of the two, or load them in two tasks"
        )
      }
    }
  }

  private static func checkKnown(
    _ document: MappingView,
    _ names: TargetNames,
    schema: KnownSchema,
    into found: inout FindingList
  ) {
    for rule in document.includes {
      guard let place = rule.table, let schemaName = rule.schema?.text, let name = place.text,
        !NamePattern(name).hasWildcards
      else { continue }
      let target = names.table(schemaName, name)
      let targetSchema = names.schema(schemaName)
      let tables = schema.tables(in: targetSchema)
      // Differing in case only is a missing lower-casing, which is said once for all tables.
      guard let table = tables.first(where: { $0.name.lowercased() == target.lowercased() }) else {
        let shown = schema.tables.contains { $0.schema != nil } ? "\(targetSchema).\(target)" : target
        found.add(
          .unknownTable,
          at: place,
          "\(name) would be loaded into \"\(shown)\", but there is no such table",
          advice: advice(target, among: tables.map(\.name)) ?? "create it with init, or remove the rule"
        )
        continue
      }
      for filter in rule.filters {
        filter.column.map { check($0, of: table, schemaName, source: name, names: names, into: &found) }
      }
    }
    for rule in document.transformations {
      guard let place = rule.column, let column = place.text, !NamePattern(column).hasWildcards,
        let schemaName = rule.schema?.text, let tableName = rule.table?.text, !NamePattern(tableName).hasWildcards,
        rule.knownAction != .removeColumn,
        let table = schema.table(meantBy: names.table(schemaName, tableName), in: names.schema(schemaName))
      else { continue }
      check(place, of: table, schemaName, source: tableName, names: names, into: &found)
    }
  }

  private static func check(
    _ place: Cursor,
    of table: KnownSchema.Table,
    _ schema: String,
    source: String,
    names: TargetNames,
    into found: inout FindingList
  ) {
    guard let column = place.text else { return }
    let target = names.column(schema, source, name: column)
    guard !table.columns.contains(where: { $0.name.lowercased() == target.lowercased() }) else { return }
    found.add(
      .unknownColumn,
      at: place,
      "\(source).\(column) would become the column \"\(target)\" of \(table.fullName), but there is no such column",
      advice: advice(target, among: table.columns.map(\.name)) ?? "name a column of that table"
    )
  }

  private static func advice(_ name: String, among others: [String]) -> String? {
    Spelling.closest(to: name, in: others).map { "did you mean \($0.uppercased())?" }
  }
}
