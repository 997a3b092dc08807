import Spelling

/// Which tables are loaded.
enum SelectionRules {
  static func check(_ document: MappingView, _ found: inout FindingList) {
    checkActions(document, &found)
    guard !document.includes.isEmpty else {
      if document.selections.allSatisfy({ $0.action?.text == "exclude" }) {
        found.add(
          .noSelection,
          at: document.place,
          "no selection rule includes a table, so there is nothing to load",
          advice: "add a rule with \"rule-type\": \"selection\" and \"rule-action\": \"include\" for each table"
        )
      }
      return
    }
    checkRepetitions(document, &found)
    let hasFilters = document.includes.contains { !$0.filters.isEmpty }
    for rule in document.selections {
      if rule.filters.isEmpty {
        if hasFilters, rule.action?.text != "exclude" { unfiltered(rule, &found) }
      } else {
        checkFilteredNames(rule, &found)
        checkFilterAction(rule, &found)
      }
    }
  }

  private static func checkActions(_ document: MappingView, _ found: inout FindingList) {
    let actions = SelectionRule.Action.allCases.map(\.rawValue)
    for rule in document.selections {
      guard let action = rule.action, let text = action.text, !actions.contains(text) else { continue }
      let meant = Spelling.closest(to: text, in: actions).map { "write \"\($0)\"" }
      found.add(
        .unknownRuleAction,
        at: action,
        "\"\(text)\" is not an action of a selection rule",
        advice: meant ?? "use \(Spelling.list(actions))"
      )
    }
  }

  private static func checkRepetitions(_ document: MappingView, _ found: inout FindingList) {
    var seen: [String: RuleView] = [:]
    for rule in document.includes {
      guard let schema = rule.schema?.text, let table = rule.table?.text else { continue }
      if let other = seen.updateValue(rule, forKey: "\(schema).\(table)") {
        found.add(
          .tableSelectedTwice,
          at: rule.table ?? rule.cursor,
          "\(other.label) already selects \(schema).\(table); AWS does not say how the filters of two rules combine",
          advice: "put everything about this table into one rule"
        )
      }
    }
  }

  private static func unfiltered(_ rule: RuleView, _ found: inout FindingList) {
    found.add(
      .unfilteredSelection,
      at: rule.cursor,
      "other tables have a filter but \(rule.tableLabel) has none, so all of its rows are loaded",
      advice: "add the window to \"filters\" here too, unless the whole table is meant"
    )
  }

  private static func checkFilteredNames(_ rule: RuleView, _ found: inout FindingList) {
    for name in [rule.schema, rule.table] {
      guard let name, let text = name.text, NamePattern(text).hasWildcards else { continue }
      found.add(
        .wildcardInFilteredSelection,
        at: name,
        "\"\(text)\" has a wildcard, but filters work only on tables that are named exactly",
        advice: "write one selection rule with the exact schema and table name for each table"
      )
    }
  }

  private static func checkFilterAction(_ rule: RuleView, _ found: inout FindingList) {
    guard let action = rule.action, action.text == "exclude" || action.text == "explicit",
      let filters = rule.cursor["filters"]
    else { return }
    found.add(
      .filterWithoutInclude,
      at: filters,
      "filters work only in rules with the action \"include\", but this one says \"\(action.text ?? "")\"",
      advice: "write \"rule-action\": \"include\", with a filter for the rows you want"
    )
  }
}
