import CLibpq

/// The answer to one statement: rows in binary form, or a command tag.
public final class ResultSet {
  let handle: OpaquePointer

  init(_ handle: OpaquePointer) {
    self.handle = handle
  }

  deinit {
    PQclear(handle)
  }

  var status: ExecStatusType { PQresultStatus(handle) }

  /// How many rows came back.
  public var count: Int { Int(PQntuples(handle)) }

  /// How many rows the command changed (or copied), by its tag; 0 for commands that count nothing.
  public var affectedRowCount: Int {
    guard let text = PQcmdTuples(handle) else { return 0 }
    return Int(String(cString: text)) ?? 0
  }

  /// Hands the field's bytes to `body`, as they came; nil for SQL NULL.
  ///
  /// - Parameter body: gets bytes that are borrowed from the result and valid only inside the call.
  /// - Precondition: the row and the column are there, as with all reading functions of this type.
  public func withBytes<Value>(_ row: Int, _ column: Int, _ body: (RawSpan) throws -> Value) rethrows -> Value? {
    precondition(
      (0..<count).contains(row) && (0..<Int(PQnfields(handle))).contains(column),
      "no such field in the result"
    )
    guard PQgetisnull(handle, Int32(row), Int32(column)) == 0 else { return nil }
    let length = Int(PQgetlength(handle, Int32(row), Int32(column)))
    // Safe: the field exists and is not NULL, so libpq has `length` bytes for it, which live as long as the result
    // does; the span cannot leave the closure.
    let buffer = UnsafeRawBufferPointer(start: PQgetvalue(handle, Int32(row), Int32(column)), count: length)
    return try body(buffer.bytes)
  }

  /// Appends the fields of a row as they stand in a binary COPY row: each behind four bytes of length, -1 for NULL.
  public func appendFields(of row: Int, columns: Range<Int>, to buffer: inout [UInt8]) {
    precondition(row < count && columns.upperBound <= Int(PQnfields(handle)), "no such field in the result")
    for column in columns {
      let isNull = PQgetisnull(handle, Int32(row), Int32(column)) != 0
      let length = isNull ? -1 : PQgetlength(handle, Int32(row), Int32(column))
      withUnsafeBytes(of: length.bigEndian) { buffer.append(contentsOf: $0) }
      guard length > 0 else { continue }
      buffer.append(
        contentsOf: UnsafeRawBufferPointer(start: PQgetvalue(handle, Int32(row), Int32(column)), count: Int(length))
      )
    }
  }

  /// The field's bytes, copied.
  public func bytes(_ row: Int, _ column: Int) -> [UInt8]? {
    withBytes(row, column) { $0.withUnsafeBytes { Array($0) } }
  }

  /// A text, name, enum or json value.
  public func text(_ row: Int, _ column: Int) -> String? {
    withBytes(row, column) { $0.withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
  }

  /// An integer (smallint, integer, bigint, oid, "char") of one, two, four or eight bytes.
  ///
  /// - Precondition: the statement's column is of such a type, as with the other typed functions.
  public func integer(_ row: Int, _ column: Int) -> Int? {
    // Four bytes are signed but for oid; the types that are kin to it (regclass, xid) are not asked for.
    let isOid = PQftype(handle, Int32(column)) == 26
    return withBytes(row, column) { bytes in
      // Safe: each load is as wide as the case says the bytes are, and every bit pattern is an integer.
      bytes.withUnsafeBytes { bytes in
        switch bytes.count {
        case 1: Int(bytes[0])
        case 2: Int(Int16(bigEndian: bytes.loadUnaligned(as: Int16.self)))
        case 4 where isOid: Int(UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self)))
        case 4: Int(Int32(bigEndian: bytes.loadUnaligned(as: Int32.self)))
        case 8: Int(Int64(bigEndian: bytes.loadUnaligned(as: Int64.self)))
        default: preconditionFailure("the statement's column is no integer")
        }
      }
    }
  }

  /// A boolean.
  public func bool(_ row: Int, _ column: Int) -> Bool? {
    withBytes(row, column) { $0.withUnsafeBytes { $0.first == 1 } }
  }

  /// A double precision value.
  public func double(_ row: Int, _ column: Int) -> Double? {
    withBytes(row, column) { bytes in
      precondition(bytes.byteCount == 8, "the statement's column is no double precision")
      // Safe: eight bytes were checked above, and every bit pattern is a Double.
      return bytes.withUnsafeBytes { Double(bitPattern: UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self))) }
    }
  }
}
