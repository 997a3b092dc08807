import BinaryCopy
import TestSupport
import Testing

/// Wrong bytes of all kinds: every one ends in success or in a `BinaryCopyError`, none in a crash.
@Suite struct FuzzTests {
  @Test func `random bytes never crash the readers`() {
    var generator = SeededGenerator.forTest("random bytes")
    for _ in 0..<40_000 {
      let bytes = generator.bytes(generator.below(60))
      Self.readEverything(bytes, from: generator.below(bytes.count + 1))
    }
  }

  @Test func `random bytes behind a valid header never crash the readers`() {
    var generator = SeededGenerator.forTest("random rows")
    let header = stream([]).dropLast(2)
    for _ in 0..<40_000 {
      // Small values: lengths and counts that lead somewhere.
      let rows = generator.bytes(generator.below(60)).map { $0 < 200 ? $0 & 3 : $0 }
      Self.readEverything(header + rows, from: header.count)
    }
  }

  @Test func `changed, cut and patched streams never crash the readers`() {
    var generator = SeededGenerator.forTest("mutated streams")
    for _ in 0..<40_000 {
      var bytes = stream(Self.randomRows(&generator))
      for _ in 0...generator.below(3) { Self.mutate(&bytes, &generator) }
      Self.readEverything(bytes, from: 0)
    }
  }

  /// Reads the bytes as a stream, as rows, as an array and as numerics.
  private static func readEverything(_ bytes: [UInt8], from offset: Int) {
    let span = bytes.rawSpan
    _ = try? readAll(bytes)
    var cursor = CopyCursor(offset: offset)
    while let count = try? cursor.beginRow(in: span), (try? cursor.skipFields(count, in: span)) != nil {}
    if !(0...bytes.count).contains(cursor.offset) { Issue.record("the cursor left the bytes: \(bytes)") }
    if var array = try? BinaryArrayCursor(span, at: offset) {
      // A count of two thousand millions is believed only as long as there are elements.
      for _ in 0..<array.count { guard (try? array.next(in: span)) != nil else { break } }
    }
    _ = try? NumericOrder.compare(
      FieldRange(offset: 0, byteCount: bytes.count),
      in: span,
      FieldRange(offset: offset, byteCount: bytes.count - offset),
      in: span
    )
  }

  private static func randomRows(_ generator: inout SeededGenerator) -> [[[UInt8]?]] {
    (0..<generator.below(4)).map { _ in
      (0..<generator.below(4)).map { _ in generator.below(4) == 0 ? nil : generator.bytes(generator.below(12)) }
    }
  }

  private static func mutate(_ bytes: inout [UInt8], _ generator: inout SeededGenerator) {
    guard !bytes.isEmpty else { return }
    let place = generator.below(bytes.count)
    switch generator.below(5) {
    case 0: bytes[place] = UInt8(truncatingIfNeeded: generator.next())
    case 1: bytes.removeSubrange(place...)
    case 2: bytes.remove(at: place)
    case 3: bytes.insert(contentsOf: generator.bytes(1 + generator.below(4)), at: place)
    default:
      let lengths: [Int32] = [-1, -2, .min, .max, 0, 1, 0x7FFF_0000, 0xFFFF]
      guard place <= bytes.count - 4 else { return }
      bytes.overwrite(bigEndian: lengths[generator.below(lengths.count)], at: place)
    }
  }
}
