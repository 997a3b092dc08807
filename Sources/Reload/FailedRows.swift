import DMS

/// The rows that a reload is about when it is not about a window: those that DMS's validation found to differ.
public struct FailedRows: Sendable, Hashable {
  /// The keys by staging table, each by its columns, as text.
  public var keys: KeyPieces.Keys
  /// The file for rows that Oracle has no more.
  public var output: String

  /// Names rows.
  public init(keys: KeyPieces.Keys, output: String) {
    self.keys = keys
    self.output = output
  }

  /// The loads that it takes.
  var pieces: [KeyPieces.Keys] { KeyPieces(keys).pieces }

  /// How many rows.
  var count: Int { keys.values.reduce(0) { $0 + $1.count } }
}
