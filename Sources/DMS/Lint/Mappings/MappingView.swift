/// A mapping document as the lint sees it: whatever is missing or of the wrong kind is simply `nil`.
struct MappingView {
  let root: Cursor
  let rules: [RuleView]

  init(_ root: Cursor) {
    self.root = root
    rules = (root["rules"]?.elements ?? []).map(RuleView.init)
  }

  /// Rules that say which tables are loaded.
  var selections: [RuleView] { rules.filter { $0.kind == .selection } }

  /// Selections that load something.
  var includes: [RuleView] {
    selections.filter { $0.action?.text == "include" || $0.action?.text == "explicit" }
  }

  /// Rules about names and columns, in the order in which DMS tries them: by number.
  var transformations: [RuleView] {
    rules.filter { $0.kind == .transformation }.enumerated()
      .sorted { ($0.element.number ?? .max, $0.offset) < ($1.element.number ?? .max, $1.offset) }
      .map(\.element)
  }

  /// Rules about how a table is loaded.
  var tableSettings: [RuleView] { rules.filter { $0.kind == .tableSettings } }

  /// The place to speak of the document as a whole.
  var place: Cursor { root["rules"] ?? root }
}
