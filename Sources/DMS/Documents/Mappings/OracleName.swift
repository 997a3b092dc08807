/// The spelling of a name in Oracle's dictionary, which is what DMS compares with.
public enum OracleName {
  /// `orders` and `Orders` are `ORDERS`; `"Orders"`, in double quotes, is `Orders`: Oracle's own rule.
  ///
  /// - Throws: ``DocumentError/badName(name:reason:)`` for an empty name and for characters that are wildcards in a rule.
  public static func inDictionary(_ text: String) throws(DocumentError) -> String {
    let isQuoted = text.count >= 2 && text.hasPrefix("\"") && text.hasSuffix("\"")
    let name = isQuoted ? String(text.dropFirst().dropLast()) : text.uppercased()
    guard !name.isEmpty else { throw .badName(name: text, reason: "it is empty") }
    guard !name.contains("%"), !name.contains("[") else {
      throw .badName(name: text, reason: "'%' and '[' are wildcards there, and a filtered table needs its exact name")
    }
    guard !name.contains("\"") else { throw .badName(name: text, reason: "it has a double quote within") }
    return name
  }
}
