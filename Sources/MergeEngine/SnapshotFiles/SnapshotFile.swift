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

  /// Opens the file.
  ///
  /// - Throws: ``SnapshotError``, also when it is not the one any more that was checked.
  func open() throws(SnapshotError) -> FileHandle {
    try requireUnchanged()
    do {
      return try FileHandle(forReadingFrom: url)
    } catch {
      throw SnapshotError("opening \(url.path)", SnapshotDirectory.reason(error))
    }
  }

  /// Reads a piece.
  func read(_ piece: Piece, from handle: FileHandle) throws(SnapshotError) -> Data {
    var data = Data()
    do {
      try handle.seek(toOffset: UInt64(piece.bytes.lowerBound))
      data = try handle.read(upToCount: piece.bytes.count) ?? Data()
    } catch {
      throw SnapshotError("reading \(url.path)", SnapshotDirectory.reason(error))
    }
    // Afterwards: what is written to the file from now on is not in these bytes.
    try requireUnchanged()
    guard data.count == piece.bytes.count else {
      throw SnapshotError("reading \(url.path)", "it ended at byte \(piece.bytes.lowerBound + data.count)")
    }
    return data
  }

  private func requireUnchanged() throws(SnapshotError) {
    guard (try? State(url)) != state else { return }
    throw SnapshotError(
      "reading \(url.path)",
      "it no longer exists or has changed since it was checked. Leave the snapshot alone while it is being replayed; with "
        + "the original files the same command continues"
    )
  }
}
