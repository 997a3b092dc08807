/// What becomes of a staging row: the merge rule's six words.
enum Verdict: UInt8, Sendable, CaseIterable {
  /// Production has no row with the key.
  case insert
  /// Production's row is older.
  case update
  /// Production's row has the same version.
  case unchanged
  /// Production's row is newer.
  case stale
  /// A newer row of the same key stands in the same batch.
  case duplicate
  /// The server refuses the row.
  case error

  /// The row is to be written.
  var isWritten: Bool { self == .insert || self == .update }
}
