/// The order of two `numeric` values in their binary form, as the server orders them.
///
/// ```
/// Int16 digit count | Int16 weight | UInt16 sign | UInt16 display scale | Int16 digit (0 to 9999) ...
/// ```
///
/// The value is `digit0 * 10000^weight + digit1 * 10000^(weight-1) + ...`; the server sends no leading and no trailing
/// zero digits, so values can be compared digit by digit from the weight down. -Infinity < numbers < Infinity < NaN.
/// Format: `numeric_send` and `cmp_numerics` in PostgreSQL's `src/backend/utils/adt/numeric.c`.
public enum NumericOrder {
  /// Compares two values where they lie.
  ///
  /// Both may lie in the same buffer or in different ones; display scales have no say.
  ///
  /// - Returns: below 0, 0 or above 0, as the left value is less than, equal to or greater than the right one.
  /// - Throws: ``BinaryCopyError`` when a value is cut off, or not as long as its digit count says.
  /// - Complexity: O(digits), no allocation.
  public static func compare(
    _ left: FieldRange,
    in leftBytes: RawSpan,
    _ right: FieldRange,
    in rightBytes: RawSpan
  ) throws(BinaryCopyError) -> Int {
    let leftHead = try Head(left, leftBytes)
    let rightHead = try Head(right, rightBytes)
    guard leftHead.rank == rightHead.rank else { return leftHead.rank - rightHead.rank }
    // Zero, infinities and NaN have no digits that could differ.
    guard leftHead.isFinite, leftHead.rank != Head.zeroRank else { return 0 }
    let magnitude = try compareMagnitudes(leftHead, in: leftBytes, rightHead, in: rightBytes)
    return leftHead.rank > Head.zeroRank ? magnitude : -magnitude
  }

  private static func compareMagnitudes(
    _ left: Head,
    in leftBytes: RawSpan,
    _ right: Head,
    in rightBytes: RawSpan
  ) throws(BinaryCopyError) -> Int {
    guard left.weight == right.weight else { return left.weight - right.weight }
    for index in 0..<min(left.digitCount, right.digitCount) {
      let leftDigit: Int16 = try leftBytes.bigEndian(at: left.digits + 2 * index)
      let rightDigit: Int16 = try rightBytes.bigEndian(at: right.digits + 2 * index)
      if leftDigit != rightDigit { return Int(leftDigit) - Int(rightDigit) }
    }
    return left.digitCount - right.digitCount
  }

  private struct Head {
    static let zeroRank = 2

    let digitCount: Int
    let weight: Int
    let digits: Int
    /// -Infinity 0, negative 1, zero 2, positive 3, Infinity 4, NaN 5.
    let rank: Int

    var isFinite: Bool { (1...3).contains(rank) }

    init(_ field: FieldRange, _ bytes: RawSpan) throws(BinaryCopyError) {
      let count: Int16 = try bytes.bigEndian(at: field.offset)
      let weight: Int16 = try bytes.bigEndian(at: field.offset + 2)
      let sign: UInt16 = try bytes.bigEndian(at: field.offset + 4)
      guard count >= 0, field.byteCount == 8 + 2 * Int(count) else {
        throw .wrongWidth(found: field.byteCount, expected: 8 + 2 * max(0, Int(count)), offset: field.offset)
      }
      digitCount = Int(count)
      self.weight = Int(weight)
      digits = field.offset + 8
      rank =
        switch sign {
        case 0xC000: 5
        case 0xD000: 4
        case 0xF000: 0
        case _ where count == 0: Self.zeroRank
        case 0x4000: 1
        // 0x0000; another sign is none that a server sends, and ordering it anywhere does no harm.
        default: 3
        }
    }
  }
}
