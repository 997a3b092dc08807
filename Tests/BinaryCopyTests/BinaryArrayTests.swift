import BinaryCopy
import TestSupport
import Testing

@Suite struct BinaryArrayTests {
  /// `array_send('{1,NULL,-1}'::int[])`, as PostgreSQL 15 gives it.
  static let ofServer = hex(
    "00000001 00000001 00000017 00000003 00000001 00000004 00000001 FFFFFFFF 00000004 FFFFFFFF"
  )

  @Test func `reads what the server sends`() throws {
    #expect(try elements(Self.ofServer) == [[0, 0, 0, 1], nil, [255, 255, 255, 255]])
  }

  @Test func `writes what the server would send`() throws {
    #expect(try array([[0, 0, 0, 1], nil, [255, 255, 255, 255]], of: 23) == Self.ofServer)
  }

  @Test func `values that stand alone, and NULL, become the same elements`() throws {
    var writer = BinaryArrayWriter(elementType: 23)
    let source = hex("AA 00000001 FFFFFFFF")
    writer.append(1..<5, of: source.rawSpan)
    writer.appendNull()
    writer.append(5..<9, of: source.rawSpan)
    writer.finish()
    #expect(writer.bytes == Self.ofServer)
  }

  @Test func `an array without elements has no dimension`() throws {
    let empty = try array([], of: 25)
    #expect(empty == hex("00000000 00000000 00000019"))
    #expect(try elements(empty) == [])
  }

  @Test func `an array of empty values has no NULL`() throws {
    let bytes = try array([[], []], of: 25)
    #expect(bytes[4..<8] == [0, 0, 0, 0])
    #expect(try elements(bytes) == [[], []])
  }

  @Test func `a writer can be used as it was made`() throws {
    var writer = BinaryArrayWriter(elementType: 23)
    writer.finish()
    #expect(try elements(writer.bytes) == [])
  }

  @Test func `a writer used again knows nothing of the last array`() throws {
    var writer = BinaryArrayWriter(elementType: 23)
    let source = hex("FFFFFFFF 00000001 AA")
    for _ in 0..<2 {
      writer.removeAll()
      writer.append(FieldRange(offset: 4, byteCount: -1), of: source.rawSpan)
      writer.append(FieldRange(offset: 8, byteCount: 1), of: source.rawSpan)
      writer.finish()
      #expect(try elements(writer.bytes) == [nil, [0xAA]])
    }
    writer.removeAll()
    writer.append(FieldRange(offset: 8, byteCount: 1), of: source.rawSpan)
    writer.finish()
    #expect(writer.bytes[4..<8] == [0, 0, 0, 0])
    #expect(try elements(writer.bytes) == [[0xAA]])
  }

  @Test func `whatever is written is read again`() throws {
    var generator = SeededGenerator.forTest("arrays")
    for _ in 0..<2_000 {
      let values = (0..<generator.below(9)).map { _ in
        generator.below(4) == 0 ? nil : generator.bytes(generator.below(20))
      }
      guard try elements(array(values, of: 17)) == values else {
        Issue.record("not the same: \(values), seed \(generator.seed)")
        return
      }
    }
  }

  @Test func `an array may stand behind other bytes`() throws {
    let bytes = [9, 9, 9] + Self.ofServer
    var cursor = try BinaryArrayCursor(bytes.rawSpan, at: 3)
    #expect(cursor.count == 3)
    #expect(try cursor.next(in: bytes.rawSpan).bytes == 27..<31)
  }

  @Test func `an array cut off anywhere is truncated`() throws {
    for whole in [Self.ofServer, try array([], of: 23), try array([[]], of: 23)] {
      for count in 0..<whole.count {
        #expect(throws: BinaryCopyError.self, "cut at \(count) of \(whole.count)") {
          try elements(Array(whole[..<count]))
        }
      }
    }
  }

  @Test func `the last element is followed by an error`() throws {
    var cursor = try BinaryArrayCursor(Self.ofServer.rawSpan)
    for _ in 0..<3 { _ = try cursor.next(in: Self.ofServer.rawSpan) }
    #expect(throws: BinaryCopyError.truncated(offset: Self.ofServer.count)) {
      try cursor.next(in: Self.ofServer.rawSpan)
    }
  }

  @Test(arguments: [2, -1, Int(Int32.max), Int(Int32.min)])
  func `only one dimension is read`(dimensions: Int) {
    var bytes = Self.ofServer
    bytes.overwrite(bigEndian: Int32(dimensions), at: 0)
    #expect(throws: BinaryCopyError.unexpectedArray(offset: 0)) { try elements(bytes) }
  }

  @Test func `a negative count is no array`() {
    var bytes = Self.ofServer
    bytes.overwrite(bigEndian: Int32(-1), at: 12)
    #expect(throws: BinaryCopyError.unexpectedArray(offset: 0)) { try elements(bytes) }
  }

  @Test func `a count beyond the elements ends in an error`() {
    var bytes = Self.ofServer
    bytes.overwrite(bigEndian: Int32.max, at: 12)
    #expect(throws: BinaryCopyError.truncated(offset: bytes.count)) { try elements(bytes) }
  }
}

/// An array written element by element from the fields of a row.
private func array(_ values: [[UInt8]?], of type: UInt32) throws(BinaryCopyError) -> [UInt8] {
  let row = stream([values])
  var cursor = CopyCursor(offset: 21)
  var writer = BinaryArrayWriter(elementType: type)
  writer.removeAll()
  for _ in values { writer.append(try cursor.readField(in: row.rawSpan), of: row.rawSpan) }
  writer.finish()
  return writer.bytes
}

/// The elements of an array; nil is SQL NULL.
func elements(_ array: [UInt8]) throws(BinaryCopyError) -> [[UInt8]?] {
  var cursor = try BinaryArrayCursor(array.rawSpan)
  var values: [[UInt8]?] = []
  for _ in 0..<cursor.count {
    let field = try cursor.next(in: array.rawSpan)
    values.append(field.isNull ? nil : Array(array[field.bytes]))
  }
  return values
}
