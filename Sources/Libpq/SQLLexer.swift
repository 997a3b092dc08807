/// Cuts SQL into tokens.
///
/// With `standard_conforming_strings` on, as the engine's sessions have it.
struct SQLLexer {
  private let bytes: [UInt8]
  /// Where foreign pieces lie, ascending.
  private var foreign: ArraySlice<Range<Int>>
  private var position = 0

  static func tokens(of sql: SQL) -> [SQLToken] {
    var lexer = SQLLexer(sql)
    var tokens: [SQLToken] = []
    repeat { tokens.append(lexer.next()) } while tokens.last?.kind != .end
    return tokens
  }

  private init(_ sql: SQL) {
    var bytes: [UInt8] = []
    var foreign: [Range<Int>] = []
    for piece in sql.pieces {
      let start = bytes.count
      bytes += piece.text.utf8
      if case .foreign = piece, bytes.count > start { foreign.append(start..<bytes.count) }
    }
    self.bytes = bytes
    self.foreign = foreign[...]
  }

  private func byte(_ offset: Int = 0) -> UInt8 {
    position + offset < bytes.count ? bytes[position + offset] : 0
  }

  /// Where the fixed text from here on ends, and a foreign piece begins.
  private var fixedEnd: Int { foreign.first?.lowerBound ?? bytes.count }

  private func text(from start: Int) -> String { String(decoding: bytes[start..<position], as: UTF8.self) }

  private mutating func next() -> SQLToken {
    let start = position
    skipSpace()
    let space = text(from: start)
    let first = position
    let kind = skipToken()
    return SQLToken(kind, text(from: first), space: space)
  }

  private mutating func skipSpace() {
    while position < fixedEnd {
      if byte() == UInt8(ascii: " ") || (9...13).contains(byte()) {
        position += 1
      } else if byte() == UInt8(ascii: "-"), byte(1) == UInt8(ascii: "-") {
        while position < bytes.count, byte() != UInt8(ascii: "\n") { position += 1 }
      } else if byte() == UInt8(ascii: "/"), byte(1) == UInt8(ascii: "*") {
        skipComment()
      } else {
        break
      }
      // What stands within a comment is no token.
      while let piece = foreign.first, piece.lowerBound < position { foreign.removeFirst() }
    }
  }

  private mutating func skipComment() {
    var depth = 0
    repeat {
      if byte() == UInt8(ascii: "/"), byte(1) == UInt8(ascii: "*") {
        depth += 1
        position += 2
      } else if byte() == UInt8(ascii: "*"), byte(1) == UInt8(ascii: "/") {
        depth -= 1
        position += 2
      } else {
        position += 1
      }
    } while depth > 0 && position < bytes.count
  }

  private mutating func skipToken() -> SQLToken.Kind {
    guard position < bytes.count else { return .end }
    if let piece = foreign.first, piece.lowerBound == position {
      position = piece.upperBound
      foreign.removeFirst()
      return .foreign
    }
    let first = byte()
    switch first {
    case UInt8(ascii: "'"): return skipQuoted(first, escapes: false, .constant)
    case UInt8(ascii: "\""): return skipQuoted(first, escapes: false, .quotedName)
    case UInt8(ascii: "$"): return skipDollar()
    case UInt8(ascii: "0")...UInt8(ascii: "9"): return skipNumber()
    case _ where Self.isLetter(first): return skipWord()
    case _ where Self.isOfSymbols(first): return skipSymbol()
    default: break
    }
    position += 1
    switch first {
    case UInt8(ascii: "("), UInt8(ascii: "["): return .open
    case UInt8(ascii: ")"), UInt8(ascii: "]"): return .close
    case UInt8(ascii: ","): return .comma
    case UInt8(ascii: ";"): return .semicolon
    case UInt8(ascii: "."): return .dot
    case UInt8(ascii: ":"):
      let isCast = byte() == first
      if isCast || byte() == UInt8(ascii: "=") { position += 1 }
      return isCast ? .cast : .other
    default: return .other
    }
  }

  /// Foreign pieces within quotes are part of what is quoted.
  private mutating func skipQuoted(_ quote: UInt8, escapes: Bool, _ kind: SQLToken.Kind) -> SQLToken.Kind {
    position += 1
    while position < bytes.count {
      if escapes, byte() == UInt8(ascii: "\\") {
        position += 2
      } else if byte() != quote {
        position += 1
      } else if byte(1) == quote {
        position += 2
      } else {
        position += 1
        break
      }
    }
    position = min(position, bytes.count)
    while let piece = foreign.first, piece.lowerBound < position { foreign.removeFirst() }
    return kind
  }

  /// A parameter, or a string between `$tag$` and `$tag$`.
  private mutating func skipDollar() -> SQLToken.Kind {
    let start = position
    position += 1
    while Self.isLetter(byte()) || Self.isDigit(byte()) { position += 1 }
    guard byte() == UInt8(ascii: "$") else { return .constant }
    position += 1
    let delimiter = bytes[start..<position]
    while position < bytes.count, !bytes[position...].starts(with: delimiter) { position += 1 }
    position = min(position + delimiter.count, bytes.count)
    while let piece = foreign.first, piece.lowerBound < position { foreign.removeFirst() }
    return .constant
  }

  private mutating func skipNumber() -> SQLToken.Kind {
    let end = fixedEnd
    func isPart(_ byte: UInt8) -> Bool { Self.isDigit(byte) || byte == UInt8(ascii: ".") || Self.isLetter(byte) }
    while position < end {
      let isExponentSign = "+-".utf8.contains(byte()) && bytes[position - 1] | 0x20 == UInt8(ascii: "e")
      guard isPart(byte()) || isExponentSign else { break }
      position += 1
    }
    return .constant
  }

  /// A word, or a string that begins with one, as `E'…'`.
  private mutating func skipWord() -> SQLToken.Kind {
    let start = position
    let end = fixedEnd
    func isPart(_ byte: UInt8) -> Bool { Self.isLetter(byte) || Self.isDigit(byte) || byte == UInt8(ascii: "$") }
    while position < end, isPart(byte()) { position += 1 }
    guard position < end, byte() == UInt8(ascii: "'"), position == start + 1 else { return .word }
    let prefix = bytes[start] | 0x20
    guard "ebxn".utf8.contains(prefix) else { return .word }
    return skipQuoted(byte(), escapes: prefix == UInt8(ascii: "e"), .constant)
  }

  /// The longest run of operator characters, as far as the server takes it for one operator.
  private mutating func skipSymbol() -> SQLToken.Kind {
    let start = position
    let end = fixedEnd
    while position < end, Self.isOfSymbols(byte()) {
      let beginsComment =
        byte() == UInt8(ascii: "-") && byte(1) == byte()
        || byte() == UInt8(ascii: "/") && byte(1) == UInt8(ascii: "*")
      if beginsComment, position > start { break }
      position += 1
    }
    // `=-1` is an equals sign and a number, `@-` is one operator.
    while position > start + 1, "+-".utf8.contains(bytes[position - 1]),
      !bytes[start..<position].contains(where: "~!@#%^&|`?".utf8.contains)
    {
      position -= 1
    }
    return .symbol
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || byte == UInt8(ascii: "_") || byte >= 0x80
  }

  private static func isOfSymbols(_ byte: UInt8) -> Bool { "+-*/<>=~!@#%^&|`?".utf8.contains(byte) }
}
