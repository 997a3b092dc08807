/// Names the schema of whatever a statement's fixed text takes from pg_catalog: functions, operators, types and tables.
///
/// The session keeps the search_path that role and database have set, since triggers, checks and defaults rely on it. So
/// our own text must not: a `public.format(text, name, name)`, made by whoever may make functions there, is a better match
/// than pg_catalog's, and would run as the merging role.
///
/// An operator with a schema, `OPERATOR(pg_catalog.=)`, binds as tightly as any other one, tighter than a comparison and
/// looser than arithmetic, and from the left. Where that would change what belongs together, parentheses are set. `IN`,
/// `LIKE` and `ILIKE`, which look their operators up along the path too, become these.
///
/// Constants with a backslash become `E'…'`, which means the same in every session.
///
/// Of other statements only the types of columns are changed: what `SET`, `CREATE TABLE` and their like say holds no operators.
///
/// Source: <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-PRECEDENCE>
struct CatalogQualifier {
  /// What stands between two brackets, or between CASE and END.
  private struct Frame {
    var isCase = false
    /// The binary operators since the last word or comma that ends an expression.
    var operations: [Operation] = []
    /// Behind SET: an item's first equals sign assigns.
    var holdsAssignments = false
    var awaitsAssignment = false
    /// What the bracket that ends the frame becomes; nil for itself.
    var closing: String?
  }

  /// Whether a statement is a query, which its first words tell.
  private enum StatementKind { case unknown, query, other }

  private let tokens: [SQLToken]
  private var texts: [String]
  private var opened: [Int]
  private var closed: [Int]
  private var frames = [Frame()]
  private var kind = StatementKind.unknown

  /// The text of `sql` with the schemas in it.
  static func statement(_ sql: SQL) -> String {
    var qualifier = CatalogQualifier(SQLLexer.tokens(of: sql))
    qualifier.qualify()
    return qualifier.text
  }

  private init(_ tokens: [SQLToken]) {
    self.tokens = tokens
    texts = tokens.map(\.text)
    opened = Array(repeating: 0, count: tokens.count)
    closed = opened
  }

  private var text: String {
    tokens.indices.map { index in
      let token = tokens[index]
      // Written without a blank, an operator becomes a word that must not go on from the one before it.
      let needsBlank = token.kind == .symbol && token.space.isEmpty && texts[index] != token.text
      return (needsBlank ? " " : token.space) + String(repeating: "(", count: opened[index]) + texts[index]
        + String(repeating: ")", count: closed[index])
    }.joined()
  }

  private mutating func qualify() {
    var index = 0
    while index < tokens.count {
      switch kind {
      case .unknown, .other: look(at: index)
      case .query: index = visit(index)
      }
      index += 1
    }
  }

  // MARK: Statements

  private mutating func look(at index: Int) {
    let token = tokens[index]
    if token.kind == .semicolon {
      kind = .unknown
    } else if kind == .unknown, token.kind == .word {
      kind = Self.queries.contains(token.word) ? .query : .other
    } else if kind == .other, token.word == "as" {
      // CREATE TABLE … AS SELECT, CREATE VIEW … AS (SELECT
      let next = tokens[(index + 1)...].first { $0.kind != .open }
      if let next, Self.bodies.contains(next.word) { kind = .query }
    } else if kind == .other, CatalogNames.types.contains(token.word), tokens.isDefinedColumn(index - 1),
      !tokens.isBeforeDot(index)
    {
      addSchema(index)
    }
  }

  private static let bodies: Set = ["select", "with", "values"]
  private static let queries: Set = bodies.union(["insert", "update", "delete", "merge", "copy", "declare", "explain"])

  // MARK: Tokens

  /// - Returns: the last token that belongs to this one.
  private mutating func visit(_ index: Int) -> Int {
    let token = tokens[index]
    switch token.kind {
    case .word: return visitWord(index)
    case .symbol: visitSymbol(index)
    case .open: frames.append(Frame())
    case .close: closeFrame(index)
    case .comma:
      endExpression(index)
      frames[frames.count - 1].awaitsAssignment = frames[frames.count - 1].holdsAssignments
    case .semicolon, .end:
      endExpression(index)
      frames = [Frame()]
      kind = .unknown
    case .cast:
      visitCast(index)
    case .other: endExpression(index)
    case .constant: visitConstant(index)
    case .quotedName, .foreign, .dot: break
    }
    return index
  }

  /// What a backslash between plain quotes means depends on `standard_conforming_strings`, which is the session's.
  private mutating func visitConstant(_ index: Int) {
    let text = tokens[index].text
    guard text.first == "'", text.contains("\\") else { return }
    texts[index] = (tokens[index].space.isEmpty ? " E" : "E") + text.replacing("\\", with: "\\\\")
  }

  private mutating func visitCast(_ index: Int) {
    let type = tokens[index + 1].word
    guard CatalogNames.types.contains(type), !tokens.isBeforeDot(index + 1) else { return }
    addSchema(index + 1)
    // The name in 'pg_class'::regclass is looked for as well.
    guard ["regclass", "regtype"].contains(type), tokens[index - 1].kind == .constant else { return }
    let name = String(tokens[index - 1].text.dropFirst().dropLast())
    if CatalogNames.relations.contains(name) || CatalogNames.types.contains(name) {
      texts[index - 1] = "'pg_catalog.\(name)'"
    }
  }

  private mutating func visitWord(_ index: Int) -> Int {
    let word = tokens[index].word
    guard !tokens.isBehindDot(index) else { return index }
    switch word {
    case "case":
      frames.append(Frame(isCase: true))
    case "end":
      endExpression(index)
      if frames.count > 1, frames[frames.count - 1].isCase { frames.removeLast() }
    case "operator" where tokens[index + 1].kind == .open:
      let end = tokens.closing(of: index + 1)
      add(index...end, precedence: Operation.anyOther)
      return end
    case "not" where ["in", "like", "ilike"].contains(tokens[index + 1].word):
      return visitMatch(index + 1, isNegated: true)
    case "in", "like", "ilike":
      return visitMatch(index, isNegated: false)
    case "set":
      endExpression(index)
      frames[frames.count - 1].holdsAssignments = true
      frames[frames.count - 1].awaitsAssignment = true
    case "collate":
      if tokens[index + 1].kind == .quotedName, !tokens.isBeforeDot(index + 1) { addSchema(index + 1) }
    case "left", "right":
      // A function, too.
      if tokens[index + 1].kind == .word { endExpression(index) } else { visitName(index) }
    case "with" where tokens[index + 1].word == "time":
      break
    case _ where tokens[index].endsExpression:
      endExpression(index)
      if ["from", "where", "returning", "when"].contains(word) { frames[frames.count - 1].holdsAssignments = false }
    default:
      visitName(index)
    }
    return index
  }

  private mutating func visitName(_ index: Int) {
    let word = tokens[index].word
    let next = tokens[index + 1].kind
    if next == .open, tokens[index + 1].text == "(" {
      guard CatalogNames.functions.contains(word), !Self.aliasing.contains(tokens[max(index - 1, 0)].word) else {
        return
      }
      // With several arguments the grammar itself takes it for several calls of pg_catalog's, and only without the schema.
      guard word != "unnest" || !tokens.hasSeveralArguments(index + 1) else { return }
      addSchema(index)
    } else if !tokens.isBeforeDot(index), CatalogNames.relations.contains(word) {
      addSchema(index)
    }
  }

  /// Behind these a name with brackets is a table with its columns.
  private static let aliasing: Set = ["as", "into", "with", "recursive", "table"]

  private mutating func visitSymbol(_ index: Int) {
    let symbol = tokens[index].text
    if symbol == "=", frames[frames.count - 1].awaitsAssignment {
      frames[frames.count - 1].awaitsAssignment = false
      return endExpression(index)
    }
    // An argument's name.
    guard symbol != "=>" else { return endExpression(index) }
    // Without a left operand it is a sign, which binds tightest; or the star that stands for all columns.
    guard tokens.isEndOfOperand(index - 1), symbol != "*" || tokens.isStartOfOperand(index + 1) else { return }
    texts[index] = "OPERATOR(pg_catalog.\(symbol))"
    add(index...index, precedence: Operation.precedence(of: symbol))
  }

  // MARK: IN and LIKE

  private mutating func visitMatch(_ index: Int, isNegated: Bool) -> Int {
    let start = isNegated ? index - 1 : index
    switch tokens[index].word {
    case "like": texts[index] = "OPERATOR(pg_catalog.\(isNegated ? "!~~" : "~~"))"
    case "ilike": texts[index] = "OPERATOR(pg_catalog.\(isNegated ? "!~~*" : "~~*"))"
    default:
      guard tokens[index + 1].kind == .open else { return index }
      texts[index] = isNegated ? "OPERATOR(pg_catalog.<>) ALL" : "OPERATOR(pg_catalog.=) ANY"
    }
    if isNegated { texts[start] = "" }
    add(start...index, precedence: Operation.match)
    guard tokens[index].word == "in" else { return index }
    let first = tokens[(index + 2)...].first { $0.kind != .open }
    if let first, Self.bodies.contains(first.word) { return index }
    return visitList(index + 1)
  }

  /// The list behind IN: constants become one constant, so that the operator says their type, as in a list.
  ///
  /// - Returns: the last token that needs no visit any more.
  private mutating func visitList(_ open: Int) -> Int {
    let end = tokens.closing(of: open)
    let items = tokens[(open + 1)..<end]
    let isOfPlainStrings = items.allSatisfy { item in
      item.kind == .comma
        || item.kind == .constant && item.text.first == "'"
          && !item.text.dropFirst().dropLast().contains { "'\\\"".contains($0) }
    }
    guard isOfPlainStrings else {
      texts[open] = "(ARRAY["
      frames.append(Frame(closing: "])"))
      return open
    }
    let values = items.filter { $0.kind == .constant }.map { "\"" + $0.text.dropFirst().dropLast() + "\"" }
    texts[open] = "('{" + values.joined(separator: ",") + "}'"
    for index in items.indices { texts[index] = "" }
    return end
  }

  // MARK: Expressions

  private mutating func closeFrame(_ index: Int) {
    endExpression(index)
    while frames.count > 1, frames[frames.count - 1].isCase { frames.removeLast() }
    guard frames.count > 1 else { return }
    if let text = frames.removeLast().closing { texts[index] = text }
  }

  private mutating func add(_ tokens: ClosedRange<Int>, precedence: Int) {
    frames[frames.count - 1].operations.append(Operation(tokens: tokens, precedence: precedence))
  }

  /// Sets the parentheses of the expression that ends before `index`.
  private mutating func endExpression(_ index: Int) {
    let operations = frames[frames.count - 1].operations
    guard !operations.isEmpty else { return }
    frames[frames.count - 1].operations = []
    for part in OperatorGroups(operations, end: index).parts {
      opened[part.lowerBound] += 1
      closed[part.upperBound] += 1
    }
  }

  private mutating func addSchema(_ index: Int) { texts[index] = "pg_catalog." + texts[index] }
}
