import MergeEngine

/// How a run ended, as a word, a symbol and a colour: none of them alone.
struct StatusMark {
  let word: String
  let symbol: String
  /// A class of the style sheet.
  let tone: String

  init(_ run: StoredRun) {
    self.init(word: run.status)
  }

  init(word: String) {
    self.word = word
    switch word {
    case RunStatus.success.rawValue: (symbol, tone) = ("✓", "good")
    case RunStatus.partial.rawValue, RunStatus.aborted.rawValue: (symbol, tone) = ("!", "caution")
    case RunStatus.failed.rawValue, "DIFFERENT", "NOTHING COMPARED", "BLOCKED": (symbol, tone) = ("✕", "bad")
    case RunStatus.running.rawValue, RunStatus.loading.rawValue: (symbol, tone) = ("…", "neutral")
    default: (symbol, tone) = ("↺", "neutral")
    }
  }
}
