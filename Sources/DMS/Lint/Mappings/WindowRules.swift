/// Whether the filters cut out the window that they seem to mean.
enum WindowRules {
  /// Parts of column names that say: an update of the row changes this.
  private static let signsOfChange = [
    "UPDAT", "MODIF", "CHANGE", "LAST_UPD", "LASTUPD", "LAST_MOD", "TOUCHED", "MTIME",
  ]

  static func check(_ document: MappingView, _ found: inout FindingList) {
    for rule in document.selections {
      for filter in rule.filters {
        checkOr(filter, &found)
        checkMutable(filter, &found)
        for bound in bounds(of: filter) { checkDate(bound, &found) }
      }
      checkEmpty(rule, &found)
    }
  }

  /// One value of a condition and what it does.
  private struct Bound {
    enum Side { case lower, upper, other }
    let side: Side
    let place: Cursor
    let text: String
    let column: String
    var value: FilterValue { FilterValue(text) }
  }

  private static func bounds(of filter: FilterView) -> [Bound] {
    filter.conditions.flatMap { condition -> [Bound] in
      let column = filter.column?.text ?? "?"
      let filterOperator = condition["filter-operator"]?.text.flatMap(FilterOperator.init)
      return ["value", "start-value", "end-value"].compactMap { key -> Bound? in
        guard let place = condition[key], let text = place.text else { return nil }
        let side: Bound.Side =
          switch (filterOperator, key) {
          case (.atLeast, "value"), (.between, "start-value"): .lower
          case (.atMost, "value"), (.smallerOrEqual, "value"), (.between, "end-value"): .upper
          default: .other
          }
        return Bound(side: side, place: place, text: text, column: column)
      }
    }
  }

  /// `>= start OR <= end` is true for every value when start is not after end.
  private static func checkOr(_ filter: FilterView, _ found: inout FindingList) {
    guard filter.conditions.count > 1, let place = filter.cursor["filter-conditions"] else { return }
    var lower: [Bound] = []
    var upper: [Bound] = []
    for condition in filter.conditions {
      guard let filterOperator = condition["filter-operator"]?.text.flatMap(FilterOperator.init),
        let value = condition["value"], let text = value.text
      else { continue }
      let column = filter.column?.text ?? "?"
      switch filterOperator {
      case .atLeast: lower.append(Bound(side: .lower, place: value, text: text, column: column))
      case .atMost, .smallerOrEqual: upper.append(Bound(side: .upper, place: value, text: text, column: column))
      default: break
      }
    }
    for start in lower {
      for end in upper where start.value.isAtMost(end.value) != false {
        found.add(
          .windowJoinedByOr,
          at: place,
          "DMS joins the conditions of a filter by OR: \(start.column) >= \(start.text) OR \(start.column) <= \(end.text) is true "
            + "for every row that has a value, so the whole table is loaded",
          advice:
            "write one condition {\"filter-operator\": \"between\", \"start-value\": \"\(start.text)\", \"end-value\": "
            + "\"\(end.text)\"}, or two filters with one condition each"
        )
        return
      }
    }
  }

  private static func checkMutable(_ filter: FilterView, _ found: inout FindingList) {
    guard let place = filter.column, let column = place.text else { return }
    guard signsOfChange.contains(where: { column.uppercased().contains($0) }) else { return }
    found.add(
      .mutableFilterColumn,
      at: place,
      "\(column) changes when a row does: a row changed again after the window's end has left the window and is not loaded; "
        + "AWS advises filtering on columns that never change",
      advice: "keep it only if CDC brings the later changes, or filter on the creation time or a key"
    )
  }

  private static func checkDate(_ bound: Bound, _ found: inout FindingList) {
    if let fault = FilterValue.faultOfDate(bound.text) {
      found.add(
        .badDate,
        at: bound.place,
        "\"\(bound.text)\" is not in a date format that DMS documents: \(fault)",
        advice: "write YYYY-MM-DD HH:MM:SS as the source's clock shows it, for example \"2025-01-31 18:00:00\""
      )
      return
    }
    guard bound.side == .upper, case .time(let end) = bound.value else { return }
    if end.separator.isEmpty {
      found.add(
        .windowEndsEarly,
        at: bound.place,
        "\"\(bound.text)\" means 00:00:00 on that day, so the rest of the day is not loaded",
        advice: "add the time, a little later than needed: the merge cuts exactly"
      )
    } else if end.second == 59 {
      found.add(
        .windowEndsEarly,
        at: bound.place,
        "a TIMESTAMP between \(bound.text) and the next second is not loaded; only DATE columns hold whole seconds",
        advice: "end at the next whole second, a little later than needed: the merge cuts exactly"
      )
    }
  }

  private static func checkEmpty(_ rule: RuleView, _ found: inout FindingList) {
    var startOfColumn: [String: Bound] = [:]
    var endOfColumn: [String: Bound] = [:]
    for filter in rule.filters where filter.conditions.count == 1 {
      for bound in bounds(of: filter) {
        if bound.side == .lower { startOfColumn[bound.column] = bound }
        if bound.side == .upper { endOfColumn[bound.column] = bound }
      }
    }
    for (column, start) in startOfColumn {
      guard let end = endOfColumn[column], start.value.isAtMost(end.value) == false else { continue }
      found.add(
        .emptyWindow,
        at: end.place,
        "the window on \(column) ends at \(end.text), before it starts at \(start.text), so no row is loaded",
        advice: "swap the two values"
      )
    }
  }
}
