import DMS

/// The rows that a reload is about when it is not about a window: those that DMS's validation found to differ.
package struct FailedRows: Sendable, Hashable {
  /// The keys by staging table, each by its columns, as text.
  package var keys: KeyPieces.Keys
  /// The file for rows that Oracle has no more.
  package var output: String

  /// Names rows.
  package init(keys: KeyPieces.Keys, output: String) {
    self.keys = keys
    self.output = output
  }

  /// The loads that it takes.
  var pieces: [KeyPieces.Keys] { KeyPieces(keys).pieces }

  /// How many rows.
  var count: Int { keys.values.reduce(0) { $0 + $1.count } }
}
