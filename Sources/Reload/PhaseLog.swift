/// Measures the phases and tells about them.
struct PhaseLog {
  private(set) var results: [PhaseResult] = []
  let onEvent: @Sendable (ReloadEvent) -> Void

  init(_ onEvent: @escaping @Sendable (ReloadEvent) -> Void) { self.onEvent = onEvent }

  /// The durations as they are recorded: `load_ms`.
  var annotations: [String: String] {
    results.reduce(into: [:]) { $0["\($1.phase.rawValue)_ms"] = "\($1.elapsedMilliseconds)" }
  }

  /// Runs a phase; nothing is noted about one that fails.
  ///
  /// - Parameter body: gives what it made, and what it did in a few words.
  mutating func measure<Value>(_ phase: ReloadPhase, _ body: () async throws -> (Value, String)) async throws -> Value {
    onEvent(.began(phase))
    let start = ContinuousClock.now
    let (value, text) = try await body()
    let milliseconds = Int((ContinuousClock.now - start) / .milliseconds(1))
    onEvent(.ended(PhaseResult(phase: phase, elapsedMilliseconds: milliseconds, result: text)))
    // A load in pieces goes through some phases again and again: their time adds up.
    let before = results.firstIndex { $0.phase == phase }
    let sum = milliseconds + (before.map { results[$0].elapsedMilliseconds } ?? 0)
    if let before { results.remove(at: before) }
    results.append(PhaseResult(phase: phase, elapsedMilliseconds: sum, result: text))
    return value
  }
}
