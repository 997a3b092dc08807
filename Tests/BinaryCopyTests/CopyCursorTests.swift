import BinaryCopy
import Testing

@Suite struct CopyCursorTests {
  /// `COPY (VALUES (1, 'a', NULL, '')) TO STDOUT (FORMAT binary)`, integer and three texts, as PostgreSQL 15 sends it.
  static let oneRow = hex(
    """
    5047434F50590AFF0D0A00 00000000 00000000
    0004 00000004 00000001 00000001 61 FFFFFFFF 00000000
    FFFF
    """
  )

  @Test func `reads what the server sends`() throws {
    #expect(try readAll(Self.oneRow) == [[[0, 0, 0, 1], [0x61], nil, []]])
  }

  @Test func `a field's place leads to its value and to its length in front`() throws {
    let span = Self.oneRow.rawSpan
    var cursor = CopyCursor()
    try cursor.readHeader(in: span)
    #expect(cursor.offset == 19)
    #expect(try cursor.beginRow(in: span) == 4)
    let number = try cursor.readField(in: span)
    #expect(number == FieldRange(offset: 25, byteCount: 4))
    #expect(number.bytes == 25..<29 && number.bytesWithLength == 21..<29)
    let text = try cursor.readField(in: span)
    #expect(Array(Self.oneRow[text.bytesWithLength]) == [0, 0, 0, 1, 0x61])
    let null = try cursor.readField(in: span)
    #expect(null.isNull && null.bytes.isEmpty && null.bytesWithLength.count == 4)
    let empty = try cursor.readField(in: span)
    #expect(!empty.isNull && empty.bytes.isEmpty && empty.bytesWithLength.count == 4)
    #expect(try cursor.beginRow(in: span) == nil)
    #expect(cursor.offset == Self.oneRow.count)
  }

  @Test func `a table without rows is header and trailer`() throws {
    #expect(try readAll(stream([])) == [])
  }

  @Test func `rows without fields are rows`() throws {
    #expect(try readAll(stream([[], [], []])) == [[], [], []])
  }

  @Test func `streams may stand behind each other`() throws {
    let both = Self.oneRow + stream([[nil]])
    var cursor = CopyCursor()
    #expect(try readStream(&cursor, both).count == 1)
    #expect(cursor.offset == Self.oneRow.count)
    #expect(try readStream(&cursor, both) == [[nil]])
    #expect(cursor.offset == both.count)
  }

  @Test func `skipping fields ends where reading them ends`() throws {
    let span = Self.oneRow.rawSpan
    var cursor = CopyCursor(offset: 21)
    try cursor.skipFields(4, in: span)
    #expect(cursor.offset == Self.oneRow.count - 2)
  }

  @Test func `the header's extension is stepped over`() throws {
    var bytes = Self.oneRow
    bytes.overwrite(bigEndian: Int32(5), at: 15)
    bytes.insert(contentsOf: [1, 2, 3, 4, 5], at: 19)
    #expect(try readAll(bytes).count == 1)
  }

  @Test(arguments: [1, 0x8000, 0xFFFF] as [UInt32])
  func `flags of the lower half are not critical`(flags: UInt32) throws {
    var bytes = Self.oneRow
    bytes.overwrite(bigEndian: flags, at: 11)
    #expect(try readAll(bytes).count == 1)
  }

  @Test(arguments: 16...31)
  func `every flag of the upper half is refused`(bit: Int) {
    var bytes = Self.oneRow
    bytes.overwrite(bigEndian: UInt32(1) << UInt32(bit), at: 11)
    #expect(throws: BinaryCopyError.unknownCriticalFlags(1 << UInt32(bit))) { try readAll(bytes) }
  }

  @Test(arguments: 0..<11)
  func `every byte of the signature counts`(position: Int) {
    let wrong = Self.oneRow.replacing([Self.oneRow[position] ^ 1], at: position)
    #expect(throws: BinaryCopyError.wrongSignature) { try readAll(wrong) }
  }

  @Test func `after an error the cursor stands where it stood`() {
    var cursor = CopyCursor(offset: 3)
    #expect(throws: BinaryCopyError.self) { try cursor.readHeader(in: Self.oneRow.rawSpan) }
    #expect(throws: BinaryCopyError.self) { try cursor.beginRow(in: hex("000000FFFE").rawSpan) }
    #expect(throws: BinaryCopyError.self) { try cursor.readField(in: hex("000000 7FFFFFFF").rawSpan) }
    #expect(cursor.offset == 3)
  }
}
