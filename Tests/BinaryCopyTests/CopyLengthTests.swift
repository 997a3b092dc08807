import BinaryCopy
import Testing

/// Lengths and counts that lie: each is checked before it is used.
@Suite struct CopyLengthTests {
  static let rows: [[[UInt8]?]] = [[[1, 2, 3, 4], nil, []], [[5], [6, 7], nil]]
  static let valid = stream(rows)
  /// Where the first row's field count stands, and its first length.
  static let fieldCountOffset = 19
  static let lengthOffset = 21

  @Test func `a stream cut off anywhere is truncated`() {
    for count in 0..<Self.valid.count {
      let error = #expect(throws: BinaryCopyError.self) { try readAll(Array(Self.valid[..<count])) }
      guard case .truncated(let offset) = error else {
        Issue.record("cut at \(count): \(String(describing: error))")
        continue
      }
      #expect(offset <= count)
    }
  }

  @Test(arguments: [-2, -3, -65536, Int(Int32.min)])
  func `a length below -1 is impossible`(length: Int) {
    let bytes = Self.overwriting(Int32(length), at: Self.lengthOffset)
    #expect(throws: BinaryCopyError.negativeLength(length, offset: Self.lengthOffset)) { try readAll(bytes) }
  }

  @Test(arguments: [1 << 16, Int(Int32.max) - 1, Int(Int32.max)])
  func `a length past the end is no allocation and no crash`(length: Int) {
    let bytes = Self.overwriting(Int32(length), at: Self.lengthOffset)
    #expect(throws: BinaryCopyError.truncated(offset: Self.lengthOffset)) { try readAll(bytes) }
  }

  @Test func `a value may end with the last byte and not one further`() throws {
    let fits = hex("00000003 010203")
    var cursor = CopyCursor()
    #expect(try cursor.readField(in: fits.rawSpan).bytes == 4..<7)
    cursor = CopyCursor()
    #expect(throws: BinaryCopyError.truncated(offset: 0)) { try cursor.readField(in: hex("00000004 010203").rawSpan) }
  }

  @Test func `a huge field count ends at the last byte`() {
    let bytes = Self.overwriting(Int16.max, at: Self.fieldCountOffset)
    #expect(throws: BinaryCopyError.self) { try readAll(bytes) }
  }

  @Test(arguments: [-2, Int(Int16.min)])
  func `a field count below -1 is impossible`(count: Int) {
    let bytes = Self.overwriting(Int16(count), at: Self.fieldCountOffset)
    #expect(throws: BinaryCopyError.negativeLength(count, offset: Self.fieldCountOffset)) { try readAll(bytes) }
  }

  @Test(arguments: [Int(Int32.max), 1 << 20])
  func `a header extension past the end is truncated`(length: Int) {
    let bytes = Self.overwriting(Int32(length), at: 15)
    #expect(throws: BinaryCopyError.truncated(offset: bytes.count)) { try readAll(bytes) }
  }

  @Test func `a header extension of negative length is impossible`() {
    let bytes = Self.overwriting(Int32(-1), at: 15)
    #expect(throws: BinaryCopyError.negativeLength(-1, offset: 15)) { try readAll(bytes) }
  }

  @Test func `whatever one byte becomes, the reader ends with rows or an error`() {
    for position in Self.valid.indices {
      for byte in UInt8.min...UInt8.max {
        _ = try? readAll(Self.valid.replacing([byte], at: position))
      }
    }
  }

  @Test func `an integer is read only where all of its bytes are`() throws {
    let bytes = hex("0102030405060708")
    #expect(try bytes.rawSpan.bigEndian(at: 0, as: Int64.self) == 0x0102_0304_0506_0708)
    #expect(try bytes.rawSpan.bigEndian(at: 6, as: UInt16.self) == 0x0708)
    for offset in [-1, 5, 8, Int.max, Int.min] {
      #expect(throws: BinaryCopyError.truncated(offset: offset)) {
        try bytes.rawSpan.bigEndian(at: offset, as: Int32.self)
      }
    }
  }

  @Test func `every error says where`() {
    let errors: [BinaryCopyError] = [
      .truncated(offset: 77), .negativeLength(-5, offset: 77), .fieldCount(found: 1, expected: 2, offset: 77),
      .wrongWidth(found: 1, expected: 2, offset: 77), .unexpectedArray(offset: 77),
    ]
    for error in errors { #expect("\(error)".contains("77")) }
  }

  private static func overwriting(_ value: some FixedWidthInteger, at offset: Int) -> [UInt8] {
    var bytes = valid
    bytes.overwrite(bigEndian: value, at: offset)
    return bytes
  }
}
