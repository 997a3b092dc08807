import BinaryCopy
import TestSupport
import Testing

/// Streams walked over in pieces.
@Suite struct CopyRowScannerTests {
  private static let rows: [[[UInt8]?]] = [
    [[1, 2, 3, 4], []], [nil, [7]], [[5, 6, 7, 8], Array(repeating: 9, count: 300)],
  ]

  @Test(arguments: [1, 2, 3, 5, 7, 11, 64, 10_000])
  func `pieces of any size give the same rows, each where it begins and ends`(pieceByteCount: Int) throws {
    let bytes = stream(Self.rows)
    let (starts, ends) = try Self.walk(bytes, by: pieceByteCount, widths: [4, -1])
    #expect(starts == [19, 33, 44])
    #expect(ends == [33, 44, bytes.count - 2])
  }

  @Test func `a header with an extension is stepped over`() throws {
    let plain = stream(Self.rows)
    let bytes = plain.replacing([0, 0, 0, 3], at: 15)
    let extended = Array(bytes[..<19]) + [1, 2, 3] + Array(bytes[19...])
    for pieceByteCount in 1...30 {
      #expect(try Self.walk(extended, by: pieceByteCount, widths: [4, -1]).starts == [22, 36, 47])
    }
  }

  @Test(arguments: 0..<21)
  func `a stream that ends early is truncated, wherever it ends`(byteCount: Int) {
    let bytes = stream([]).prefix(byteCount)
    #expect(throws: BinaryCopyError.self) {
      _ = try Self.walk(Array(bytes), by: 4, widths: [])
    }
  }

  @Test func `what is wrong is told with its place`() {
    let bytes = stream(Self.rows)
    func error(_ bytes: [UInt8], widths: [Int] = [4, -1]) -> BinaryCopyError? {
      #expect(throws: BinaryCopyError.self) { _ = try Self.walk(bytes, by: 6, widths: widths) }
    }
    #expect(error(bytes.replacing([0], at: 3)) == .wrongSignature)
    #expect(error(bytes.replacing([0, 1, 0, 0], at: 11)) == .unknownCriticalFlags(0x1_0000))
    #expect(error(bytes.replacing([0xFF, 0xFF, 0xFF, 0xFE], at: 21)) == .negativeLength(-2, offset: 21))
    #expect(error(bytes.replacing([0xFF, 0xFE], at: 33)) == .negativeLength(-2, offset: 33))
    #expect(error(bytes, widths: [8, -1]) == .wrongWidth(found: 4, expected: 8, offset: 21))
    #expect(error(bytes, widths: [4]) == .fieldCount(found: 2, expected: 1, offset: 19))
    #expect(error(bytes + [0]) == .bytesBehindEnd(offset: bytes.count))
    #expect(error(Array(bytes.dropLast(2))) == .truncated(offset: bytes.count - 2))
  }

  @Test func `changed streams in pieces give rows or a BinaryCopyError, as a walk in one piece does`() {
    var generator = SeededGenerator.forTest("scanned pieces")
    let whole = stream(Self.rows)
    for _ in 0..<5000 {
      var bytes = whole
      for _ in 0...generator.below(3) { bytes[generator.below(bytes.count)] = UInt8(generator.below(256)) }
      let inOne = try? Self.walk(bytes, by: bytes.count, widths: [-1, -1])
      let inPieces = try? Self.walk(bytes, by: 1 + generator.below(40), widths: [-1, -1])
      #expect(inOne?.ends == inPieces?.ends)
    }
  }

  /// Where rows begin and end.
  private static func walk(
    _ bytes: [UInt8],
    by pieceByteCount: Int,
    widths: [Int]
  ) throws(BinaryCopyError) -> (starts: [Int], ends: [Int]) {
    var scanner = CopyRowScanner(fieldByteCounts: widths)
    var starts: [Int] = []
    var ends: [Int] = []
    for start in stride(from: 0, to: bytes.count, by: pieceByteCount) {
      let piece = Array(bytes[start..<min(start + pieceByteCount, bytes.count)])
      var position = 0
      while try scanner.advance(in: piece.rawSpan, at: &position) == .rowEnd {
        starts.append(scanner.rowStart)
        ends.append(scanner.offset)
      }
    }
    try scanner.finish()
    return (starts, ends)
  }
}
