import Spelling

/// Keys that are missing, unknown or hold something else than they should.
enum MappingShapeRules {
  static func check(_ document: MappingView, _ found: inout FindingList) {
    checkKeys(of: document.root, allowed: ["rules": .array], needed: ["rules"], &found)
    for rule in document.rules {
      guard rule.cursor.node.members != nil else {
        found.add(
          .wrongShape,
          at: rule.cursor,
          "a rule must be an object, but this is \(rule.cursor.node.kindInWords)",
          advice: "write the rule as {\"rule-type\": …}"
        )
        continue
      }
      checkRule(rule, &found)
    }
  }

  private static func checkRule(_ rule: RuleView, _ found: inout FindingList) {
    guard let kind = rule.kind else {
      if rule.cursor["rule-type"] == nil { missing("rule-type", in: rule.cursor, &found) }
      return
    }
    let needed = MappingVocabulary.neededKeysOfRule[kind] ?? []
    checkKeys(of: rule.cursor, allowed: MappingVocabulary.keysOfRule[kind] ?? [:], needed: needed, &found)
    if let locator = rule.locator {
      checkKeys(of: locator, allowed: MappingVocabulary.locator, needed: neededNames(rule, kind), &found)
    }
    for filter in rule.filters {
      checkKeys(
        of: filter.cursor,
        allowed: MappingVocabulary.filter,
        needed: ["column-name", "filter-conditions"],
        &found
      )
      for condition in filter.conditions {
        checkKeys(of: condition, allowed: MappingVocabulary.condition, needed: ["filter-operator"], &found)
      }
    }
    rule.cursor["parallel-load"].map {
      checkKeys(of: $0, allowed: MappingVocabulary.parallelLoad, needed: ["type"], &found)
    }
    rule.cursor["lob-settings"].map {
      checkKeys(of: $0, allowed: MappingVocabulary.lobSettings, needed: [], &found)
    }
    rule.cursor["data-type"].map { checkKeys(of: $0, allowed: MappingVocabulary.dataType, needed: ["type"], &found) }
  }

  /// The names without which the locator says nothing.
  private static func neededNames(_ rule: RuleView, _ kind: RuleKind) -> [String] {
    switch (kind, rule.knownTarget) {
    case (.selection, _), (.tableSettings, _), (.transformation, .table): ["schema-name", "table-name"]
    case (.transformation, .column) where rule.knownAction == .addColumn: ["schema-name", "table-name"]
    case (.transformation, .column): ["schema-name", "table-name", "column-name"]
    default: ["schema-name"]
    }
  }

  private static func checkKeys(
    of object: Cursor,
    allowed: [String: MappingVocabulary.Shape],
    needed: [String],
    _ found: inout FindingList
  ) {
    guard object.node.members != nil else {
      // Its own key already said what it should be; elements of arrays have no key.
      if object.path.hasSuffix("]") {
        let kind = object.node.kindInWords
        found.add(.wrongShape, at: object, "an object belongs here, but this is \(kind)", advice: "write it as {…}")
      }
      return
    }
    var meant: Set<String> = []
    for (name, value, key) in object.members {
      guard let shape = allowed[name] else {
        if let correct = UnknownKey.report(name, at: key, allowed: allowed.keys.sorted(), &found) {
          meant.insert(correct)
        }
        continue
      }
      if !value.node.isNull, !shape.fits(value.node) {
        let kind = value.node.kindInWords
        found.add(
          .wrongShape,
          at: value,
          "\"\(name)\" must be \(shape.inWords), but this is \(kind)",
          advice: "write \(shape.inWords)"
        )
      }
    }
    for key in needed where object[key] == nil && !meant.contains(key) { missing(key, in: object, &found) }
  }

  private static func missing(_ key: String, in object: Cursor, _ found: inout FindingList) {
    found.add(.missingKey, at: object, "\"\(key)\" is missing here, and DMS needs it", advice: "add \"\(key)\"")
  }
}

/// What to say about a key that nobody knows.
enum UnknownKey {
  /// Reports the key as misspelt or unknown, and returns what was probably meant.
  static func report(_ name: String, at key: Cursor, allowed: [String], _ found: inout FindingList) -> String? {
    if let correct = Spelling.closest(to: name, in: allowed) {
      found.add(
        .misspeltKey,
        at: key,
        "\"\(name)\" is not a key here, so its value has no effect",
        advice: "write \"\(correct)\""
      )
      return correct
    }
    found.add(
      .unknownKey,
      at: key,
      "\"\(name)\" is not a documented key here; what DMS does with it is unknown",
      advice: "remove it, or use one of \(Spelling.list(allowed))"
    )
    return nil
  }
}
