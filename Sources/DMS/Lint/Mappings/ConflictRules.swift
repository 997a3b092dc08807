/// Two actions on one object: DMS applies the one with the lower number and drops the other.
enum ConflictRules {
  /// Actions that speak of an object besides the one that is named, or that DMS allows beside another one.
  private static let besideOthers: Set<TransformationRule.Action> = [
    .addColumn, .definePrimaryKey, .addBeforeImageColumns, .maskDigits, .randomizeDigits, .hashMask,
  ]

  private static let changesOfCase: Set<TransformationRule.Action> = [.convertLowercase, .convertUppercase]

  static func check(_ document: MappingView, _ found: inout FindingList) {
    let rules = document.transformations.filter { rule in
      rule.knownTarget != nil && rule.knownAction.map { !besideOthers.contains($0) } ?? true
    }
    for (index, later) in rules.enumerated() {
      for earlier in rules[..<index] where earlier.knownTarget == later.knownTarget && overlap(earlier, later) {
        report(earlier, later, document: document, into: &found)
      }
    }
  }

  private static func report(
    _ earlier: RuleView,
    _ later: RuleView,
    document: MappingView,
    into found: inout FindingList
  ) {
    let place = later.action ?? later.cursor
    let (first, second) = (earlier.action?.text ?? "?", later.action?.text ?? "?")
    // The same change of case twice does no harm.
    if first == second, earlier.knownAction.map(changesOfCase.contains) == true { return }
    let object = commonObject(earlier, later)
    let actions = [earlier.knownAction, later.knownAction].compactMap { $0 }
    let isRename = actions.contains(.rename) && actions.contains { changesOfCase.contains($0) }
    guard isRename else {
      found.add(
        .severalActionsOnOneObject,
        at: place,
        "\(earlier.label) (\(first)) and \(later.label) (\(second)) both act on \(object); DMS applies one action to an object, "
          + "the one with the lower number, so \"\(second)\" does nothing there",
        advice: "keep one of the two; existing tables need only lower-case names, not other types"
      )
      return
    }
    found.add(
      .renameAndLowerCase,
      at: place,
      "\(earlier.label) (\(first)) and \(later.label) (\(second)) both act on \(object), and DMS applies only the first",
      advice:
        "write the new name of the rename rule in lower case, and name the other objects one by one in the rules that lower-case them"
    )
  }

  private static func overlap(_ first: RuleView, _ second: RuleView) -> Bool {
    guard let target = first.knownTarget else { return false }
    let parts: [(Cursor?, Cursor?)] =
      switch target {
      case .schema: [(first.schema, second.schema)]
      case .table: [(first.schema, second.schema), (first.table, second.table)]
      case .column: [(first.schema, second.schema), (first.table, second.table), (first.column, second.column)]
      default: [(first.schema, second.schema), (first.table, second.table)]
      }
    // Columns told apart by their data type are different columns.
    if let type = first.locator?["data-type"]?.text, let other = second.locator?["data-type"]?.text, type != other {
      return false
    }
    return parts.allSatisfy { one, other in
      guard let one = one?.text, let other = other?.text else { return true }
      return NamePattern(one).overlaps(NamePattern(other))
    }
  }

  /// The more exact of the two names of the object.
  private static func commonObject(_ first: RuleView, _ second: RuleView) -> String {
    let exact = { (one: Cursor?, other: Cursor?) -> String? in
      guard let one = one?.text, let other = other?.text else { return one?.text ?? other?.text }
      return NamePattern(one).hasWildcards && !NamePattern(other).hasWildcards
        ? other : one.count >= other.count ? one : other
    }
    let schema = exact(first.schema, second.schema) ?? "%"
    let table = exact(first.table, second.table) ?? "%"
    return switch first.knownTarget {
    case .schema: "schema \(schema)"
    case .column: "column \(schema).\(table).\(exact(first.column, second.column) ?? "%")"
    default: "table \(schema).\(table)"
    }
  }
}
