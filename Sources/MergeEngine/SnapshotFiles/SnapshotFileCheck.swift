import BinaryCopy
import Foundation

/// Reads a table's file once, and finds out whether it is what the manifest says.
struct SnapshotFileCheck {
  let table: SnapshotManifest.Table
  let url: URL

  /// What is wrong with a file.
  struct Damage: Error, CustomStringConvertible {
    let description: String
  }

  /// A piece holds at most so many bytes, unless a single row is longer. Half of what a batch may hold, since a batch's rows
  /// have an address and some a second copy of the key.
  static let pieceByteLimit = BatchLimit.byteCount / 2

  /// The file is read in parts of this size. Arbitrary, large against the cost of a call.
  private static let readByteCount = 1 << 20

  /// - Returns: the file with its pieces of at most `pieceRows` rows.
  /// - Throws: ``Damage`` with what, where, and what to do; `CancellationError` when `stop` was asked for.
  func run(pieceRows: Int, _ stop: StopSignal) throws -> SnapshotFile {
    do {
      guard FileManager.default.fileExists(atPath: url.path) else {
        throw damage("it is missing")
      }
      let state = try SnapshotFile.State(url)
      guard state.byteCount == table.byteCount else {
        let difference = state.byteCount - table.byteCount
        throw damage(
          "it has \(state.byteCount) bytes instead of \(table.byteCount): "
            + (difference < 0 ? "\(-difference) are missing" : "\(difference) too many")
        )
      }
      let pieces = try walk(pieceRows, stop)
      return SnapshotFile(table: table, url: url, pieces: pieces, state: state)
    } catch let damage as Damage {
      throw damage
    } catch let cancellation as CancellationError {
      throw cancellation
    } catch {
      throw Damage(description: "the file \(url.path) can't be read: \(SnapshotDirectory.reason(error)).")
    }
  }

  private func damage(_ what: String) -> Damage {
    Damage(
      description: "the file \(url.path) is not as it was saved: \(what). Fetch it again from where it was saved, or "
        + "take the snapshot again."
    )
  }

  private func walk(_ pieceRows: Int, _ stop: StopSignal) throws -> [SnapshotFile.Piece] {
    let handle = try FileHandle(forReadingFrom: url)
    defer { try? handle.close() }
    let digest = SHA256()
    var rows = RowWalk(table, pieceRows: pieceRows)
    var structureError: BinaryCopyError?
    while let part = try handle.read(upToCount: Self.readByteCount), !part.isEmpty {
      if stop.signal != nil { throw CancellationError() }
      digest.update(part.bytes)
      guard structureError == nil else { continue }
      do {
        try rows.go(over: part.bytes)
      } catch {
        structureError = error
      }
    }
    // The checksum first: where bytes were changed it says so, and the structure may be only a consequence.
    guard digest.finish() == table.sha256.lowercased() else {
      throw damage("its SHA-256 is not that of the manifest" + (structureError.map { " (\($0))" } ?? ""))
    }
    do {
      if let structureError { throw structureError }
      try rows.finish()
    } catch let error as BinaryCopyError {
      throw damage("\(error), though its SHA-256 is right, so the manifest was changed")
    }
    guard rows.count == table.rowCount else {
      throw damage("it has \(rows.count) rows instead of \(table.rowCount), so the manifest was changed")
    }
    return rows.pieces
  }
}

/// Counts the rows of a file and cuts it into pieces.
private struct RowWalk {
  private(set) var count = 0
  private(set) var pieces: [SnapshotFile.Piece] = []
  private let pieceRows: Int
  private var scanner: CopyRowScanner
  private var firstRow = 0
  private var firstByte: Int?

  init(_ table: SnapshotManifest.Table, pieceRows: Int) {
    self.pieceRows = pieceRows
    scanner = CopyRowScanner(fieldByteCounts: table.columns.map(\.valueByteCount))
  }

  mutating func go(over bytes: RawSpan) throws(BinaryCopyError) {
    var position = 0
    while try scanner.advance(in: bytes, at: &position) == .rowEnd { endRow() }
  }

  mutating func finish() throws(BinaryCopyError) {
    try scanner.finish()
    if let firstByte, count > firstRow { cut(firstByte..<scanner.offset - MemoryLayout<Int16>.size) }
  }

  private mutating func endRow() {
    let start = firstByte ?? scanner.rowStart
    firstByte = start
    if count > firstRow, scanner.offset - start > SnapshotFileCheck.pieceByteLimit {
      cut(start..<scanner.rowStart)
    }
    count += 1
    if count - firstRow == pieceRows { cut((firstByte ?? start)..<scanner.offset) }
  }

  private mutating func cut(_ bytes: Range<Int>) {
    pieces.append(SnapshotFile.Piece(rows: firstRow..<count, bytes: bytes))
    firstRow = count
    firstByte = bytes.upperBound
  }
}
