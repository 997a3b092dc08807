import BinaryCopy
import Testing

@testable import MergeEngine

@Suite struct VersionTypeTests {
  @Test(
    arguments: [
      (20, Int64.min, Int64.max), (1114, -1, 0), (1184, Int64.min, Int64.min + 1), (23, -5, 5), (1082, -1, 0),
      (21, -32768, 32767),
    ] as [(UInt32, Int64, Int64)]
  )
  func `integers, dates and timestamps are compared as signed numbers`(oid: UInt32, older: Int64, newer: Int64) throws {
    let type = try #require(VersionType(typeOid: oid))
    func binary(_ value: Int64) -> [UInt8] {
      switch oid {
      case 21: bytes(Int16(value))
      case 23, 1082: bytes(Int32(value))
      default: bytes(value)
      }
    }
    #expect(try Self.compare(type, binary(older), binary(newer)) < 0)
    #expect(try Self.compare(type, binary(newer), binary(older)) > 0)
    #expect(try Self.compare(type, binary(newer), binary(newer)) == 0)
  }

  @Test func `infinite timestamps are the oldest and the newest`() throws {
    // timestamp's -infinity and infinity are the lowest and the highest integer; so are date's.
    let now = bytes(Int64(800_000_000_000_000))
    #expect(try Self.compare(.integer(byteCount: 8), bytes(Int64.min), now) < 0)
    #expect(try Self.compare(.integer(byteCount: 8), bytes(Int64.max), now) > 0)
  }

  @Test func `numerics are compared by value, whatever their scale`() throws {
    let one = bytes(0x0001_0000_0000_0000 as UInt64) + bytes(Int16(1))
    let oneWithScale = bytes(0x0001_0000_0000_0002 as UInt64) + bytes(Int16(1))
    let two = bytes(0x0001_0000_0000_0000 as UInt64) + bytes(Int16(2))
    #expect(try Self.compare(.numeric, one, oneWithScale) == 0)
    #expect(try Self.compare(.numeric, one, two) < 0)
    #expect(try Self.compare(.numeric, two, oneWithScale) > 0)
  }

  @Test(arguments: [VersionType.integer(byteCount: 8), .numeric])
  func `NULL is older than every version and as old as NULL`(type: VersionType) throws {
    // As an integer the lowest there is, as a numeric 0.
    let oldest = type.isNumeric ? bytes(Int64(0)) : bytes(Int64.min)
    #expect(try Self.compare(type, nil, oldest) < 0)
    #expect(try Self.compare(type, oldest, nil) > 0)
    #expect(try Self.compare(type, nil, nil) == 0)
  }

  @Test(arguments: [0, 1, 2, 3, 4, 7, 9, 16])
  func `a value that is not as wide as its type is an error`(byteCount: Int) {
    let value = [UInt8](repeating: 1, count: byteCount)
    #expect(throws: BinaryCopyError.wrongWidth(found: byteCount, expected: 8, offset: 4)) {
      try Self.compare(.integer(byteCount: 8), value, bytes(Int64(1)))
    }
  }

  @Test func `only types with an order of versions are taken`() {
    for oid in [20, 21, 23, 1082, 1114, 1184, 1700] as [UInt32] { #expect(VersionType(typeOid: oid) != nil) }
    for oid in [0, 16, 25, 700, 701, 1083, 1186, 2950] as [UInt32] { #expect(VersionType(typeOid: oid) == nil) }
  }

  /// Reads both as fields of a stream and compares them.
  private static func compare(_ type: VersionType, _ left: [UInt8]?, _ right: [UInt8]?) throws -> Int {
    func field(_ value: [UInt8]?) -> [UInt8] { bytes(Int32(value?.count ?? -1)) + (value ?? []) }
    let left = field(left)
    let right = field(right)
    var leftCursor = CopyCursor()
    var rightCursor = CopyCursor()
    return try type.compare(
      type.read(leftCursor.readField(in: left.rawSpan), in: left.rawSpan),
      in: left.rawSpan,
      type.read(rightCursor.readField(in: right.rawSpan), in: right.rawSpan),
      in: right.rawSpan
    )
  }
}

extension VersionType {
  fileprivate var isNumeric: Bool {
    if case .numeric = self { true } else { false }
  }
}
