/// Where a field's value lies in its buffer.
public struct FieldRange: Sendable, Hashable {
  /// The first byte of the value, behind its length.
  public var offset: Int
  /// Bytes of the value; -1 is SQL NULL.
  public var byteCount: Int

  /// A value's place.
  @inlinable
  public init(offset: Int, byteCount: Int) {
    self.offset = offset
    self.byteCount = byteCount
  }

  /// Whether the value is SQL NULL.
  @inlinable
  public var isNull: Bool { byteCount < 0 }

  /// The value's bytes; empty for NULL.
  @inlinable
  public var bytes: Range<Int> { offset..<(offset + max(byteCount, 0)) }

  /// The value's bytes with the four bytes of its length in front, as they stand in a row or an array.
  @inlinable
  public var bytesWithLength: Range<Int> { (offset - 4)..<(offset + max(byteCount, 0)) }
}

/// A position in binary COPY data that walks over header, rows and fields without copying.
///
/// ```
/// header   11 bytes signature | UInt32 flags | UInt32 byte count of extension | extension
/// row      Int16 field count  | field | field | ...
/// field    Int32 byte count, -1 for NULL | value
/// trailer  Int16 -1
/// ```
///
/// The cursor holds no buffer: every call borrows the same bytes again. Invariant: `0 <= offset <= byteCount`.
/// Format: <https://www.postgresql.org/docs/current/sql-copy.html>, "Binary Format".
public struct CopyCursor: Sendable {
  /// The next byte to be read.
  public var offset: Int

  /// The first four bytes of the signature, `PGCO`: no row begins with them, since it would have 20,551 fields.
  private static let signaturePrefix: UInt32 = 0x5047_434F

  /// A cursor at the first byte, or further on.
  @inlinable
  public init(offset: Int = 0) {
    self.offset = offset
  }

  /// Reads the header and steps over its extension.
  ///
  /// - Throws: ``BinaryCopyError``; the cursor then stays where it was.
  public mutating func readHeader(in bytes: RawSpan) throws(BinaryCopyError) {
    let signature = CopyWriter.signature
    guard bytes.byteCount - offset >= signature.count else { throw .truncated(offset: bytes.byteCount) }
    for index in 0..<signature.count {
      guard try bytes.bigEndian(at: offset + index, as: UInt8.self) == signature[index] else {
        throw .wrongSignature
      }
    }
    let flags: UInt32 = try bytes.bigEndian(at: offset + 11)
    // Bits 16 to 31 are critical: whoever does not know one must give up. None is in use since WITH OIDS went away.
    guard flags & 0xFFFF_0000 == 0 else { throw .unknownCriticalFlags(flags) }
    let extensionByteCount: Int32 = try bytes.bigEndian(at: offset + 15)
    guard extensionByteCount >= 0 else { throw .negativeLength(Int(extensionByteCount), offset: offset + 15) }
    let end = offset + 19 + Int(extensionByteCount)
    guard end <= bytes.byteCount else { throw .truncated(offset: bytes.byteCount) }
    offset = end
  }

  /// Reads a row's field count.
  ///
  /// - Returns: the count, or nil at the trailer.
  /// - Throws: ``BinaryCopyError`` when the bytes end here, or the count is below -1; the cursor then stays where it
  ///   was.
  @inlinable
  public mutating func beginRow(in bytes: RawSpan) throws(BinaryCopyError) -> Int? {
    let count: Int16 = try bytes.bigEndian(at: offset)
    guard count >= -1 else { throw .negativeLength(Int(count), offset: offset) }
    offset += 2
    return count == -1 ? nil : Int(count)
  }

  /// Begins the row of one message of a COPY from the server, which sends each row in a message of its own, the header in
  /// front of the first.
  ///
  /// - Returns: the row's field count, or nil at the trailer and in a message without a row.
  /// - Throws: as ``readHeader(in:)`` and ``beginRow(in:)``.
  public mutating func beginMessage(_ message: RawSpan) throws(BinaryCopyError) -> Int? {
    if message.byteCount >= 19, try message.bigEndian(at: 0, as: UInt32.self) == Self.signaturePrefix {
      try readHeader(in: message)
    }
    return offset < message.byteCount ? try beginRow(in: message) : nil
  }

  /// Steps over one field.
  ///
  /// - Returns: the value's place, valid for the same bytes only.
  /// - Throws: ``BinaryCopyError`` when the length is below -1 or points past the last byte; the cursor then stays
  ///   where it was.
  /// - Complexity: O(1), no allocation.
  @inlinable
  public mutating func readField(in bytes: RawSpan) throws(BinaryCopyError) -> FieldRange {
    let byteCount: Int32 = try bytes.bigEndian(at: offset)
    let start = offset + 4
    guard byteCount >= 0 else {
      guard byteCount == -1 else { throw .negativeLength(Int(byteCount), offset: offset) }
      offset = start
      return FieldRange(offset: start, byteCount: -1)
    }
    guard Int(byteCount) <= bytes.byteCount - start else { throw .truncated(offset: offset) }
    offset = start + Int(byteCount)
    return FieldRange(offset: start, byteCount: Int(byteCount))
  }

  /// Steps over `count` fields.
  ///
  /// - Throws: as ``readField(in:)``; the cursor then stands at the field that could not be read.
  @inlinable
  public mutating func skipFields(_ count: Int, in bytes: RawSpan) throws(BinaryCopyError) {
    for _ in 0..<count { _ = try readField(in: bytes) }
  }
}
