extension RawSpan {
  /// The integer in network byte order at `offset`.
  ///
  /// - Throws: ``BinaryCopyError/truncated(offset:)`` when it would reach past the end.
  @inlinable
  public func bigEndian<Integer: FixedWidthInteger & BitwiseCopyable>(
    at offset: Int,
    as type: Integer.Type = Integer.self
  ) throws(BinaryCopyError) -> Integer {
    guard offset >= 0, offset <= byteCount - MemoryLayout<Integer>.size else { throw .truncated(offset: offset) }
    // Safe: offset + size <= byteCount was checked above, and every bit pattern is an integer.
    return unsafe Integer(bigEndian: unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: Integer.self))
  }

  /// A signed integer of two, four or eight bytes; nil for NULL.
  ///
  /// - Throws: ``BinaryCopyError/wrongWidth(found:expected:offset:)`` for a value of another length.
  @inlinable
  public func integer(_ field: FieldRange) throws(BinaryCopyError) -> Int64? {
    switch field.byteCount {
    case -1: nil
    case 2: Int64(try bigEndian(at: field.offset, as: Int16.self))
    case 4: Int64(try bigEndian(at: field.offset, as: Int32.self))
    case 8: try bigEndian(at: field.offset, as: Int64.self)
    default: throw .wrongWidth(found: field.byteCount, expected: 8, offset: field.offset)
    }
  }
}

extension [UInt8] {
  /// Appends an integer in network byte order.
  @inlinable
  public mutating func append(bigEndian value: some FixedWidthInteger) {
    var remaining = value.bigEndian
    unsafe Swift.withUnsafeBytes(of: &remaining) { unsafe append(contentsOf: $0) }
  }

  /// Overwrites the bytes from `offset` on with an integer in network byte order.
  ///
  /// - Precondition: the bytes are there.
  @inlinable
  public mutating func overwrite(bigEndian value: some FixedWidthInteger, at offset: Int) {
    var shift = value.bitWidth
    for index in 0..<(value.bitWidth / 8) {
      shift -= 8
      self[offset + index] = UInt8(truncatingIfNeeded: value >> shift)
    }
  }

  /// Appends a piece of another buffer.
  ///
  /// - Precondition: `range` lies within `source`.
  @inlinable
  public mutating func append(_ range: Range<Int>, of source: RawSpan) {
    precondition(range.lowerBound >= 0 && range.upperBound <= source.byteCount)
    // Safe: the range was checked above, and the pointer does not leave the closure.
    unsafe source.withUnsafeBytes { unsafe append(contentsOf: UnsafeRawBufferPointer(rebasing: $0[range])) }
  }
}

extension [UInt8] {
  /// The bytes, borrowed.
  @inlinable
  public var rawSpan: RawSpan {
    @_lifetime(borrow self)
    get {
      // Safe: `Span.bytes` is unsafe only for types with padding, whose bytes may be uninitialised; UInt8 has none.
      unsafe span.bytes
    }
  }
}
