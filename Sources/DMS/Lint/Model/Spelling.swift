/// Finds what somebody probably meant.
enum Spelling {
  /// The candidate that differs from the word only in case, in `-` and `_`, or in at most two letters.
  static func closest(to word: String, in candidates: some Sequence<String>) -> String? {
    let bare = bareForm(word)
    var best: (candidate: String, distance: Int)?
    for candidate in candidates {
      let distance = distance(bare, bareForm(candidate), limit: bare.count < 6 ? 1 : 2)
      if let distance, distance < (best?.distance ?? .max) { best = (candidate, distance) }
    }
    return best?.candidate
  }

  /// A list for a message: `a, b or c`.
  static func list(_ words: some Sequence<String>) -> String {
    let words = Array(words)
    guard let last = words.last, words.count > 1 else { return words.first ?? "" }
    return words.dropLast().joined(separator: ", ") + " or " + last
  }

  private static func bareForm(_ word: String) -> [Character] {
    word.lowercased().filter { $0 != "-" && $0 != "_" && $0 != " " }.map { $0 }
  }

  /// Insertions, deletions and replacements between two words, or `nil` if there are more than `limit`.
  private static func distance(_ first: [Character], _ second: [Character], limit: Int) -> Int? {
    guard abs(first.count - second.count) <= limit else { return nil }
    var row = Array(0...second.count)
    for (index, character) in first.enumerated() {
      var diagonal = row[0]
      row[0] = index + 1
      for (other, otherCharacter) in second.enumerated() {
        let above = row[other + 1]
        row[other + 1] = min(above + 1, row[other] + 1, diagonal + (character == otherCharacter ? 0 : 1))
        diagonal = above
      }
    }
    return row[second.count] <= limit ? row[second.count] : nil
  }
}
