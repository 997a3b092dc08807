/// Walks over binary COPY data that comes in pieces of any size, and keeps none of it.
///
/// Where ``CopyCursor`` needs the bytes of a row in one buffer, this needs four bytes of memory, whatever the length of
/// the rows: it finds out whether a file of any size is whole, and where its rows begin. The format is drawn at
/// ``CopyCursor``. Invariant: `offset` counts every byte that was stepped over since the first one.
public struct CopyRowScanner: Sendable {
  /// Where ``advance(in:at:)`` has stopped.
  public enum Stop: Sendable, Equatable {
    /// Behind a row.
    case rowEnd
    /// At the end of the piece; the next piece goes on.
    case pieceEnd
  }

  private enum Expected {
    case signature, flags, extensionLength, fieldCount, fieldLength, nothing
  }

  /// Bytes from the first byte of the data.
  public private(set) var offset = 0
  /// Where the row begins that was begun last, in bytes from the first byte of the data.
  public private(set) var rowStart = 0
  private let fieldByteCounts: [Int]
  private var expected = Expected.signature
  /// Fields of the current row that are still to come.
  private var fieldsLeft = 0
  /// Bytes of a value, or of the header's extension, that are still to be stepped over.
  private var bytesToSkip = 0
  /// The first bytes of an integer that is cut by the end of a piece.
  private var partialValue: UInt32 = 0
  private var partialByteCount = 0

  /// A scanner before the first byte.
  ///
  /// - Parameter fieldByteCounts: one entry a field of a row: how many bytes its values must have, -1 for any number.
  public init(fieldByteCounts: [Int]) {
    self.fieldByteCounts = fieldByteCounts
  }

  /// Goes on to the end of the next row, or of the piece.
  ///
  /// - Parameters:
  ///   - piece: the bytes that follow those of the call before.
  ///   - position: where in the piece to go on; moved to where it stopped.
  /// - Throws: ``BinaryCopyError`` with an offset from the first byte of the data; the scanner is of no use after that.
  public mutating func advance(in piece: RawSpan, at position: inout Int) throws(BinaryCopyError) -> Stop {
    while position < piece.byteCount {
      if bytesToSkip > 0 {
        step(min(bytesToSkip, piece.byteCount - position), &position)
        guard bytesToSkip == 0 else { return .pieceEnd }
      } else {
        try readNext(in: piece, at: &position)
      }
      if expected == .fieldLength, fieldsLeft == 0, bytesToSkip == 0 {
        expected = .fieldCount
        return .rowEnd
      }
    }
    return .pieceEnd
  }

  /// Says that nothing follows.
  ///
  /// - Throws: ``BinaryCopyError/truncated(offset:)`` when the trailer has not been seen.
  public func finish() throws(BinaryCopyError) {
    guard expected == .nothing else { throw .truncated(offset: offset) }
  }

  private mutating func step(_ count: Int, _ position: inout Int) {
    position += count
    offset += count
    bytesToSkip -= count
  }

  private mutating func readNext(in piece: RawSpan, at position: inout Int) throws(BinaryCopyError) {
    switch expected {
    case .signature:
      guard try piece.bigEndian(at: position, as: UInt8.self) == CopyWriter.signature[offset] else {
        throw .wrongSignature
      }
      bytesToSkip = 1
      step(1, &position)
      if offset == CopyWriter.signature.count { expected = .flags }
    case .flags:
      guard let flags: UInt32 = try readInteger(in: piece, at: &position) else { return }
      guard flags & 0xFFFF_0000 == 0 else { throw .unknownCriticalFlags(flags) }
      expected = .extensionLength
    case .extensionLength:
      guard let value: UInt32 = try readInteger(in: piece, at: &position) else { return }
      let byteCount = Int(Int32(bitPattern: value))
      guard byteCount >= 0 else { throw .negativeLength(byteCount, offset: offset - 4) }
      bytesToSkip = byteCount
      expected = .fieldCount
    case .fieldCount:
      guard let value: UInt16 = try readInteger(in: piece, at: &position) else { return }
      try beginRow(fieldCount: Int(Int16(bitPattern: value)))
    case .fieldLength:
      guard let value: UInt32 = try readInteger(in: piece, at: &position) else { return }
      try beginField(byteCount: Int(Int32(bitPattern: value)))
    case .nothing:
      throw .bytesBehindEnd(offset: offset)
    }
  }

  private mutating func beginRow(fieldCount: Int) throws(BinaryCopyError) {
    guard fieldCount != -1 else {
      expected = .nothing
      return
    }
    guard fieldCount >= 0 else { throw .negativeLength(fieldCount, offset: offset - 2) }
    guard fieldCount == fieldByteCounts.count else {
      throw .fieldCount(found: fieldCount, expected: fieldByteCounts.count, offset: offset - 2)
    }
    rowStart = offset - 2
    fieldsLeft = fieldCount
    expected = .fieldLength
  }

  private mutating func beginField(byteCount: Int) throws(BinaryCopyError) {
    let wanted = fieldByteCounts[fieldByteCounts.count - fieldsLeft]
    fieldsLeft -= 1
    guard byteCount != -1 else { return }
    guard byteCount >= 0 else { throw .negativeLength(byteCount, offset: offset - 4) }
    guard wanted < 0 || byteCount == wanted else {
      throw .wrongWidth(found: byteCount, expected: wanted, offset: offset - 4)
    }
    bytesToSkip = byteCount
  }

  /// - Returns: nil when the piece ends before the integer does; what there is of it is kept.
  private mutating func readInteger<Integer: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
    in piece: RawSpan,
    at position: inout Int
  ) throws(BinaryCopyError) -> Integer? {
    let byteCount = MemoryLayout<Integer>.size
    if partialByteCount == 0, piece.byteCount - position >= byteCount {
      defer { (position, offset) = (position + byteCount, offset + byteCount) }
      return try piece.bigEndian(at: position)
    }
    while position < piece.byteCount {
      partialValue = partialValue << 8 | UInt32(try piece.bigEndian(at: position, as: UInt8.self))
      partialByteCount += 1
      position += 1
      offset += 1
      guard partialByteCount < byteCount else {
        defer { (partialValue, partialByteCount) = (0, 0) }
        return Integer(truncatingIfNeeded: partialValue)
      }
    }
    return nil
  }
}
