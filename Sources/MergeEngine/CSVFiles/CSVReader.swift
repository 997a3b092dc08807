/// One row of a CSV file, its quotes resolved.
struct CSVRow {
  /// The line of the file on which it begins, from 1; the number of the row where rows don't end with lines.
  fileprivate(set) var line = 0
  /// The values of all fields.
  fileprivate(set) var bytes: [UInt8] = []
  /// Where each field's value stands in ``bytes``.
  fileprivate(set) var fields: [Field] = []

  struct Field {
    let value: Range<Int>
    /// What is quoted is never NULL.
    let isQuoted: Bool
  }

  /// A field as text, with whatever is no UTF-8 replaced.
  func text(_ field: Int) -> String { String(decoding: bytes[fields[field].value], as: UTF8.self) }

  fileprivate mutating func begin(line: Int) {
    self.line = line
    bytes.removeAll(keepingCapacity: true)
    fields.removeAll(keepingCapacity: true)
  }
}

/// What makes it impossible to tell where the rows behind begin.
struct CSVError: Error {
  /// The line on which the row begins.
  let line: Int
  let message: String
}

/// Reads a CSV file row by row, holding no more of it than one row and a piece.
struct CSVReader {
  private let source: CSVSource
  private let delimiter: [UInt8]
  private let rowDelimiter: [UInt8]
  private let hasQuotes: Bool
  /// A carriage return at the end of a row may be part of its last value, or of the end of the line.
  private let mayEndWithCarriageReturn: Bool
  private let endsWithLines: Bool
  private(set) var buffer: [UInt8] = []
  private var position = 0
  private var isAtEnd = false
  private var hasBegun = false
  private var line = 1

  private static let quote = UInt8(ascii: "\"")
  private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
  private static let newline = UInt8(ascii: "\n")
  private static let carriageReturn = UInt8(ascii: "\r")
  /// A row that is longer is none: a quote was not closed.
  private static let rowByteLimit = BatchLimit.byteCount

  init(_ source: CSVSource, _ format: CSVFormat) {
    self.source = source
    delimiter = Array(format.delimiter.utf8)
    rowDelimiter = Array((format.rowDelimiter ?? "\n").utf8)
    mayEndWithCarriageReturn = format.rowDelimiter != nil
    hasQuotes = format.hasQuotes
    endsWithLines = rowDelimiter.contains(Self.newline)
  }

  /// Reads the next row.
  ///
  /// - Returns: false at the end of the file.
  /// - Throws: ``CSVError``; ``CSVSource/Failure`` when the file can't be read.
  mutating func next(into row: inout CSVRow) throws -> Bool {
    row.begin(line: line)
    if !hasBegun {
      hasBegun = true
      // What some editors and tools put before UTF-8 is part of no value.
      if try has(Self.byteOrderMark.count), buffer.starts(with: Self.byteOrderMark) {
        position = Self.byteOrderMark.count
      }
    }
    guard try has(1) else { return false }
    while true {
      let start = row.bytes.count
      let isQuoted = hasQuotes && buffer[position] == Self.quote
      if isQuoted { try readQuoted(into: &row) }
      let end = try readPlain(into: &row, isBehindQuotes: isQuoted)
      row.fields.append(CSVRow.Field(value: start..<row.bytes.count, isQuoted: isQuoted))
      if end == .row { break }
      // The last field of a file that ends with a delimiter is empty.
      guard try has(1) else {
        row.fields.append(CSVRow.Field(value: row.bytes.count..<row.bytes.count, isQuoted: false))
        break
      }
    }
    if !endsWithLines { line += 1 }
    return true
  }

  private enum End {
    case field, row
  }

  /// Reads up to a delimiter, and over it.
  private mutating func readPlain(into row: inout CSVRow, isBehindQuotes: Bool) throws -> End {
    var last: UInt8?
    while try has(1) {
      let byte = buffer[position]
      if byte == delimiter[0], try isNext(delimiter) {
        position += delimiter.count
        return .field
      }
      if byte == rowDelimiter[0], try isNext(rowDelimiter) {
        guard mayEndWithCarriageReturn || last != Self.carriageReturn else { throw carriageReturnError(row) }
        position += rowDelimiter.count
        if endsWithLines { line += rowDelimiter.count { $0 == Self.newline } }
        return .row
      }
      guard !isBehindQuotes else {
        if byte == Self.carriageReturn, !mayEndWithCarriageReturn { throw carriageReturnError(row) }
        throw CSVError(line: row.line, message: "there is text between a closing quote and the next delimiter")
      }
      try take(byte, into: &row)
      last = byte
    }
    return .row
  }

  private func carriageReturnError(_ row: CSVRow) -> CSVError {
    CSVError(
      line: row.line,
      message:
        "there is a carriage return at the end of the row. If rows end with CR LF, say --row-delimiter '\\r\\n'; if it is part of "
        + "the last value, --row-delimiter '\\n'"
    )
  }

  /// Reads from the opening quote to behind the closing one.
  private mutating func readQuoted(into row: inout CSVRow) throws {
    position += 1
    while try has(1) {
      let byte = buffer[position]
      guard byte == Self.quote else {
        try take(byte, into: &row)
        continue
      }
      guard try has(2), buffer[position + 1] == Self.quote else {
        position += 1
        return
      }
      position += 1
      try take(byte, into: &row)
    }
    throw CSVError(line: row.line, message: "the file ends inside a quoted field")
  }

  private mutating func take(_ byte: UInt8, into row: inout CSVRow) throws(CSVError) {
    if byte == Self.newline, endsWithLines { line += 1 }
    row.bytes.append(byte)
    position += 1
    guard row.bytes.count <= Self.rowByteLimit else {
      throw CSVError(
        line: row.line,
        message:
          "the row is longer than \(Numbers.bytes(Self.rowByteLimit)): a quote is not closed, or rows end with another delimiter"
      )
    }
  }

  private mutating func isNext(_ bytes: [UInt8]) throws -> Bool {
    guard bytes.count > 1 else { return true }
    guard try has(bytes.count) else { return false }
    return buffer[position..<(position + bytes.count)].elementsEqual(bytes)
  }

  /// Whether the file has so many bytes more.
  private mutating func has(_ count: Int) throws -> Bool {
    while buffer.count - position < count, !isAtEnd {
      guard let piece = try source.read() else {
        isAtEnd = true
        break
      }
      buffer.removeSubrange(..<position)
      position = 0
      buffer += piece
    }
    return buffer.count - position >= count
  }
}
