/// Makes text printable that somebody else wrote, the way psql shows it: `\x1B` for an escape, `\u202E` for what turns the
/// reading direction round. For terminals and for pages, on both of which a name could pass for another one.
package enum Printable {
  /// The text on one line, without a character that does anything but stand there.
  package static func text(_ text: String) -> String { shown(text, keeping: []) }

  /// A document whose line breaks and tabs are its own.
  package static func document(_ text: String) -> String { shown(text, keeping: ["\n", "\t"]) }

  private static func shown(_ text: String, keeping kept: Set<Unicode.Scalar>) -> String {
    guard text.unicodeScalars.contains(where: { !stands($0) && !kept.contains($0) }) else { return text }
    return text.unicodeScalars.reduce(into: "") { result, scalar in
      switch scalar {
      case _ where stands(scalar) || kept.contains(scalar): result.unicodeScalars.append(scalar)
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case _ where scalar.value < 0x80: result += "\\x" + hexadecimal(scalar.value, digits: 2)
      default: result += "\\u" + hexadecimal(scalar.value, digits: 4)
      }
    }
  }

  /// A JSON text of the same value: what does more than stand there can only be within a string, where it has an escape.
  package static func json(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: { !stands($0) && $0 != "\n" }) else { return text }
    return text.unicodeScalars.reduce(into: "") { result, scalar in
      if stands(scalar) || scalar == "\n" { return result.unicodeScalars.append(scalar) }
      for unit in String(scalar).utf16 { result += "\\u" + hexadecimal(UInt32(unit), digits: 4) }
    }
  }

  /// Whether a scalar is one that is seen, or belongs to one: no control character, no line separator, and of the format
  /// characters only the two joiners, which Persian and emoji need.
  private static func stands(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator: false
    case .format: scalar == "\u{200C}" || scalar == "\u{200D}"
    default: true
    }
  }

  private static func hexadecimal(_ value: UInt32, digits: Int) -> String {
    let text = String(value, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(digits - text.count, 0)) + text
  }
}
