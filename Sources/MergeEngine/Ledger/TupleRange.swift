import Libpq

/// A stretch of a table by physical address: all tuples from `start` up to but not including `end`.
///
/// An address is `block << 16 | offset`, so that ranges can be halved by arithmetic down to a single tuple.
struct TupleRange: Sendable, Hashable {
  let start: UInt64
  let end: UInt64

  init(start: UInt64, end: UInt64) {
    self.start = start
    self.end = end
  }

  /// Whole blocks.
  init(blocks: Range<Int>) {
    start = UInt64(blocks.lowerBound) << 16
    end = UInt64(blocks.upperBound) << 16
  }

  /// A whole table, however large.
  static let everything = TupleRange(start: 0, end: 1 << 48)

  func contains(_ address: UInt64) -> Bool { start <= address && address < end }

  /// What both have in common; nil if that is nothing.
  func intersection(_ other: TupleRange) -> TupleRange? {
    let (start, end) = (max(start, other.start), min(end, other.end))
    return start < end ? TupleRange(start: start, end: end) : nil
  }

  /// A block of 32 KiB holds at most 1,638 tuples (`MaxHeapTuplesPerPage`); beyond this offset there are none.
  private static let offsetLimit: UInt64 = 2048

  var blockCount: Int { Int((end >> 16) - (start >> 16)) }

  /// Both halves, or nil when there is only one tuple left.
  var halves: (TupleRange, TupleRange)? {
    guard end > start else { return nil }
    // Within one block the addresses behind the last possible tuple are empty and not worth halving.
    let lastUsed = (end - 1) >> 16 == start >> 16 ? min(end, (start >> 16) << 16 + Self.offsetLimit) : end
    guard lastUsed > start + 1 else { return nil }
    var middle = start + (lastUsed - start) / 2
    // As long as there are several blocks, halve between blocks.
    if (lastUsed - 1) >> 16 != start >> 16 { middle = max(middle >> 16, (start >> 16) + 1) << 16 }
    guard middle > start && middle < end else { return nil }
    return (TupleRange(start: start, end: middle), TupleRange(start: middle, end: end))
  }

  /// `s.ctid >= '(0,0)'::tid AND s.ctid < '(100,0)'::tid`: a TID range scan, no index and no sort.
  ///
  /// No upper bound where there is none that could be written.
  var condition: SQL {
    let isBehindStart: SQL = "s.ctid >= \(TupleAddress(start))"
    return end < Self.everything.end ? "\(isBehindStart) AND s.ctid < \(TupleAddress(end))" : isBehindStart
  }
}

/// A tuple's physical address, as `ctid` shows it.
struct TupleAddress: Sendable, Hashable, CustomStringConvertible {
  let packed: UInt64

  /// `(12,3)`, as the server writes it.
  var description: String { "(\(block),\(offset))" }

  init(_ packed: UInt64) {
    self.packed = packed
  }

  var block: UInt32 { UInt32(truncatingIfNeeded: packed >> 16) }
  var offset: UInt16 { UInt16(truncatingIfNeeded: packed) }
}

extension TupleAddress {
  /// Some addresses as a constant of type tid[].
  static func list(_ addresses: some Sequence<UInt64>) -> SQL { "\(Literal(arrayText(addresses)))::tid[]" }

  /// Some addresses as the server writes an array of them: `{"(0,1)","(0,2)"}`.
  static func arrayText(_ addresses: some Sequence<UInt64>) -> String {
    "{" + addresses.map { "\"\(TupleAddress($0))\"" }.joined(separator: ",") + "}"
  }

  /// An address as the server writes it.
  init?(text: some StringProtocol) {
    let numbers = text.dropFirst().dropLast().split(separator: ",")
    guard numbers.count == 2, let block = UInt32(numbers[0]), let offset = UInt16(numbers[1]) else { return nil }
    self.init(UInt64(block) << 16 | UInt64(offset))
  }

  /// The addresses of an array as the server writes it: `{"(0,1)","(0,2)"}`.
  static func addresses(ofArray text: String) -> [UInt64] {
    text.split(separator: "\"").compactMap { TupleAddress(text: $0)?.packed }
  }
}

extension SQL {
  /// The rows of `s` at these addresses, as `s.ctid = ANY ('{"(0,1)","(0,2)"}'::tid[])`; they come in the addresses' order.
  static func rows(at addresses: some Sequence<UInt64>) -> SQL {
    "s.ctid = ANY (\(TupleAddress.list(addresses)))"
  }
}

extension SQL.Interpolation {
  /// A tuple's address as a constant of type tid.
  mutating func appendInterpolation(_ address: TupleAddress) {
    appendLiteral("'(")
    appendInterpolation(address.block)
    appendLiteral(",")
    appendInterpolation(address.offset)
    appendLiteral(")'::tid")
  }
}
