import Spelling

/// Actions and what they need.
enum TransformationRules {
  /// Names of actions that look right and are none.
  private static let otherSpellings: [String: String] = [
    "convert-column-type": "change-data-type", "convert-data-type": "change-data-type",
    "change-column-type": "change-data-type", "rename-schema": "rename", "rename-table": "rename",
    "rename-column": "rename", "to-lowercase": "convert-lowercase", "make-lowercase": "convert-lowercase",
    "lowercase": "convert-lowercase", "drop-column": "remove-column", "exclude-column": "remove-column",
  ]

  private static let onlyForColumns: Set<TransformationRule.Action> = [
    .addColumn, .includeColumn, .removeColumn, .changeDataType, .maskDigits, .randomizeDigits, .hashMask,
  ]

  /// Keys that an action does not work without.
  private static func neededKeys(_ action: TransformationRule.Action) -> [String] {
    switch action {
    case .rename, .addPrefix, .removePrefix, .addSuffix, .removeSuffix: ["value"]
    case .replacePrefix, .replaceSuffix: ["value", "old-value"]
    case .addColumn: ["value", "data-type"]
    case .changeDataType: ["data-type"]
    case .definePrimaryKey: ["primary-key-def"]
    case .addBeforeImageColumns: ["before-image-def"]
    default: []
    }
  }

  static func check(_ document: MappingView, _ found: inout FindingList) {
    for rule in document.transformations {
      checkAction(rule, &found)
      checkTarget(rule, &found)
      checkCharacters(rule, &found)
      guard let action = rule.knownAction else { continue }
      checkFit(rule, action, into: &found)
      for key in neededKeys(action) where rule.cursor[key] == nil || rule.cursor[key]?.text?.isEmpty == true {
        found.add(
          .missingValue,
          at: rule.cursor[key] ?? rule.cursor,
          "the action \"\(action.rawValue)\" needs \"\(key)\", which is \(rule.cursor[key] == nil ? "missing" : "empty")",
          advice: "add \"\(key)\""
        )
      }
    }
  }

  private static func checkAction(_ rule: RuleView, _ found: inout FindingList) {
    guard let place = rule.action, let text = place.text, rule.knownAction == nil else { return }
    let known = TransformationRule.Action.allCases.map(\.rawValue)
    let meant = otherSpellings[text.lowercased()] ?? Spelling.closest(to: text, in: known)
    var advice =
      meant.map { "write \"\($0)\"" } ?? "use \(Spelling.list(known.prefix(9))), or another one that AWS lists"
    if meant == "change-data-type" {
      advice +=
        ", or remove the rule: existing tables keep their own column types, and no column can also be lower-cased "
        + "when another action acts on it"
    }
    found.add(
      .unknownRuleAction,
      at: place,
      "DMS has no transformation action \"\(text)\"; actions are case-sensitive",
      advice: advice
    )
  }

  private static func checkTarget(_ rule: RuleView, _ found: inout FindingList) {
    guard let place = rule.target, let text = place.text, rule.knownTarget == nil else { return }
    let known = TransformationRule.Target.allCases.map(\.rawValue)
    let meant = Spelling.closest(to: text, in: known).map { "write \"\($0)\"" }
    found.add(
      .unknownRuleTarget,
      at: place,
      "a transformation rule cannot act on \"\(text)\"",
      advice: meant ?? "use \(Spelling.list(known.prefix(3)))"
    )
  }

  private static func checkFit(_ rule: RuleView, _ action: TransformationRule.Action, into found: inout FindingList) {
    guard let target = rule.knownTarget, let place = rule.target else { return }
    let needed: TransformationRule.Target? =
      if onlyForColumns.contains(action) { .column } else if action == .definePrimaryKey { .table } else { nil }
    guard let needed, needed != target else { return }
    found.add(
      .actionNotForTarget,
      at: place,
      "\"\(action.rawValue)\" acts on a \(needed.rawValue), but the rule's target is a \(target.rawValue)",
      advice: "write \"rule-target\": \"\(needed.rawValue)\", with the names in \"object-locator\" that it needs"
    )
  }

  private static func checkCharacters(_ rule: RuleView, _ found: inout FindingList) {
    guard let column = rule.column, let text = column.text,
      let character = text.first(where: { "#\\/-".contains($0) && !isWithinBrackets($0, text) })
    else { return }
    found.add(
      .specialCharacterInColumn,
      at: column,
      "DMS cannot transform columns whose names contain # \\ / or -, and \"\(text)\" contains '\(character)'",
      advice: "leave the column out of the rule, or read it through a view that gives it another name"
    )
  }

  private static func isWithinBrackets(_ character: Character, _ text: String) -> Bool {
    guard let opening = text.firstIndex(of: "["), let closing = text.firstIndex(of: "]"),
      let place = text.firstIndex(of: character)
    else { return false }
    return opening < place && place < closing
  }
}
