import BinaryCopy
import Foundation
import TestSupport
import Testing

@Suite struct NumericOrderTests {
  /// What `SELECT numeric_send(…)` gives on PostgreSQL 15.
  static let ofServer: [(text: String, bytes: [UInt8])] = [
    ("0", hex("0000 0000 0000 0000")),
    ("0.00", hex("0000 0000 0000 0002")),
    ("1", hex("0001 0000 0000 0000 0001")),
    ("1.0", hex("0001 0000 0000 0001 0001")),
    ("-1", hex("0001 0000 4000 0000 0001")),
    ("10000", hex("0001 0001 0000 0000 0001")),
    ("12345.678", hex("0003 0001 0000 0003 0001 0929 1A7C")),
    ("-0.0001", hex("0001 FFFF 4000 0004 0001")),
    ("0.00000001", hex("0001 FFFE 0000 0008 0001")),
    ("99999999", hex("0002 0001 0000 0000 270F 270F")),
    ("NaN", hex("0000 0000 C000 0000")),
    ("Infinity", hex("0000 0000 D000 0020")),
    ("-Infinity", hex("0000 0000 F000 0020")),
  ]

  /// Values in the server's order; those of one line are equal.
  static let ordered: [[String]] = [
    ["-Infinity"],
    ["-1000000000000000000000000000000000000000"],
    ["-10001"],
    ["-10000", "-10000.0000"],
    ["-9999.9999"],
    ["-2"],
    ["-1.5"],
    ["-1.00001"],
    ["-1", "-1.0", "-1.00000000"],
    ["-0.0001", "-0.000100"],
    ["-0.00000001"],
    ["0", "0.0", "0.000000", "-0"],
    ["0.00000001"],
    ["0.0001"],
    ["0.00010001"],
    ["0.1", "0.10", "0.1000000"],
    ["1", "1.000"],
    ["1.00001"],
    ["1.5"],
    ["2"],
    ["9999"],
    ["9999.9999"],
    ["10000", "10000.00"],
    ["10000.0001"],
    ["10001"],
    ["100000000"],
    ["1000000000000000000000000000000000000000"],
    ["Infinity"],
    ["NaN"],
  ]

  @Test func `the encoder of these tests writes what the server writes`() {
    for (text, bytes) in Self.ofServer { #expect(numeric(text) == bytes, "\(text)") }
  }

  @Test func `orders negatives, zero, weights, infinities and NaN as the server does`() throws {
    for (leftPlace, leftValues) in Self.ordered.enumerated() {
      for (rightPlace, rightValues) in Self.ordered.enumerated() {
        for left in leftValues {
          for right in rightValues {
            #expect(
              try order(numeric(left), numeric(right)) == (leftPlace - rightPlace).signum(),
              "\(left) against \(right)"
            )
          }
        }
      }
    }
  }

  @Test func `agrees with Decimal on random values`() throws {
    var generator = SeededGenerator.forTest("numeric order")
    for _ in 0..<5_000 {
      let left = Self.randomDecimal(&generator)
      let right = generator.below(3) == 0 ? Self.neighbour(of: left, &generator) : Self.randomDecimal(&generator)
      let (leftNumber, rightNumber) = try (#require(Decimal(string: left)), #require(Decimal(string: right)))
      let expected = leftNumber < rightNumber ? -1 : leftNumber == rightNumber ? 0 : 1
      let found = try order(numeric(left), numeric(right))
      guard found == expected, try order(numeric(right), numeric(left)) == -expected else {
        Issue.record("\(left) against \(right): \(found), not \(expected); seed \(generator.seed)")
        return
      }
    }
  }

  @Test func `agrees with Int on random integers`() throws {
    var generator = SeededGenerator.forTest("numeric order of integers")
    for _ in 0..<5_000 {
      let shift = generator.below(60)
      let left = Int(truncatingIfNeeded: generator.next()) >> shift
      let right =
        generator.below(3) == 0 ? left &+ generator.below(3) - 1 : Int(truncatingIfNeeded: generator.next()) >> shift
      guard try order(numeric("\(left)"), numeric("\(right)")) == (left < right ? -1 : left == right ? 0 : 1) else {
        Issue.record("\(left) against \(right), seed \(generator.seed)")
        return
      }
    }
  }

  @Test func `is transitive`() throws {
    var generator = SeededGenerator.forTest("numeric order is transitive")
    var values = (0..<60).map { _ in Self.randomDecimal(&generator) } + Self.ordered.joined()
    try values.sort { try order(numeric($0), numeric($1)) < 0 }
    let encoded = values.map(numeric)
    for left in encoded.indices {
      for right in encoded.indices.dropFirst(left) where try order(encoded[left], encoded[right]) > 0 {
        Issue.record("\(values[left]) sorted before \(values[right]), seed \(generator.seed)")
      }
    }
  }

  @Test func `a value cut off anywhere, or of another length than it says, is an error`() {
    let whole = numeric("12345.678")
    for count in 0..<whole.count {
      #expect(throws: BinaryCopyError.self, "cut at \(count)") { try order(Array(whole[..<count]), whole) }
      #expect(throws: BinaryCopyError.self, "cut at \(count)") { try order(whole, Array(whole[..<count])) }
    }
    #expect(throws: BinaryCopyError.wrongWidth(found: 15, expected: 14, offset: 0)) { try order(whole + [0], whole) }
    for count in [Int16(-1), .min, .max] {
      var bytes = whole
      bytes.overwrite(bigEndian: count, at: 0)
      #expect(throws: BinaryCopyError.self) { try order(bytes, whole) }
    }
  }

  @Test func `a value that ends behind its buffer is an error`() {
    let whole = numeric("1")
    #expect(throws: BinaryCopyError.truncated(offset: 8)) {
      try NumericOrder.compare(
        FieldRange(offset: 0, byteCount: 10),
        in: Array(whole[..<8]).rawSpan,
        FieldRange(offset: 0, byteCount: 10),
        in: whole.rawSpan
      )
    }
  }

  /// Up to 30 digits, which Decimal holds exactly, the point anywhere among or before them.
  private static func randomDecimal(_ generator: inout SeededGenerator) -> String {
    let wholeCount = 1 + generator.below(15)
    let whole = digits(wholeCount, &generator)
    let fraction = digits(generator.below(15), &generator)
    return (generator.below(2) == 0 ? "-" : "") + whole + (fraction.isEmpty ? "" : "." + fraction)
  }

  /// Many zeros, so that groups of zeros stand at the ends and inside.
  private static func digits(_ count: Int, _ generator: inout SeededGenerator) -> String {
    String((0..<count).map { _ in generator.below(2) == 0 ? "0" : Character("\(generator.below(10))") })
  }

  /// The same value with another sign, with zeros behind it, or with one digit changed.
  private static func neighbour(of text: String, _ generator: inout SeededGenerator) -> String {
    switch generator.below(3) {
    case 0: return text.hasPrefix("-") ? String(text.dropFirst()) : "-" + text
    case 1: return text.contains(".") ? text + "00" : text + ".0"
    default:
      var characters = Array(text)
      let place = generator.below(characters.count)
      if characters[place].isNumber { characters[place] = Character("\(generator.below(10))") }
      return String(characters)
    }
  }
}
