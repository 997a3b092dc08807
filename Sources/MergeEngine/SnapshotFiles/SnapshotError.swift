/// What went wrong with a snapshot's file after it was found to be whole, or while it was written.
package struct SnapshotError: Error, Sendable, CustomStringConvertible {
  /// What was being done, to which file.
  package let operation: String
  /// What went wrong, and what to do.
  package let message: String

  init(_ operation: String, _ message: String) {
    self.operation = operation
    self.message = message
  }

  /// `while writing …: No space left on device`.
  package var description: String { "while \(operation): \(message)" }
}
