/// What schemas, tables and columns are called on the target, after a document's transformations.
///
/// Of the rules that meet an object, the one with the lowest number acts, as DMS does it; rules whose action DMS does not
/// have do nothing.
struct TargetNames {
  private let rules: [RuleView]

  init(_ document: MappingView) { rules = document.transformations }

  func schema(_ name: String) -> String {
    renamed(name, by: .schema) { $0.locates(schema: name) }
  }

  func table(_ schema: String, _ name: String) -> String {
    renamed(name, by: .table) { $0.locates(schema: schema, table: name) }
  }

  func column(_ schema: String, _ table: String, name: String) -> String {
    renamed(name, by: .column) { $0.locates(schema: schema, table: table, column: name) }
  }

  private func renamed(_ name: String, by target: TransformationRule.Target, where meets: (RuleView) -> Bool) -> String
  {
    let acting = rules.first {
      $0.knownTarget == target && $0.knownAction != nil && $0.knownAction != .addColumn
        && $0.knownAction != .definePrimaryKey && meets($0)
    }
    guard let acting, let action = acting.knownAction else { return name }
    let value = acting.cursor["value"]?.text ?? ""
    let old = acting.cursor["old-value"]?.text ?? ""
    switch action {
    case .rename: return value.isEmpty ? name : value
    case .convertLowercase: return name.lowercased()
    case .convertUppercase: return name.uppercased()
    case .addPrefix: return value + name
    case .addSuffix: return name + value
    case .removePrefix: return name.hasPrefix(value) ? String(name.dropFirst(value.count)) : name
    case .removeSuffix: return name.hasSuffix(value) ? String(name.dropLast(value.count)) : name
    case .replacePrefix: return name.hasPrefix(old) ? value + name.dropFirst(old.count) : name
    case .replaceSuffix: return name.hasSuffix(old) ? name.dropLast(old.count) + value : name
    default: return name
    }
  }
}
