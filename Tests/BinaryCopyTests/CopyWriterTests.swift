import BinaryCopy
import TestSupport
import Testing

@Suite struct CopyWriterTests {
  @Test func `writes what the server would send`() {
    #expect(stream([[[0, 0, 0, 1], [0x61], nil, []]]) == CopyCursorTests.oneRow)
  }

  @Test func `whatever is written is read again`() throws {
    var generator = SeededGenerator.forTest("writer and reader")
    for _ in 0..<2_000 {
      let rows = (0..<generator.below(6)).map { _ in
        (0..<generator.below(8)).map { _ in
          generator.below(4) == 0 ? nil : generator.bytes(generator.below(40))
        }
      }
      guard try readAll(stream(rows)) == rows else {
        Issue.record("not the same: \(rows), seed \(generator.seed)")
        return
      }
    }
  }

  @Test func `a row is taken over as it stands in another stream`() throws {
    let source = CopyCursorTests.oneRow
    var writer = CopyWriter()
    writer.writeHeader()
    writer.writeRow(fieldCount: 4, fields: 21..<(source.count - 2), of: source.rawSpan)
    writer.writeTrailer()
    #expect(writer.bytes == source)
  }

  @Test func `a part of a row is taken over, NULL and empty values included`() throws {
    let source = CopyCursorTests.oneRow
    var cursor = CopyCursor(offset: 21)
    try cursor.skipFields(2, in: source.rawSpan)
    var writer = CopyWriter()
    writer.writeHeader()
    writer.writeRow(fieldCount: 2, fields: cursor.offset..<(source.count - 2), of: source.rawSpan)
    writer.writeTrailer()
    #expect(try readAll(writer.bytes) == [[nil, []]])
  }

  @Test func `a whole row takes a bigint behind its last field`() throws {
    let source = stream([[[1, 2], nil]])
    var writer = CopyWriter()
    writer.writeHeader()
    // Behind header and field count: a field of two bytes, and NULL.
    writer.writeRow(fieldCount: 2, fields: 21..<31, of: source.rawSpan, followedBy: 258)
    writer.writeTrailer()
    #expect(try readAll(writer.bytes) == [[[1, 2], nil, [0, 0, 0, 0, 0, 0, 1, 2]]])
  }

  @Test func `forgetting the bytes begins anew`() throws {
    var writer = CopyWriter(capacity: 64)
    writer.writeHeader()
    writer.removeAll()
    #expect(writer.bytes.isEmpty)
    writer.writeHeader()
    writer.writeTrailer()
    #expect(try readAll(writer.bytes) == [])
  }

  @Test func `integers are written most significant byte first`() {
    var bytes: [UInt8] = []
    bytes.append(bigEndian: Int16(-2))
    bytes.append(bigEndian: UInt32(0x0102_0304))
    bytes.append(bigEndian: Int64.min)
    #expect(bytes == hex("FFFE 01020304 8000000000000000"))
    bytes.overwrite(bigEndian: Int32(-2), at: 1)
    #expect(bytes == hex("FF FFFFFFFE 04 8000000000000000"))
    bytes.append(0..<2, of: hex("AABBCC").rawSpan)
    #expect(bytes.suffix(2) == [0xAA, 0xBB])
  }
}
