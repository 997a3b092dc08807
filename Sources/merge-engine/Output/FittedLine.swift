/// A line of pieces that leaves away what matters least until it fits.
struct FittedLine {
  private var pieces: [(text: TerminalText, importance: Int)] = []

  /// Adds a piece; those of the lowest importance go first, the last of them before the others.
  mutating func add(_ text: TerminalText, importance: Int) {
    pieces.append((text, importance))
  }

  /// The pieces with commas between them, in so many columns if there is a limit.
  func rendered(to limit: Int?) -> TerminalText {
    var left = pieces
    var line = left.map(\.text).joined(", ")
    while let limit, line.width > limit, left.count > 1,
      let least = left.indices.reversed().min(by: { left[$0].importance < left[$1].importance })
    {
      left.remove(at: least)
      line = left.map(\.text).joined(", ")
    }
    return line.fitted(to: limit)
  }
}
