/// What became of a phase: a line at the end.
public struct PhaseResult: Sendable, Codable {
  /// Which phase.
  public let phase: ReloadPhase
  /// How long it took, by the wall clock.
  public let elapsedMilliseconds: Int
  /// What it did, in a few words.
  public let result: String

  private enum CodingKeys: String, CodingKey {
    case phase
    case elapsedMilliseconds = "elapsed_ms"
    case result
  }
}
