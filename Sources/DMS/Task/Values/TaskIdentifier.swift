/// The name of a replication task: 1 to 255 letters, digits and hyphens, a letter first, no hyphen last and no two in a row.
public struct TaskIdentifier: Hashable, Sendable, CustomStringConvertible {
  /// The name.
  public let description: String

  /// Checks a name.
  ///
  /// - Throws: ``DocumentError/badName(name:reason:)``.
  public init(_ text: String) throws(DocumentError) {
    let isAllowed = text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
    let reason: String? =
      if !(1...255).contains(text.count) {
        "it has \(text.count) characters, and 1 to 255 are allowed"
      } else if !isAllowed {
        "only ASCII letters, digits and hyphens are allowed"
      } else if text.first?.isLetter != true {
        "it must begin with a letter"
      } else if text.hasSuffix("-") || text.contains("--") {
        "it may not end in a hyphen or have two in a row"
      } else {
        nil
      }
    if let reason { throw .badName(name: text, reason: reason) }
    description = text
  }
}
