/// A token of a statement, as PostgreSQL's lexer cuts it.
///
/// Source: <https://www.postgresql.org/docs/current/sql-syntax-lexical.html>
struct SQLToken {
  enum Kind {
    /// A keyword, or a name without quotes.
    case word
    case quotedName
    /// A string, a number, or a parameter.
    case constant
    /// A piece that is complete in itself: a quoted name, a constant, or SQL that the server wrote.
    case foreign
    case symbol
    /// `(` or `[`.
    case open
    /// `)` or `]`.
    case close
    case comma
    case semicolon
    case dot
    /// `::`
    case cast
    case other
    /// Behind the last one.
    case end
  }

  let kind: Kind
  /// As it stands, but for the case of words: what is compared is lower-case.
  let text: String
  /// Blanks and comments in front of it.
  let space: String
  /// What a word is compared as; empty for other tokens.
  let word: String

  init(_ kind: Kind, _ text: String, space: String) {
    self.kind = kind
    self.text = text
    self.space = space
    word = kind == .word ? text.lowercased() : ""
  }
}

/// What stands beside a token.
extension [SQLToken] {
  func isBehindDot(_ index: Int) -> Bool { index > 0 && self[index - 1].kind == .dot }

  func isBeforeDot(_ index: Int) -> Bool { index + 1 < count && self[index + 1].kind == .dot }

  /// Whether an operand may end with the token, so that an operator behind it is a binary one.
  func isEndOfOperand(_ index: Int) -> Bool {
    guard index >= 0 else { return false }
    switch self[index].kind {
    case .quotedName, .constant, .foreign, .close: return true
    case .word: return isBehindDot(index) || !(self[index].endsExpression || self[index].isPrefix)
    case .symbol, .open, .comma, .semicolon, .dot, .cast, .other, .end: return false
    }
  }

  /// Whether an operand may begin with the token.
  func isStartOfOperand(_ index: Int) -> Bool {
    switch self[index].kind {
    case .quotedName, .constant, .foreign, .open, .symbol: true
    case .word: !self[index].endsExpression
    case .close, .comma, .semicolon, .dot, .cast, .other, .end: false
    }
  }

  /// Whether the token is a column's name in a definition, as in `CREATE TABLE t (name text)`: a type follows.
  func isDefinedColumn(_ index: Int) -> Bool {
    guard index >= 0 else { return false }
    switch self[index].kind {
    case .quotedName, .foreign: return true
    case .word: return !["column", "table", "exists", "as", "set", "to"].contains(self[index].word)
    case .constant, .symbol, .open, .close, .comma, .semicolon, .dot, .cast, .other, .end: return false
    }
  }

  /// The bracket that closes the one at `open`.
  func closing(of open: Int) -> Int {
    var depth = 0
    for index in open..<count {
      if self[index].kind == .open { depth += 1 }
      if self[index].kind == .close { depth -= 1 }
      if depth == 0 { return index }
    }
    return count - 1
  }

  /// Whether there is a comma between the brackets, not counting those within further ones.
  func hasSeveralArguments(_ open: Int) -> Bool {
    var depth = 0
    for token in self[open...closing(of: open)] {
      if token.kind == .open { depth += 1 }
      if token.kind == .close { depth -= 1 }
      if token.kind == .comma, depth == 1 { return true }
    }
    return false
  }
}

extension SQLToken {
  /// No operand goes on over this word.
  var endsExpression: Bool { Self.endsOfExpressions.contains(word) }

  /// No operand ends with this word, though one may go on behind it.
  var isPrefix: Bool { Self.prefixes.contains(word) }

  private static let endsOfExpressions: Set = [
    "and", "as", "asc", "between", "by", "conflict", "cross", "desc", "distinct", "do", "else", "escape", "except",
    "fetch",
    "for", "from", "full", "group", "having", "inner", "intersect", "into", "is", "isnull", "join", "lateral", "limit",
    "natural", "not", "notnull", "nulls", "offset", "on", "or", "order", "partition", "returning", "select", "set",
    "similar", "then", "to", "union", "using", "values", "when", "where", "window", "with",
  ]

  private static let prefixes: Set = [
    "all", "any", "array", "case", "exists", "in", "like", "ilike", "operator", "some",
  ]
}
