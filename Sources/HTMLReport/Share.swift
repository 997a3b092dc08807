import MergeEngine

/// How many rows met one verdict.
struct Share {
  /// A verdict as the page shows it.
  ///
  /// What was written is blue, what was left alone grey, what was refused orange; next to each other they differ in
  /// lightness too, so that they can be told apart without seeing colours.
  struct Kind {
    let name: String
    /// A class of the style sheet.
    let tone: String
    let meaning: String
    let count: @Sendable (VerdictCounts) -> Int
  }

  let kind: Kind
  let count: Int

  /// Those that there are, in the order of the columns.
  static func all(_ counts: VerdictCounts) -> [Share] {
    kinds.map { Share(kind: $0, count: $0.count(counts)) }.filter { $0.count > 0 }
  }

  static let kinds = [
    Kind(name: "inserted", tone: "inserted", meaning: "production did not have the key") { $0.inserted },
    Kind(name: "updated", tone: "updated", meaning: "production had an older version") { $0.updated },
    Kind(name: "unchanged", tone: "unchanged", meaning: "production had the same version") { $0.unchanged },
    Kind(name: "stale", tone: "stale", meaning: "production had a newer version") { $0.stale },
    Kind(name: "duplicate", tone: "duplicate", meaning: "a newer row of the key was in the same batch") {
      $0.duplicate
    },
    Kind(name: "errors", tone: "refused", meaning: "the server refused the row; it is quarantined") { $0.errors },
  ]
}
