import BinaryCopy
import Foundation
import Libpq

/// Copies the rows of a batch from a snapshot's file into the connection's temporary table: the station before the claim.
struct SnapshotLoader {
  private let snapshot: SnapshotTablePlan
  private let connection: Connection
  private let countBlocks: PreparedStatement
  /// All batches are in one transaction, so that the table does not empty itself between them.
  private let emptiesTable: Bool
  private let handle: FileHandle
  private var writer = CopyWriter(capacity: 2 * SnapshotLoader.partByteCount)

  /// COPY data goes out in parts of about this size. Arbitrary, between the costs of a call and of a cache miss.
  private static let partByteCount = 128 * 1024

  /// Opens the file and makes the temporary table.
  ///
  /// - Throws: ``SnapshotError`` when the file is not the one any more that was checked; ``PostgresError``.
  init(_ snapshot: SnapshotTablePlan, _ connection: Connection, isAllOrNothing: Bool) throws {
    self.snapshot = snapshot
    self.connection = connection
    emptiesTable = isAllOrNothing
    handle = try snapshot.file.open()
    try connection.executeWithNext(snapshot.create, "creating a temporary table")
    countBlocks = try connection.prepareWithNext(
      "snapshot_blocks_\(snapshot.number)",
      snapshot.countBlocks,
      "measuring a temporary table"
    )
  }

  /// Makes the slice's rows the only ones in the temporary table.
  ///
  /// - Returns: where they are.
  mutating func load(_ slice: SnapshotSlice) throws -> TupleRange {
    if emptiesTable { try connection.executeWithNext("TRUNCATE \(snapshot.batchTable)", "emptying a temporary table") }
    let piece = try snapshot.file.read(slice.piece, from: handle)
    let count = try connection.copyIn(snapshot.copyIn, "reading \(snapshot.file.url.path)") { stream in
      try write(slice, of: piece.bytes, to: stream)
    }
    guard count == slice.rowCount else {
      throw SnapshotError("reading \(snapshot.file.url.path)", "the server took \(count) of \(slice.rowCount) rows")
    }
    let blocks = try connection.execute(countBlocks).integer(0, 0) ?? 0
    return TupleRange(blocks: 0..<blocks)
  }

  private mutating func write(
    _ slice: SnapshotSlice,
    of bytes: RawSpan,
    to stream: borrowing CopyInStream
  ) throws {
    var cursor = CopyCursor()
    var wanted = slice.rows.makeIterator()
    var range = wanted.next()
    writer.removeAll()
    writer.writeHeader()
    for row in slice.piece.rows {
      guard let fieldCount = try cursor.beginRow(in: bytes) else { break }
      let start = cursor.offset
      try cursor.skipFields(fieldCount, in: bytes)
      if let end = range?.upperBound, row >= end { range = wanted.next() }
      guard let current = range else { break }
      guard current.contains(row) else { continue }
      writer.writeRow(fieldCount: fieldCount, fields: start..<cursor.offset, of: bytes, followedBy: Int64(row))
      guard writer.bytes.count >= Self.partByteCount else { continue }
      try stream.write(writer.bytes.rawSpan)
      writer.removeAll()
    }
    writer.writeTrailer()
    try stream.write(writer.bytes.rawSpan)
  }
}
