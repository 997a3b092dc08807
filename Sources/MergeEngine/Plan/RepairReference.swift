/// The file that a repair applies, as the run is recorded with it.
public struct RepairReference: Sendable, Codable, Hashable {
  /// What the file calls itself.
  public let file: String
  /// Where it was.
  public let path: String
  /// The kinds of differences that are mended.
  public let kinds: [DifferenceKind]
}
