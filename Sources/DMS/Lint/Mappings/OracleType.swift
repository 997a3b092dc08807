/// A column type as Oracle writes it, as far as precision traps depend on it.
struct OracleType {
  /// The name without its numbers, in upper case: `NUMBER`, `TIMESTAMP WITH TIME ZONE`, ...
  let name: String
  /// The numbers in parentheses.
  let numbers: [Int]

  init(_ text: String) {
    let upper = text.uppercased()
    guard let opening = upper.firstIndex(of: "("), let closing = upper[opening...].firstIndex(of: ")") else {
      name = Self.words(upper)
      numbers = []
      return
    }
    name = Self.words(String(upper[..<opening]) + " " + String(upper[upper.index(after: closing)...]))
    numbers = upper[upper.index(after: opening)..<closing].split { $0 == "," || $0 == " " }.compactMap { Int($0) }
  }

  /// Types that arrive as NULL whatever they hold.
  var isUnsupported: Bool { ["BFILE", "ROWID", "UROWID", "REF", "ANYDATA", "VARRAY"].contains(name) }

  private static func words(_ text: String) -> String {
    text.split(separator: " ").joined(separator: " ")
  }
}
