/// A strict JSON parser (RFC 8259) that keeps order and positions.
///
/// Foundation's parser keeps neither the order of members nor the place of a value, and its error says no column.
/// Documents are small (DMS refuses mappings over a few megabytes), so this one is written to be read, not to be fast.
public struct JSONParser {
  private let bytes: [UInt8]
  private var index = 0
  private var line = 1
  private var column = 1

  /// Values nested deeper than this are refused, so that a hostile file cannot exhaust the stack. Arbitrary; DMS's own
  /// documents are six deep.
  private static let deepest = 128

  private init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Parses a whole text.
  ///
  /// - Parameter bytes: UTF-8, without a byte order mark.
  /// - Throws: ``JSONSyntaxError`` at the first byte that does not belong there.
  public static func parse(_ bytes: [UInt8]) throws(JSONSyntaxError) -> JSONNode {
    var parser = JSONParser(bytes)
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
      throw parser.failure("the file starts with a byte order mark; save it as UTF-8 without one")
    }
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
      throw parser.failure("the file is UTF-16; save it as UTF-8")
    }
    parser.skipSpace()
    let node = try parser.value(depth: 0)
    parser.skipSpace()
    guard parser.current == nil else {
      throw parser.failure("expected the end of the file, found \(parser.currentInWords)")
    }
    return node
  }

  private var current: UInt8? { index < bytes.count ? bytes[index] : nil }

  private var position: TextPosition { TextPosition(line: line, column: column) }

  private func failure(_ message: String) -> JSONSyntaxError { JSONSyntaxError(message: message, position: position) }

  private var currentInWords: String {
    guard let byte = current else { return "the end of the file" }
    guard byte < 0x80 else { return "a character outside ASCII" }
    return byte < 0x20 ? "control character \(byte)" : "'\(Character(Unicode.Scalar(byte)))'"
  }

  private mutating func advance() {
    let byte = bytes[index]
    index += 1
    if byte == UInt8(ascii: "\n") {
      line += 1
      column = 1
    } else if byte & 0b1100_0000 != 0b1000_0000 {
      column += 1  // continuation bytes of a scalar don't count
    }
  }

  private mutating func skipSpace() {
    while let byte = current, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { advance() }
  }

  private mutating func value(depth: Int) throws(JSONSyntaxError) -> JSONNode {
    guard depth < Self.deepest else { throw failure("values are nested more than \(Self.deepest) deep") }
    let start = position
    switch current {
    case UInt8(ascii: "{"): return JSONNode(.object(try members(depth: depth)), position: start)
    case UInt8(ascii: "["): return JSONNode(.array(try elements(depth: depth)), position: start)
    case UInt8(ascii: "\""): return JSONNode(.string(try string()), position: start)
    case UInt8(ascii: "t"): return JSONNode(.bool(true), position: try word("true", from: start))
    case UInt8(ascii: "f"): return JSONNode(.bool(false), position: try word("false", from: start))
    case UInt8(ascii: "n"): return JSONNode(.null, position: try word("null", from: start))
    case .some(let byte) where byte == UInt8(ascii: "-") || isDigit(byte):
      return JSONNode(.number(try number()), position: start)
    default: throw failure("expected a JSON value, found \(currentInWords)")
    }
  }

  private mutating func members(depth: Int) throws(JSONSyntaxError) -> [JSONNode.Member] {
    var members: [JSONNode.Member] = []
    advance()
    skipSpace()
    if current == UInt8(ascii: "}") {
      advance()
      return members
    }
    while true {
      let start = position
      guard current == UInt8(ascii: "\"") else {
        throw failure("expected a name in double quotes, found \(currentInWords)")
      }
      let name = try string()
      skipSpace()
      guard current == UInt8(ascii: ":") else {
        throw failure("expected ':' after the name \"\(name)\", found \(currentInWords)")
      }
      advance()
      skipSpace()
      members.append(JSONNode.Member(name: name, position: start, node: try value(depth: depth + 1)))
      if try closes(with: UInt8(ascii: "}")) { return members }
    }
  }

  private mutating func elements(depth: Int) throws(JSONSyntaxError) -> [JSONNode] {
    var elements: [JSONNode] = []
    advance()
    skipSpace()
    if current == UInt8(ascii: "]") {
      advance()
      return elements
    }
    while true {
      elements.append(try value(depth: depth + 1))
      if try closes(with: UInt8(ascii: "]")) { return elements }
    }
  }

  /// After an element: `true` at the closing bracket, `false` after a comma.
  private mutating func closes(with bracket: UInt8) throws(JSONSyntaxError) -> Bool {
    skipSpace()
    switch current {
    case bracket:
      advance()
      return true
    case UInt8(ascii: ","):
      advance()
      skipSpace()
      guard current != bracket else { throw failure("there is one comma too many before \(currentInWords)") }
      return false
    default:
      throw failure("expected ',' or '\(Character(Unicode.Scalar(bracket)))', found \(currentInWords)")
    }
  }

  private mutating func word(_ word: String, from start: TextPosition) throws(JSONSyntaxError) -> TextPosition {
    for byte in word.utf8 {
      guard current == byte else { throw failure("expected \(word), found \(currentInWords)") }
      advance()
    }
    return start
  }

  private mutating func number() throws(JSONSyntaxError) -> String {
    let first = index
    if current == UInt8(ascii: "-") { advance() }
    if current == UInt8(ascii: "0") { advance() } else { try digits() }
    if current == UInt8(ascii: ".") {
      advance()
      try digits()
    }
    if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
      advance()
      if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { advance() }
      try digits()
    }
    return String(decoding: bytes[first..<index], as: UTF8.self)
  }

  private mutating func digits() throws(JSONSyntaxError) {
    guard let byte = current, isDigit(byte) else { throw failure("expected a digit, found \(currentInWords)") }
    while let byte = current, isDigit(byte) { advance() }
  }

  private func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

  private mutating func string() throws(JSONSyntaxError) -> String {
    let start = position
    advance()
    var text: [UInt8] = []
    while let byte = current {
      switch byte {
      case UInt8(ascii: "\""):
        advance()
        guard let string = String(validating: text, as: UTF8.self) else {
          throw JSONSyntaxError(message: "the string is not valid UTF-8", position: start)
        }
        return string
      case UInt8(ascii: "\\"): text.append(contentsOf: String(try escape()).utf8)
      case 0..<0x20: throw failure("a string may not hold \(currentInWords); is the closing quote missing?")
      default:
        text.append(byte)
        advance()
      }
    }
    throw JSONSyntaxError(message: "the string that starts here has no closing quote", position: start)
  }

  private mutating func escape() throws(JSONSyntaxError) -> Character {
    advance()
    let letter = current
    guard letter != nil else { throw failure("the file ends inside an escape sequence") }
    if letter == UInt8(ascii: "u") { return Character(try unicodeEscape()) }
    let plain: [UInt8: Character] = [
      UInt8(ascii: "\""): "\"", UInt8(ascii: "\\"): "\\", UInt8(ascii: "/"): "/", UInt8(ascii: "b"): "\u{8}",
      UInt8(ascii: "f"): "\u{C}", UInt8(ascii: "n"): "\n", UInt8(ascii: "r"): "\r", UInt8(ascii: "t"): "\t",
    ]
    guard let letter, let character = plain[letter] else {
      throw failure("'\\' can't be followed by \(currentInWords)")
    }
    advance()
    return character
  }

  /// The scalar of `\uXXXX` or of a surrogate pair; a lone surrogate is refused.
  private mutating func unicodeEscape() throws(JSONSyntaxError) -> Unicode.Scalar {
    let first = try fourHexDigits()
    if let scalar = Unicode.Scalar(first) { return scalar }
    guard first < 0xDC00, current == UInt8(ascii: "\\") else {
      throw failure("the escape sequence is half of a surrogate pair")
    }
    advance()
    guard current == UInt8(ascii: "u") else { throw failure("the escape sequence is half of a surrogate pair") }
    let second = try fourHexDigits()
    guard (0xDC00...0xDFFF).contains(second),
      let scalar = Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
    else { throw failure("the escape sequence is half of a surrogate pair") }
    return scalar
  }

  private mutating func fourHexDigits() throws(JSONSyntaxError) -> UInt32 {
    advance()
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw failure("expected four hexadecimal digits, found \(currentInWords)")
      }
      value = value << 4 | UInt32(digit)
      advance()
    }
    return value
  }
}
