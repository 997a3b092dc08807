import Foundation

/// When a command began, by the wall clock that is reported and by the one that measures.
struct ReportClock {
  let startedAt = Date()
  let start = ContinuousClock.now
}

extension Duration {
  /// Whole milliseconds.
  package var milliseconds: Int {
    let (seconds, attoseconds) = components
    return Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000)
  }
}
