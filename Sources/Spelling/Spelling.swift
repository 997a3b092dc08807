/// Finds what somebody probably meant: the one place that decides which of the names that exist is near to one that
/// does not.
package enum Spelling {
  /// The candidate that differs from the word only in case, in `-` and `_`, or in at most two letters; case first.
  ///
  /// Two letters that have changed places count as one.
  package static func closest(to word: String, in candidates: some Sequence<String>) -> String? {
    let bare = bareForm(word)
    var best: (candidate: String, distance: Int)?
    for candidate in candidates {
      if isSame(word, candidate) { return candidate }
      let distance = distance(bare, bareForm(candidate), limit: bare.count < 6 ? 1 : 2)
      if let distance, distance < (best?.distance ?? .max) { best = (candidate, distance) }
    }
    return best?.candidate
  }

  /// Whether two names are the same but for case, or for the way in which their accents are encoded.
  package static func isSame(_ left: String, _ right: String) -> Bool { left.lowercased() == right.lowercased() }

  /// ` Did you mean orders?`, to stand behind a sentence; empty when nothing is near.
  package static func question(for word: String, in candidates: some Sequence<String>) -> String {
    closest(to: word, in: candidates).map { " Did you mean \($0)?" } ?? ""
  }

  /// `1 row`, `2 rows`, `1 query`, `2 queries`: the one place that makes a plural.
  ///
  /// - Parameters:
  ///   - number: the count as it is written, where not by its digits alone.
  ///   - plural: where an s is not enough.
  package static func counted(_ count: Int, _ singular: String, plural: String? = nil, number: String? = nil) -> String
  {
    "\(number ?? "\(count)") \(count == 1 ? singular : plural ?? singular + "s")"
  }

  /// A list for a message: `a, b or c`.
  package static func list(_ words: some Sequence<String>) -> String {
    let words = Array(words)
    guard let last = words.last, words.count > 1 else { return words.first ?? "" }
    return words.dropLast().joined(separator: ", ") + " or " + last
  }

  private static func bareForm(_ word: String) -> [Character] {
    word.lowercased().filter { $0 != "-" && $0 != "_" && $0 != " " }.map { $0 }
  }

  /// Insertions, deletions, replacements and changes of place between two words, or `nil` if there are more than `limit`.
  private static func distance(_ first: [Character], _ second: [Character], limit: Int) -> Int? {
    guard abs(first.count - second.count) <= limit else { return nil }
    var beforeLast: [Int] = []
    var last = Array(0...second.count)
    for row in first.indices {
      var current = [row + 1]
      for column in second.indices {
        let isEqual = first[row] == second[column]
        var least = min(last[column + 1] + 1, current[column] + 1, last[column] + (isEqual ? 0 : 1))
        if row > 0, column > 0, first[row] == second[column - 1], first[row - 1] == second[column] {
          least = min(least, beforeLast[column - 1] + 1)
        }
        current.append(least)
      }
      (beforeLast, last) = (last, current)
    }
    return last[second.count] <= limit ? last[second.count] : nil
  }
}
