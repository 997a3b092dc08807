import BinaryCopy
import TestSupport
import Testing

@testable import MergeEngine

@Suite struct KeyOrderTests {
  @Test(arguments: [TypeOid.smallint, TypeOid.integer, TypeOid.bigint, TypeOid.date])
  func `signed keys go from the lowest to the highest`(oid: UInt32) throws {
    let numbers = [5, -1, 0, 32767, -32768, 256, -256, 1]
    func binary(_ number: Int) -> [UInt8] {
      switch oid {
      case TypeOid.smallint: bytes(Int16(number))
      case TypeOid.bigint: bytes(Int64(number))
      default: bytes(Int32(number))
      }
    }
    let keys = try Self.orderedKeys([oid], numbers.map { [binary($0)] })
    #expect(keys == numbers.sorted().map { binary($0) })
  }

  @Test func `extreme bigints are in order too`() throws {
    let numbers: [Int64] = [.max, 0, .min, -1, .min + 1, .max - 1]
    let keys = try Self.orderedKeys([TypeOid.bigint], numbers.map { [bytes($0)] })
    #expect(keys == numbers.sorted().map { bytes($0) })
  }

  @Test func `text goes by bytes, within eight bytes and behind them`() throws {
    let short = ["b", "a", "Z", "", "ab", "é", "abc", "aa"]
    #expect(
      try Self.orderedKeys([TypeOid.text], short.map { [bytes($0)] })
        == ["", "Z", "a", "aa", "ab", "abc", "b", "é"].map { bytes($0) }
    )
    let long = ["customer-10", "customer-02", "customer-01", "austomer-99"]
    #expect(try Self.orderedKeys([TypeOid.text], long.map { [bytes($0)] }) == long.sorted().map { bytes($0) })
  }

  @Test func `uuids go by bytes`() throws {
    var generator = SeededGenerator.forTest("uuid keys")
    // Half of them differ only behind the eighth byte.
    let keys = (0..<200).map {
      $0 % 2 == 0 ? generator.bytes(16) : [UInt8](repeating: 7, count: 8) + generator.bytes(8)
    }
    let sorted = keys.sorted { $0.lexicographicallyPrecedes($1) }
    #expect(try Self.orderedKeys([TypeOid.uuid], keys.map { [$0] }) == sorted)
  }

  @Test func `composite keys go by their first column, then by the next`() throws {
    let pairs: [(Int32, Int32)] = [(1, 2), (-1, 5), (1, -2), (0, 0), (-1, -5), (1, 0)]
    let batch = try StagedBatch.arranged(
      pairs.map { HandMadeRow(key: [bytes($0), bytes($1)], version: bytes(Int64(0))) },
      .handMade(key: [TypeOid.integer, TypeOid.integer])
    )
    #expect(batch.candidates == [4, 1, 3, 2, 5, 0])
  }

  @Test func `a composite key of number and text goes by the number first`() throws {
    let pairs: [(Int64, String)] = [(2, "a"), (1, "b"), (1, "a"), (-3, "z")]
    let batch = try StagedBatch.arranged(
      pairs.map { HandMadeRow(key: [bytes($0), bytes($1)], version: bytes(Int64(0))) },
      .handMade(key: [TypeOid.bigint, TypeOid.text])
    )
    #expect(batch.candidates == [3, 2, 1, 0])
  }

  @Test func `columns of a composite key do not run into each other`() throws {
    let pairs = [("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc")]
    let batch = try StagedBatch.arranged(
      pairs.map { HandMadeRow(key: [bytes($0), bytes($1)], version: bytes(Int64(0))) },
      .handMade(key: [TypeOid.text, TypeOid.text])
    )
    #expect(batch.candidates.count == 4)
    #expect(batch.rows.allSatisfy { $0.verdict != .duplicate })
  }

  @Test func `the order does not depend on the order in staging`() throws {
    var generator = SeededGenerator.forTest("key order")
    let alphabet = ["a", "b", "aaaaaaaa", "é", "-"]
    let keys = Set((0..<300).map { _ in (0..<generator.below(5)).map { _ in alphabet[generator.below(5)] }.joined() })
    var first: [[UInt8]]?
    for _ in 0..<5 {
      let shuffled = keys.shuffled(using: &generator).map { [bytes($0)] as [[UInt8]?] }
      let ordered = try Self.orderedKeys([TypeOid.text], shuffled)
      #expect(ordered == first ?? ordered)
      first = ordered
    }
  }

  @Test func `of several rows of a key the newest stays`() throws {
    let rows: [(Int64, Int64?)] = [(1, 10), (2, 5), (1, 30), (1, 20), (2, nil), (3, nil)]
    let batch = try StagedBatch.arranged(rows.map { HandMadeRow($0.0, version: $0.1) }, .handMade())
    #expect(batch.candidates == [2, 1, 5])
    #expect(Self.duplicates(batch) == [0, 3, 4])
  }

  @Test func `of equally new rows the last in staging stays`() throws {
    let rows: [(Int64, Int64?)] = [(1, 10), (1, 10), (1, 9), (2, nil), (2, nil)]
    let batch = try StagedBatch.arranged(rows.map { HandMadeRow($0.0, version: $0.1) }, .handMade())
    #expect(batch.candidates == [1, 4])
    #expect(Self.duplicates(batch) == [0, 2, 3])
  }

  @Test func `long keys that are equal are found equal`() throws {
    let keys = ["a long key, the same", "a long key, the samE", "a long key, the same"]
    let batch = try StagedBatch.arranged(
      keys.map { HandMadeRow(key: [bytes($0)], version: bytes(Int64(0))) },
      .handMade(key: [TypeOid.text])
    )
    #expect(batch.candidates == [1, 2])
    #expect(Self.duplicates(batch) == [0])
  }

  @Test func `where equal keys can differ in bytes all rows stay candidates`() throws {
    let batch = try StagedBatch.arranged(
      (0..<3).map { HandMadeRow(1, version: $0) },
      .handMade(keyEqualityIsBytewise: false)
    )
    #expect(batch.candidates == [0, 1, 2])
    #expect(Self.duplicates(batch).isEmpty)
  }

  @Test func `rows without a key are nobody's duplicates, so that the server can refuse each`() throws {
    let rows: [HandMadeRow] = [nil, .min, nil, .min, nil].map { HandMadeRow($0, version: 0) }
    let batch = try StagedBatch.arranged(rows, .handMade())
    #expect(Self.duplicates(batch) == [1])
    #expect(batch.candidates.sorted() == [0, 2, 3, 4])
    let composite = try StagedBatch.arranged(
      (0..<2).map { _ in HandMadeRow(key: [bytes("a"), nil], version: bytes(Int64(0))) },
      .handMade(key: [TypeOid.text, TypeOid.text])
    )
    #expect(Self.duplicates(composite).isEmpty)
  }

  private static func orderedKeys(_ oids: [UInt32], _ keys: [[[UInt8]?]]) throws -> [[UInt8]] {
    let batch = try StagedBatch.arranged(
      keys.map { HandMadeRow(key: $0, version: bytes(Int64(0))) },
      .handMade(key: oids)
    )
    return try batch.candidates.map { try batch.key($0) ?? [] }
  }

  private static func duplicates(_ batch: StagedBatch) -> [Int] {
    batch.rows.indices.filter { batch.rows[$0].verdict == .duplicate }
  }
}
