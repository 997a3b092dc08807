/// A place in a text, both numbers counted from 1, as editors show them.
///
/// The column counts Unicode scalars, not bytes.
public struct TextPosition: Hashable, Sendable, Codable {
  /// Line, from 1; 0 in values that were never text.
  public var line: Int
  /// Column in Unicode scalars, from 1; 0 in values that were never text.
  public var column: Int

  /// The position of a value that was made by the program, not read from a text.
  public static let none = TextPosition(line: 0, column: 0)

  /// Makes a position.
  public init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }
}
