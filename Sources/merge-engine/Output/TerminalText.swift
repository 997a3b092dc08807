import MergeEngine

/// Text on its way to a terminal, or into a pipe that may end at one.
///
/// What stands in this program's sources is written as it is. Whatever is interpolated, as names, values and messages of
/// servers, may hold anything, and is made printable: no escape sequence, no bell, no line break, nothing that turns the
/// reading direction round. The streams take nothing else, so that no place can forget it.
struct TerminalText: ExpressibleByStringInterpolation, Equatable, Sendable {
  /// As it is written, with the escape sequences of our own colours.
  private(set) var string: String

  init(stringLiteral value: String) { string = value }

  init(stringInterpolation: StringInterpolation) { string = stringInterpolation.string }

  private init(asItIs string: String) { self.string = string }

  /// Collects what a literal is made of.
  struct StringInterpolation: StringInterpolationProtocol {
    fileprivate var string = ""

    init(literalCapacity: Int, interpolationCount: Int) { string.reserveCapacity(literalCapacity) }

    mutating func appendLiteral(_ literal: String) { string += literal }

    mutating func appendInterpolation(_ text: TerminalText) { string += text.string }

    mutating func appendInterpolation(_ value: some CustomStringConvertible) {
      string += Printable.text(value.description)
    }

    /// A message of several lines: the second and those after it are indented, so that none passes for a line of ours.
    mutating func appendInterpolation(lines message: String) {
      let lines = message.split(separator: "\n", omittingEmptySubsequences: false).map { Printable.text(String($0)) }
      string += lines.joined(separator: "\n  ")
    }
  }

  /// A text in a colour (Select Graphic Rendition, ECMA-48).
  static func painted(_ text: TerminalText, _ code: Int) -> TerminalText {
    TerminalText(asItIs: "\u{1B}[\(code)m\(text.string)\u{1B}[0m")
  }

  static func + (left: TerminalText, right: TerminalText) -> TerminalText {
    TerminalText(asItIs: left.string + right.string)
  }

  static func += (left: inout TerminalText, right: TerminalText) { left.string += right.string }

  var isEmpty: Bool { string.isEmpty }

  /// The lines, without their ends.
  var lines: [TerminalText] {
    string.split(separator: "\n", omittingEmptySubsequences: false).map { TerminalText(asItIs: String($0)) }
  }

  /// How many columns of a terminal it takes.
  var width: Int {
    var width = 0
    forEachCharacter { _, cells in width += cells }
    return width
  }

  /// What of it fits into so many columns; cut off at an ellipsis if that is not all.
  func fitted(to limit: Int?) -> TerminalText {
    guard let limit, width > limit else { return self }
    var result = ""
    var width = 0
    forEachCharacter { character, cells in
      if character.hasPrefix("\u{1B}") {
        result += character
      } else if width + cells < limit {
        result += character
        width += cells
      } else if width < limit {
        result += "…"
        width = limit
      }
    }
    return TerminalText(asItIs: result)
  }

  /// The text in lines of so many columns, broken at spaces; a word that is longer is broken where the line ends. Indented as the
  /// text is.
  func wrapped(to limit: Int) -> [TerminalText] {
    guard width > limit, limit > 0 else { return [self] }
    let indent = String(string.prefix { $0 == " " })
    guard indent.isEmpty || indent.count >= limit else {
      return TerminalText(asItIs: String(string.dropFirst(indent.count))).wrapped(to: limit - indent.count)
        .map { TerminalText(asItIs: indent + $0.string) }
    }
    var lines: [String] = []
    var line = (text: "", width: 0)
    for word in string.split(separator: " ", omittingEmptySubsequences: false).map({ TerminalText(asItIs: String($0)) })
    {
      let isFirst = line.text.isEmpty
      if line.width + (isFirst ? 0 : 1) + word.width <= limit {
        line = (line.text + (isFirst ? "" : " ") + word.string, line.width + (isFirst ? 0 : 1) + word.width)
        continue
      }
      if !isFirst { lines.append(line.text) }
      line = ("", 0)
      word.forEachCharacter { character, cells in
        if line.width + cells > limit {
          lines.append(line.text)
          line = ("", 0)
        }
        line = (line.text + character, line.width + cells)
      }
    }
    return (lines + [line.text]).map(TerminalText.init(asItIs:))
  }

  /// Calls `body` with each character and the columns that it takes; escape sequences of colours come whole, with none.
  private func forEachCharacter(_ body: (String, Int) -> Void) {
    var rest = Substring(string)
    while let character = rest.first {
      // By scalars: a name may begin with an accent, which would join the m before it.
      if character == "\u{1B}", let end = rest.unicodeScalars.firstIndex(of: "m") {
        let next = rest.unicodeScalars.index(after: end)
        body(String(rest[..<next]), 0)
        rest = rest[next...]
      } else {
        body(String(character), CellWidth.of(character))
        rest.removeFirst()
      }
    }
  }
}

extension Sequence where Element == TerminalText {
  /// All of them, one behind the other.
  func joined(_ separator: TerminalText = "") -> TerminalText {
    reduce(nil as TerminalText?) { text, next in text.map { $0 + separator + next } ?? next } ?? ""
  }
}
