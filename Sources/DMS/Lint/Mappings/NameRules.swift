/// Names as the source spells them: case, length, and `_` where it is a wildcard.
enum NameRules {
  static func check(_ document: MappingView, _ schema: KnownSchema?, into found: inout FindingList) {
    let mentioned = namesMentioned(in: document, schema)
    for rule in document.rules where rule.kind != nil {
      var names = [rule.schema, rule.table, rule.column].compactMap { $0 }
      names += rule.filters.compactMap(\.column)
      for name in names {
        guard let text = name.text else { continue }
        checkCase(text, at: name, &found)
        checkLength(text, at: name, &found)
      }
      rule.table.map { checkUnderscore($0, among: mentioned.tables, &found) }
      rule.column.map { checkUnderscore($0, among: mentioned.columns, &found) }
      rule.schema.map { checkUnderscore($0, among: mentioned.schemas, &found) }
    }
  }

  private static func checkCase(_ text: String, at place: Cursor, _ found: inout FindingList) {
    guard text.contains(where: \.isLowercase) else { return }
    let isMixed = text.contains(where: \.isUppercase)
    found.add(
      isMixed ? .nameInMixedCase : .nameNotUpperCase,
      at: place,
      "names are case-sensitive, and Oracle keeps its names in upper case: \"\(text)\" matches nothing"
        + (isMixed ? ", unless the name was created in double quotes, exactly like this" : ""),
      advice: "write \"\(text.uppercased())\""
    )
  }

  private static func checkLength(_ text: String, at place: Cursor, _ found: inout FindingList) {
    guard !NamePattern(text).hasWildcards, text.utf8.count > 30 else { return }
    found.add(
      .nameTooLong,
      at: place,
      "\"\(text)\" is \(text.utf8.count) bytes long, and AWS does not support Oracle names longer than 30 bytes",
      advice: "try the table alone first, or load it from a view with a shorter name"
    )
  }

  /// `_` beside `%` is meant as itself and read as any character; `_` alone matters only if it meets another name.
  private static func checkUnderscore(_ place: Cursor, among names: Set<String>, _ found: inout FindingList) {
    guard let text = place.text else { return }
    let pattern = NamePattern(text)
    guard pattern.hasBareUnderscore else { return }
    let others = names.filter { $0 != text && pattern.isOneName && NamePattern($0).isOneName && pattern.matches($0) }
    guard pattern.hasWildcards || !others.isEmpty else { return }
    let example = others.sorted().first.map { "\"\($0)\", which is here too" } ?? examples(of: text)
    found.add(
      .underscoreIsWildcard,
      at: place,
      "'_' stands for any single character, so \"\(text)\" also matches \(example)",
      advice: "write \"\(pattern.withLiteralUnderscores)\""
    )
  }

  /// Names that the pattern meets although they have another letter where it has `_`.
  private static func examples(of text: String) -> String {
    let filled = text.replacing("%", with: "")
    return "names such as \"\(filled.replacing("_", with: "T"))\" and \"\(filled.replacing("_", with: "X"))\""
  }

  private struct Names {
    var schemas: Set<String> = []
    var tables: Set<String> = []
    var columns: Set<String> = []
  }

  private static func namesMentioned(in document: MappingView, _ schema: KnownSchema?) -> Names {
    var names = Names()
    for rule in document.rules {
      rule.schema?.text.map { _ = names.schemas.insert($0) }
      rule.table?.text.map { _ = names.tables.insert($0) }
      rule.column?.text.map { _ = names.columns.insert($0) }
      for filter in rule.filters { filter.column?.text.map { _ = names.columns.insert($0) } }
    }
    for table in schema?.tables ?? [] {
      names.tables.insert(table.name.uppercased())
      for column in table.columns { names.columns.insert(column.name.uppercased()) }
    }
    return names
  }
}
