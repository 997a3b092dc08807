import BinaryCopy
import Foundation

/// Writes a table's file, and finds out on the way what the manifest has to say of it.
struct SnapshotFileWriter {
  private let url: URL
  private let handle: FileHandle
  private var buffer: [UInt8] = []
  private let digest = SHA256()
  private var scanner: CopyRowScanner
  private(set) var byteCount = 0
  private(set) var rowCount = 0

  /// Bytes go to the file in parts of this size. Arbitrary, large against the cost of a call.
  private static let partByteCount = 1 << 20

  /// Makes the file.
  ///
  /// - Throws: ``SnapshotError``.
  init(_ url: URL, _ columns: [SnapshotManifest.Column]) throws(SnapshotError) {
    self.url = url
    scanner = CopyRowScanner(fieldByteCounts: columns.map(\.valueByteCount))
    buffer.reserveCapacity(2 * Self.partByteCount)
    do {
      handle = try OutputFolder.createPrivateFile(url)
    } catch {
      throw SnapshotError("writing \(url.path)", SnapshotDirectory.reason(error))
    }
  }

  /// Takes what the server has sent.
  ///
  /// - Throws: ``SnapshotError`` when it can't be written, or is not the rows of the columns.
  mutating func append(_ bytes: RawSpan) throws(SnapshotError) {
    var position = 0
    do {
      while try scanner.advance(in: bytes, at: &position) == .rowEnd { rowCount += 1 }
    } catch {
      throw unreadable(error)
    }
    buffer.append(0..<bytes.byteCount, of: bytes)
    if buffer.count >= Self.partByteCount { try writeBuffer() }
  }

  /// Writes the rest, and has the disk confirm it.
  ///
  /// - Returns: the file's SHA-256, in hexadecimal digits.
  mutating func finish() throws(SnapshotError) -> String {
    do {
      try scanner.finish()
    } catch {
      throw unreadable(error)
    }
    try writeBuffer()
    do {
      try handle.synchronize()
      try handle.close()
    } catch {
      throw failure(error)
    }
    return digest.finish()
  }

  private mutating func writeBuffer() throws(SnapshotError) {
    do {
      try handle.write(contentsOf: buffer)
    } catch {
      throw failure(error)
    }
    digest.update(buffer.rawSpan)
    byteCount += buffer.count
    buffer.removeAll(keepingCapacity: true)
  }

  /// What a reader would not take must not be saved, though it should never come.
  private func unreadable(_ error: BinaryCopyError) -> SnapshotError {
    SnapshotError("writing \(url.path)", "what the server sent is not the table's rows: \(error)")
  }

  private func failure(_ error: any Error) -> SnapshotError {
    SnapshotError(
      "writing \(url.path)",
      "\(SnapshotDirectory.reason(error)). What was written is removed; make room, or name another folder"
    )
  }
}
