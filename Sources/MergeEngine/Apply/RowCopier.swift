import BinaryCopy
import Libpq

/// Sends rows of a batch by COPY, as they came.
struct RowCopier {
  private let columnCount: Int
  private let connection: Connection
  private var writer = CopyWriter(capacity: 2 * RowCopier.pieceByteCount)

  /// COPY data goes out in pieces of about this size. Arbitrary, between the costs of a call and of a cache miss.
  private static let pieceByteCount = 128 * 1024

  /// - Parameter columnCount: how many fields a row of the batches has.
  init(columnCount: Int, _ connection: Connection) {
    self.columnCount = columnCount
    self.connection = connection
  }

  /// - Parameters:
  ///   - rows: positions in ``StagedBatch/rows``.
  ///   - fieldCount: how many fields of each row, counted from the first; nil for all.
  ///   - numbered: behind its fields each row gets its position.
  ///   - followers: run behind the COPY, on the same trip as its end.
  ///   - onOpen: called when the server is ready for rows.
  /// - Returns: how many rows the server took, and what each of the followers changed.
  @discardableResult
  mutating func copy(
    _ rows: some Sequence<UInt32>,
    of batch: StagedBatch,
    by statement: SQL,
    then followers: [Companion] = [],
    fieldCount: Int? = nil,
    numbered: Bool = false,
    onOpen: () -> Void = {},
    _ operation: String
  ) throws -> [Int] {
    let fieldCount = fieldCount ?? columnCount
    return try connection.copyIn(statement, then: followers, operation) { stream in
      onOpen()
      let bytes = batch.bytes.rawSpan
      writer.removeAll()
      writer.writeHeader()
      for row in rows {
        var fields = batch.rows[Int(row)].fields
        if fieldCount < columnCount {
          var cursor = CopyCursor(offset: fields.lowerBound)
          try cursor.skipFields(fieldCount, in: bytes)
          fields = fields.lowerBound..<cursor.offset
        }
        if numbered {
          writer.writeRow(fieldCount: fieldCount, fields: fields, of: bytes, followedBy: Int64(row))
        } else {
          writer.writeRow(fieldCount: fieldCount, fields: fields, of: bytes)
        }
        if writer.bytes.count >= Self.pieceByteCount {
          try stream.write(writer.bytes.rawSpan)
          writer.removeAll()
        }
      }
      writer.writeTrailer()
      try stream.write(writer.bytes.rawSpan)
    }
  }
}
