/// What became of a phase: a line at the end.
package struct PhaseResult: Sendable, Codable {
  /// Which phase.
  package let phase: ReloadPhase
  /// How long it took, by the wall clock.
  package let elapsedMilliseconds: Int
  /// What it did, in a few words.
  package let result: String

  private enum CodingKeys: String, CodingKey {
    case phase
    case elapsedMilliseconds = "elapsed_ms"
    case result
  }
}
