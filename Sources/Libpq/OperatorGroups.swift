/// A binary operator of an expression; some stand over several tokens.
struct Operation {
  let tokens: ClosedRange<Int>
  /// How tightly it binds without a schema: higher is tighter.
  let precedence: Int

  /// <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-PRECEDENCE>
  static func precedence(of symbol: String) -> Int {
    switch symbol {
    case "=", "<", ">", "<=", ">=", "<>", "!=": 2
    case "+", "-": 5
    case "*", "/", "%": 6
    case "^": 7
    default: anyOther
    }
  }

  /// As tightly as IN and LIKE bind.
  static let match = 3
  /// As tightly as any other operator binds, and each with a schema.
  static let anyOther = 4
}

/// The parts of an expression to be put into parentheses, so that they belong together as before when all of its operators
/// bind alike and from the left.
struct OperatorGroups {
  /// From the first to the last token of each.
  private(set) var parts: [ClosedRange<Int>] = []
  private let operations: [Operation]
  private let end: Int
  private var next = 0

  /// - Parameter end: the first token behind the expression.
  init(_ operations: [Operation], end: Int) {
    self.operations = operations
    self.end = end
    group(precedence: 0)
  }

  /// Goes over operators that bind at least as tightly as `precedence`: what is on the right of one, and binds tighter, is a
  /// part of its own. On the left that comes by itself.
  private mutating func group(precedence: Int) {
    while next < operations.count, operations[next].precedence >= precedence {
      let operation = operations[next]
      next += 1
      let first = next
      group(precedence: operation.precedence + 1)
      guard next > first else { continue }
      let behind = next < operations.count ? operations[next].tokens.lowerBound : end
      parts.append((operation.tokens.upperBound + 1)...(behind - 1))
    }
  }
}
