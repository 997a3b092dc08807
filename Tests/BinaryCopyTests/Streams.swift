import BinaryCopy

/// A whole stream, header and trailer included; a nil value is SQL NULL.
func stream(_ rows: [[[UInt8]?]]) -> [UInt8] {
  var writer = CopyWriter()
  writer.writeHeader()
  for row in rows {
    writer.beginRow(fieldCount: row.count)
    for value in row {
      if let value { writer.writeField(value) } else { writer.writeNull() }
    }
  }
  writer.writeTrailer()
  return writer.bytes
}

/// The rows of a whole stream, as ``stream(_:)`` takes them.
func readAll(_ stream: [UInt8]) throws(BinaryCopyError) -> [[[UInt8]?]] {
  var cursor = CopyCursor()
  return try readStream(&cursor, stream)
}

/// The rows of the stream that begins at the cursor.
func readStream(_ cursor: inout CopyCursor, _ bytes: [UInt8]) throws(BinaryCopyError) -> [[[UInt8]?]] {
  let span = bytes.rawSpan
  try cursor.readHeader(in: span)
  var rows: [[[UInt8]?]] = []
  while let fieldCount = try cursor.beginRow(in: span) {
    var row: [[UInt8]?] = []
    for _ in 0..<fieldCount {
      let field = try cursor.readField(in: span)
      row.append(field.isNull ? nil : Array(bytes[field.bytes]))
    }
    rows.append(row)
  }
  return rows
}

/// Bytes written as hexadecimal digits; blanks are for the eye.
func hex(_ text: String) -> [UInt8] {
  let digits = text.compactMap(\.hexDigitValue)
  return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

extension [UInt8] {
  /// The same bytes with some of them replaced.
  func replacing(_ bytes: [UInt8], at offset: Int) -> [UInt8] {
    var copy = self
    copy.replaceSubrange(offset..<(offset + bytes.count), with: bytes)
    return copy
  }
}
