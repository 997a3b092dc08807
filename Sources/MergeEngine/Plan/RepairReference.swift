/// The file that a repair applies, as the run is recorded with it.
package struct RepairReference: Sendable, Codable, Hashable {
  /// What the file calls itself.
  package let file: String
  /// Where it was.
  package let path: String
  /// The kinds of differences to repair.
  package let kinds: [DifferenceKind]
}
