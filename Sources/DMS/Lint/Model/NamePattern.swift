/// A name in a rule, with DMS's wildcards: `%` any characters, `_` one, `[ab]` and `[a-d]` one of these.
struct NamePattern {
  private enum Token {
    case anyCharacters
    case oneCharacter
    case oneOf(Set<Character>)

    func meets(_ other: Token) -> Bool {
      switch (self, other) {
      case (.oneOf(let first), .oneOf(let second)): !first.isDisjoint(with: second)
      default: true
      }
    }

    var isAnyCharacters: Bool {
      if case .anyCharacters = self { true } else { false }
    }
  }

  let text: String
  private let tokens: [Token]

  init(_ text: String) {
    self.text = text
    var tokens: [Token] = []
    var rest = Substring(text)
    while let character = rest.popFirst() {
      switch character {
      case "%": tokens.append(.anyCharacters)
      case "_": tokens.append(.oneCharacter)
      case "[":
        guard let end = rest.firstIndex(of: "]") else {
          tokens.append(.oneOf(["["]))
          continue
        }
        tokens.append(.oneOf(Self.set(rest[..<end])))
        rest = rest[rest.index(after: end)...]
      default: tokens.append(.oneOf([character]))
      }
    }
    self.tokens = tokens
  }

  /// A name that stands for itself, wildcards or not.
  init(literal name: String) {
    text = name
    tokens = name.map { .oneOf([$0]) }
  }

  /// Whether the name has wildcards that nobody writes by accident: `%` or `[…]`.
  var hasWildcards: Bool { text.contains("%") || text.contains("[") }

  /// Whether the name, `_` taken as itself, is this one name.
  var isOneName: Bool { !hasWildcards }

  /// Whether `_` stands outside of brackets.
  var hasBareUnderscore: Bool {
    tokens.contains {
      if case .oneCharacter = $0 { true } else { false }
    }
  }

  /// The pattern with every bare `_` as a literal one.
  var withLiteralUnderscores: String {
    var literal = ""
    var isBracketed = false
    for character in text {
      if character == "[" { isBracketed = true }
      if character == "]" { isBracketed = false }
      literal += character == "_" && !isBracketed ? "[_]" : String(character)
    }
    return literal
  }

  func matches(_ name: String) -> Bool { overlaps(NamePattern(literal: name)) }

  /// Whether there is a name that both patterns match.
  func overlaps(_ other: NamePattern) -> Bool {
    // reachable[j]: the first i tokens here and the first j there can match one common text.
    let width = other.tokens.count
    var reachable = [Bool](repeating: false, count: width + 1)
    reachable[0] = true
    for j in 0..<width { reachable[j + 1] = reachable[j] && other.tokens[j].isAnyCharacters }
    for token in tokens {
      var next = [Bool](repeating: false, count: width + 1)
      next[0] = reachable[0] && token.isAnyCharacters
      for j in 0..<width {
        let there = other.tokens[j]
        if token.isAnyCharacters || there.isAnyCharacters {
          // '%' stands for nothing, or takes in the other side's token.
          next[j + 1] = reachable[j + 1] || next[j]
        } else {
          next[j + 1] = reachable[j] && token.meets(there)
        }
      }
      reachable = next
    }
    return reachable[width]
  }

  private static func set(_ text: Substring) -> Set<Character> {
    var set: Set<Character> = []
    let characters = Array(text)
    var index = 0
    while index < characters.count {
      if index + 2 < characters.count, characters[index + 1] == "-",
        let first = characters[index].unicodeScalars.first, let last = characters[index + 2].unicodeScalars.first,
        first.value <= last.value, last.value - first.value < 0x100
      {
        for value in first.value...last.value { Unicode.Scalar(value).map { _ = set.insert(Character($0)) } }
        index += 3
      } else {
        set.insert(characters[index])
        index += 1
      }
    }
    return set
  }
}
