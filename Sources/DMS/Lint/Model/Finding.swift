/// One thing that the lint has to say about a document.
public struct Finding: Codable, Hashable, Sendable {
  /// Which rule; stable.
  public let code: LintCode
  /// How bad.
  public let grade: Grade
  /// Where, as a JSON path: `$.rules[2].rule-action`.
  public let path: String
  /// Line in the file, from 1.
  public let line: Int
  /// Column in the file, from 1, in Unicode scalars.
  public let column: Int
  /// What is wrong, and why.
  public let message: String
  /// What to write instead.
  public let advice: String
}

extension Finding: CustomStringConvertible {
  /// `3:7: error: message; advice [code] at path`.
  public var description: String {
    "\(line):\(column): \(grade.rawValue): \(message); \(advice) [\(code.rawValue)] at \(path)"
  }
}
