import Spelling

/// Types, numbers and names of rules.
enum IdentityRules {
  static func check(_ document: MappingView, _ found: inout FindingList) {
    var ruleOfID: [String: RuleView] = [:]
    var ruleOfName: [String: RuleView] = [:]
    for rule in document.rules {
      checkType(rule, &found)
      if let id = rule.id, let text = id.text {
        if Int(text) == nil || text.hasPrefix("-") {
          found.add(
            .badRuleID,
            at: id,
            "\"\(text)\" is not a whole number, but DMS orders transformation rules by their numbers",
            advice: "give the rule its own number, such as \"\(document.rules.count + 1)\""
          )
        }
        if let other = ruleOfID.updateValue(rule, forKey: text) {
          found.add(
            .duplicateRuleID,
            at: id,
            "rule-id \"\(text)\" is already used at \(other.cursor.path); DMS rejects such a document",
            advice: "give every rule its own number"
          )
        }
      }
      if let name = rule.name, let text = name.text, let other = ruleOfName.updateValue(rule, forKey: text) {
        found.add(
          .duplicateRuleName,
          at: name,
          "rule-name \"\(text)\" is already used at \(other.cursor.path); names must be unique",
          advice: "give every rule its own name"
        )
      }
    }
  }

  private static func checkType(_ rule: RuleView, _ found: inout FindingList) {
    guard let type = rule.cursor["rule-type"], let text = type.text, rule.kind == nil,
      !MappingVocabulary.foreignRuleTypes.contains(text)
    else { return }
    let known = RuleKind.allCases.map(\.rawValue)
    let meant = Spelling.closest(to: text, in: known).map { "write \"\($0)\"" }
    found.add(
      .unknownRuleType,
      at: type,
      "DMS has no rule type \"\(text)\"",
      advice: meant ?? "use \(Spelling.list(known))"
    )
  }
}
