import Spelling

/// Operators, their values, and the columns they stand for.
enum FilterRules {
  /// What people write, and what DMS has instead.
  private static let otherSpellings: [String: String] = [
    "lt": "lte", "<": "lte", "<=": "lte", "le": "lte", "gt": "gte", ">": "gte", ">=": "gte", "ge": "gte", "=": "eq",
    "==": "eq", "equal": "eq", "equals": "eq", "ne": "noteq", "neq": "noteq", "<>": "noteq", "!=": "noteq",
    "isnull": "null", "is-null": "null", "isnotnull": "notnull", "is-not-null": "notnull", "not-null": "notnull",
    "not-between": "notbetween", "range": "between",
  ]

  static func check(_ document: MappingView, _ schema: KnownSchema?, into found: inout FindingList) {
    let names = TargetNames(document)
    for rule in document.selections {
      for filter in rule.filters {
        checkType(filter, &found)
        checkPresence(filter, &found)
        for condition in filter.conditions { checkCondition(condition, &found) }
        checkNegatives(filter, &found)
        if let schema { checkColumnType(filter, of: rule, names, schema: schema, into: &found) }
      }
    }
  }

  private static func checkType(_ filter: FilterView, _ found: inout FindingList) {
    guard let type = filter.cursor["filter-type"], let text = type.text, text != "source" else { return }
    found.add(
      .wrongShape,
      at: type,
      "\"\(text)\" is not a filter type; the only one is \"source\"",
      advice: "write \"filter-type\": \"source\""
    )
  }

  private static func checkPresence(_ filter: FilterView, _ found: inout FindingList) {
    guard let place = filter.cursor["filter-conditions"], place.node.elements?.isEmpty == true else { return }
    found.add(
      .missingFilterValue,
      at: place,
      "the filter on \(filter.column?.text ?? "?") has no condition",
      advice: "add one, or remove the filter"
    )
  }

  private static func checkCondition(_ condition: Cursor, _ found: inout FindingList) {
    guard let place = condition["filter-operator"], let text = place.text else { return }
    guard let filterOperator = FilterOperator(rawValue: text) else {
      let known = FilterOperator.allCases.map(\.rawValue)
      let meant = otherSpellings[text.lowercased()] ?? Spelling.closest(to: text, in: known)
      found.add(
        .unknownFilterOperator,
        at: place,
        "DMS has no filter operator \"\(text)\"",
        advice: meant.map { "write \"\($0)\"\(hint(text))" } ?? "use \(Spelling.list(known))"
      )
      return
    }
    let needed = filterOperator.neededKeys.map { "\"\($0)\"" }.joined(separator: " and ")
    for key in filterOperator.neededKeys where condition[key]?.text?.isEmpty != false {
      let node = condition[key]
      if let node, node.text == nil { continue }  // of the wrong shape, which was said
      found.add(
        .missingFilterValue,
        at: node ?? condition,
        "the operator \"\(text)\" needs \(needed), but \"\(key)\" is \(node == nil ? "missing" : "empty")",
        advice: "add \"\(key)\""
      )
    }
  }

  private static func hint(_ text: String) -> String {
    switch text.lowercased() {
    case "lt", "<", "gt", ">": ", which includes the value itself; no operator excludes it"
    default: ""
    }
  }

  private static func checkNegatives(_ filter: FilterView, _ found: inout FindingList) {
    let isNegative = filter.conditions.contains {
      $0["filter-operator"]?.text.flatMap(FilterOperator.init)?.isNegative == true
    }
    guard isNegative, filter.conditions.count > 1, let place = filter.cursor["filter-conditions"] else { return }
    found.add(
      .severalNegativeConditions,
      at: place,
      "a filter with noteq, notbetween or notnull may hold only one condition: DMS joins conditions by OR, and \"not A or not B\" is true for "
        + "every row",
      advice: "put each condition into a separate filter; filters are joined by AND"
    )
  }

  private static let largeObjectTypes = ["CLOB", "NCLOB", "BLOB", "LONG", "XMLTYPE", "BFILE"]

  private static func checkColumnType(
    _ filter: FilterView,
    of rule: RuleView,
    _ names: TargetNames,
    schema: KnownSchema,
    into found: inout FindingList
  ) {
    guard let place = filter.column, let column = place.text, let schemaName = rule.schema?.text,
      let tableName = rule.table?.text,
      let table = schema.table(names.table(schemaName, tableName), in: names.schema(schemaName)),
      let known = table.columns.first(where: { $0.name == names.column(schemaName, tableName, name: column) })
    else { return }
    let source = known.sourceType?.uppercased() ?? ""
    guard largeObjectTypes.contains(where: { source.hasPrefix($0) }) else { return }
    found.add(
      .filterOnLOB,
      at: place,
      "\(column) is a large object (\(known.sourceType ?? known.type)), which DMS does not filter on",
      advice: "filter on a column of another type"
    )
  }
}
