/// One rule of a mapping document as the lint sees it.
struct RuleView {
  let cursor: Cursor

  init(_ cursor: Cursor) { self.cursor = cursor }

  var kind: RuleKind? { cursor["rule-type"]?.text.flatMap(RuleKind.init) }
  var id: Cursor? { cursor["rule-id"] }
  var number: Int? { id?.text.flatMap { Int($0) } }
  var name: Cursor? { cursor["rule-name"] }
  var action: Cursor? { cursor["rule-action"] }
  var target: Cursor? { cursor["rule-target"] }
  var locator: Cursor? { cursor["object-locator"] }
  var schema: Cursor? { locator?["schema-name"] }
  var table: Cursor? { locator?["table-name"] }
  var column: Cursor? { locator?["column-name"] }
  var filters: [FilterView] { (cursor["filters"]?.elements ?? []).map(FilterView.init) }

  /// The action, if DMS has it.
  var knownAction: TransformationRule.Action? { action?.text.flatMap(TransformationRule.Action.init) }

  /// What the rule speaks of, if DMS knows such a thing.
  var knownTarget: TransformationRule.Target? { target?.text.flatMap(TransformationRule.Target.init) }

  /// `rule 3` or, without an id, its path.
  var label: String { id?.text.map { "rule \($0)" } ?? cursor.path }

  /// The table for a message.
  var tableLabel: String { table?.text ?? "?" }

  func locates(schema name: String) -> Bool { Self.matches(schema, name) }

  func locates(schema: String, table name: String) -> Bool { locates(schema: schema) && Self.matches(table, name) }

  func locates(schema: String, table: String, column name: String) -> Bool {
    locates(schema: schema, table: table) && Self.matches(column, name)
  }

  /// A part that is left out means every object.
  private static func matches(_ part: Cursor?, _ name: String) -> Bool {
    guard let pattern = part?.text else { return true }
    return pattern == name || NamePattern(pattern).matches(name)
  }
}

/// One filter of a selection rule.
struct FilterView {
  let cursor: Cursor

  init(_ cursor: Cursor) { self.cursor = cursor }

  var column: Cursor? { cursor["column-name"] }
  var conditions: [Cursor] { cursor["filter-conditions"]?.elements ?? [] }
}
