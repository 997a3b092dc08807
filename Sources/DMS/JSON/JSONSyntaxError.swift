/// A text that is not JSON, and where it stops being JSON.
public struct JSONSyntaxError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What was expected and what stands there.
  public let message: String
  /// Where.
  public let position: TextPosition

  /// `line 3, column 7: expected ...`.
  public var description: String { "line \(position.line), column \(position.column): \(message)" }
}
