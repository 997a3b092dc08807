/// What went wrong with a snapshot's file after it was found to be whole, or while it was written.
public struct SnapshotError: Error, Sendable, CustomStringConvertible {
  /// What was being done, to which file.
  public let operation: String
  /// What went wrong, and what to do.
  public let message: String

  init(_ operation: String, _ message: String) {
    self.operation = operation
    self.message = message
  }

  /// `while writing …: No space left on device`.
  public var description: String { "while \(operation): \(message)" }
}
