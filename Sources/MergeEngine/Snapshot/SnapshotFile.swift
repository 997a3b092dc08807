import Foundation

/// A table's file whose every row was walked over: where its pieces are, and how to get at them.
struct SnapshotFile: Sendable {
  let table: SnapshotManifest.Table
  let url: URL
  /// Stretches of whole rows, in order and without a gap.
  let pieces: [Piece]
  let state: State

  /// Rows that are read together.
  struct Piece: Sendable, Hashable {
    /// Numbers of the rows, from 0.
    let rows: Range<Int>
    /// Where they lie, in bytes from the file's first one.
    let bytes: Range<Int>
  }

  /// By what a file is known again: it must not change between the check and the merge.
  struct State: Sendable, Hashable {
    let byteCount: Int
    let modifiedAt: Date?

    init(_ url: URL) throws {
      let attributes = try FileManager.default.attributesOfItem(atPath: url.path)
      byteCount = (attributes[.size] as? NSNumber)?.intValue ?? 0
      modifiedAt = attributes[.modificationDate] as? Date
    }
  }

  /// Opens the file, if it is still the one that was checked.
  ///
  /// - Throws: ``SnapshotError``.
  func open() throws(SnapshotError) -> FileHandle {
    do {
      guard try State(url) == state else {
        throw SnapshotError(
          "reading \(url.path)",
          "it has changed since it was checked. Leave the snapshot alone while it is replayed, and run it again"
        )
      }
      return try FileHandle(forReadingFrom: url)
    } catch let error as SnapshotError {
      throw error
    } catch {
      throw SnapshotError("opening \(url.path)", SnapshotDirectory.reason(error))
    }
  }
}

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
