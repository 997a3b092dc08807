import Spelling

/// How tables are loaded.
enum TableSettingsRules {
  static func check(_ document: MappingView, _ found: inout FindingList) {
    for rule in document.tableSettings {
      checkNames(rule, &found)
      checkSelection(rule, document, into: &found)
      if let load = rule.cursor["parallel-load"] {
        checkLoad(load, &found)
        checkFilters(rule, load, document: document, into: &found)
      }
      if let lobs = rule.cursor["lob-settings"] { checkLobs(lobs, &found) }
    }
  }

  private static func checkNames(_ rule: RuleView, _ found: inout FindingList) {
    for name in [rule.schema, rule.table] {
      guard let name, let text = name.text, NamePattern(text).hasWildcards else { continue }
      found.add(
        .wildcardInTableSettings,
        at: name,
        "\"\(text)\" has a wildcard, which DMS rejects with \"Exact schema and table name required when using table settings rule\"",
        advice: "write one table-settings rule with exact names for each table"
      )
    }
  }

  private static func checkSelection(_ rule: RuleView, _ document: MappingView, into found: inout FindingList) {
    guard let place = rule.table, let schema = rule.schema?.text, let table = place.text,
      !NamePattern(table).hasWildcards,
      !document.includes.isEmpty, !document.includes.contains(where: { $0.locates(schema: schema, table: table) })
    else { return }
    found.add(
      .settingsForUnselectedTable,
      at: place,
      "no selection rule includes \(schema).\(table), so these settings have no effect",
      advice: "add a selection rule for the table, or remove this rule"
    )
  }

  private static func checkLoad(_ load: Cursor, _ found: inout FindingList) {
    guard let place = load["type"], let text = place.text else { return }
    guard let kind = ParallelLoad.Kind(rawValue: text) else {
      let known = ParallelLoad.Kind.allCases.map(\.rawValue)
      let meant = Spelling.closest(to: text, in: known).map { "write \"\($0)\"" }
      found.add(
        .unknownParallelLoad,
        at: place,
        "DMS has no parallel load of type \"\(text)\"",
        advice: meant ?? "use \(Spelling.list(known))"
      )
      return
    }
    switch kind {
    case .ranges: checkRanges(load, &found)
    case .partitionsList where load["partitions"] == nil && load["subpartitions"] == nil:
      found.add(
        .missingKey,
        at: load,
        "a parallel load of type \"partitions-list\" needs a list of partitions",
        advice: "add \"partitions\": [\"…\"], or use \"partitions-auto\""
      )
    default: break
    }
  }

  private static func checkRanges(_ load: Cursor, _ found: inout FindingList) {
    let columns = load["columns"]?.elements ?? []
    for key in ["columns", "boundaries"] where (load[key]?.elements ?? []).isEmpty {
      found.add(
        .badRanges,
        at: load[key] ?? load,
        "a parallel load by ranges needs \"\(key)\", but there are none",
        advice: key == "columns"
          ? "add \"columns\": [\"ID\"], one to ten columns"
          : "add \"boundaries\": [[\"1000\"], [\"2000\"]], the upper bound of each segment"
      )
    }
    guard let first = columns.first, let place = load["columns"] else { return }
    if columns.count > 10 {
      found.add(
        .badRanges,
        at: place,
        "there are \(columns.count) columns, but DMS takes at most ten",
        advice: "name ten or fewer"
      )
    }
    for boundary in load["boundaries"]?.elements ?? [] where boundary.elements.count != columns.count {
      let count = boundary.elements.count
      found.add(
        .badRanges,
        at: boundary,
        "the boundary has \(count) \(count == 1 ? "value" : "values") for \(columns.count) "
          + (columns.count == 1 ? "column" : "columns"),
        advice: "write an array with one value for each column"
      )
    }
    for column in columns {
      guard let text = column.text, text.contains(where: \.isLowercase) else { continue }
      found.add(
        .nameNotUpperCase,
        at: column,
        "names are case-sensitive, and Oracle keeps its names in upper case: \"\(text)\" matches nothing",
        advice: "write \"\(text.uppercased())\""
      )
    }
    found.add(
      .rangesSkipNull,
      at: place,
      "rows with NULL in a range column are not loaded (\(first.text ?? "?")\(columns.count > 1 ? ", …" : ""))",
      advice: "use columns that are NOT NULL, preferably the primary key"
    )
  }

  private static func checkFilters(
    _ rule: RuleView,
    _ load: Cursor,
    document: MappingView,
    into found: inout FindingList
  ) {
    guard load["type"]?.text != "none", let schema = rule.schema?.text, let table = rule.table?.text,
      document.includes.contains(where: { $0.locates(schema: schema, table: table) && !$0.filters.isEmpty })
    else { return }
    found.add(
      .parallelLoadWithFilter,
      at: load,
      "\(schema).\(table) also has a filter, and AWS does not say how a parallel load and a filter combine",
      advice: "compare the number of loaded rows with a count on the source before relying on it"
    )
  }

  private static func checkLobs(_ lobs: Cursor, _ found: inout FindingList) {
    let mode = lobs["mode"]?.text ?? "limited"
    guard LobSettings.Mode(rawValue: mode) != nil else {
      let known = LobSettings.Mode.allCases.map(\.rawValue)
      let meant = Spelling.closest(to: mode, in: known).map { "write \"\($0)\"" }
      found.add(
        .unknownLOBMode,
        at: lobs["mode"] ?? lobs,
        "DMS has no LOB mode \"\(mode)\"",
        advice: meant ?? "use \(Spelling.list(known))"
      )
      return
    }
    guard mode == "limited" else { return }
    guard let place = lobs["bulk-max-size"], let size = place.text.flatMap({ Int($0) }), size > 0 else {
      found.add(
        .lobSizeMissing,
        at: lobs["bulk-max-size"] ?? lobs,
        "the mode \"limited\" needs \"bulk-max-size\", in kilobytes and more than 0",
        advice: "add \"bulk-max-size\": \"…\" with the size of the largest LOB, or use the mode \"unlimited\""
      )
      return
    }
    found.add(
      .lobTruncation,
      at: place,
      "LOBs larger than \(size) kB are truncated, with only a warning in the log",
      advice: "give the size of the largest LOB, use \"unlimited\", or set FailTasksOnLobTruncation on the endpoint"
    )
  }
}
