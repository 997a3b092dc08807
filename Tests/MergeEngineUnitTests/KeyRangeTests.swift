import Testing

@testable import MergeEngine

/// Stretches of keys: divided without a gap, and put together again.
@Suite struct KeyRangeTests {
  private static func batches(_ keys: [[Int]], rowLimit: Int) -> [RowsByKey] {
    let values = keys.map {
      $0.map { value in stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> $0) } }
    }
    return batches(values, .numbers, rowLimit: rowLimit)
  }

  private static func batches(_ keys: [[[UInt8]]], _ form: KeyRange.Form, rowLimit: Int) -> [RowsByKey] {
    var batches = KeyBatches(columns: keys.first?.count == 2 ? ["a", "b"] : ["k"], form: form)
    var found: [RowsByKey] = []
    for (index, key) in keys.enumerated() {
      do {
        try batches.append(UInt64(index), key: key)
      } catch {
        Issue.record(error)
      }
      while let batch = batches.next(rowLimit: rowLimit, isAtEnd: false) { found.append(batch) }
    }
    while let batch = batches.next(rowLimit: rowLimit, isAtEnd: true) { found.append(batch) }
    return found
  }

  @Test func `batches meet without a gap, end between two keys, and the last has no end`() {
    let found = Self.batches([1, 2, 2, 3, 4, 4, 4, 9].map { [$0] }, rowLimit: 3)
    #expect(found.map(\.range.start) == [[1], [3], [4], [9]].map(KeyRange.Key.numbers))
    #expect(found.map(\.range.end) == [.numbers([3]), .numbers([4]), .numbers([9]), nil])
    #expect(found.map(\.addresses) == [[0, 1, 2], [3], [4, 5, 6], [7]])
  }

  @Test func `no batch has more rows than it may, and a key with too many is in none`() {
    let found = Self.batches([1, 5, 5, 5, 5, 5, 6, 7].map { [$0] }, rowLimit: 3)
    #expect(found.allSatisfy { $0.addresses.count <= 3 })
    #expect(found.flatMap(\.addresses) == [0, 6, 7])
    #expect(found.map(\.range.end) == [.numbers([5]), nil])
    #expect(found.map(\.range.start) == [.numbers([1]), .numbers([6])])
  }

  @Test func `texts are told apart column by column, and a bound is the text that came`() throws {
    let keys = [["a", ""], ["a", "b"], ["ab", ""], ["ab", ""], ["é\"\\", "x"]]
    let found = Self.batches(keys.map { $0.map { Array($0.utf8) } }, .texts, rowLimit: 2)
    #expect(found.map(\.addresses) == [[0, 1], [2, 3], [4]])
    #expect(found.map(\.range.start) == [.texts(["a", ""]), .texts(["ab", ""]), .texts(["é\"\\", "x"])])
    #expect(found.map(\.range.end) == [.texts(["ab", ""]), .texts(["é\"\\", "x"]), nil])
    #expect(found.last?.range.start.arrayText == #"{"é\"\\","x"}"#)
    let (lower, upper) = try #require(found.first?.halves)
    #expect(lower.range.end == .texts(["a", "b"]) && upper.keys[0] == .texts(["a", "b"]))
  }

  @Test func `a key that is no UTF-8 ends the reading, since a bound could not be written down`() {
    var batches = KeyBatches(columns: ["k"], form: .texts)
    #expect(throws: KeyList.Unreadable.self) { try batches.append(1, key: [[0xC3, 0x28]]) }
  }

  @Test func `only one key, with too many rows, makes no batch`() {
    #expect(Self.batches([[Int]](repeating: [3], count: 10), rowLimit: 4).isEmpty)
  }

  @Test func `halves lie on both sides of a key, and rows of one key have none`() throws {
    let batch = try #require(Self.batches([[1, 1], [1, 2], [1, 2], [1, 2], [2, 0]], rowLimit: 9).first)
    let (lower, upper) = try #require(batch.halves)
    #expect(lower.addresses + upper.addresses == batch.addresses)
    #expect(lower.range.end == upper.range.start)
    #expect(lower.range.start == batch.range.start && upper.range.end == batch.range.end)
    #expect(Self.batches([[1], [1], [1]], rowLimit: 9).first?.halves == nil)
  }

  @Test func `whatever the order in which stretches are noted, those that meet become one`() {
    let horizon = Horizon(oldest: 100, recent: [], next: 100)
    for order in [[0, 1, 2], [2, 1, 0], [0, 2, 1], [1, 0, 2]] {
      var coverage = Coverage()
      for index in order {
        let range = KeyRange(
          columns: ["k"],
          start: .numbers([index * 10]),
          end: index == 2 ? nil : .numbers([index * 10 + 10])
        )
        coverage.add(LedgerEntry(id: 1, runID: 1, content: .mergedKeys(range, horizon, .unbounded)))
      }
      #expect(
        coverage.intervals.map(\.steps) == [
          [.mergedKeys(KeyRange(columns: ["k"], start: .numbers([0]), end: nil), horizon, .unbounded)]
        ]
      )
    }
  }

  @Test func `a later word about a place says all that was said of keys there`() {
    let horizon = Horizon(oldest: 100, recent: [], next: 100)
    var coverage = Coverage()
    let range = KeyRange(columns: ["k"], start: .numbers([0]), end: .numbers([10]))
    coverage.add(LedgerEntry(id: 1, runID: 1, content: .mergedKeys(range, horizon, .unbounded)))
    coverage.add(LedgerEntry(id: 2, runID: 1, content: .merged(nil, horizon, .unbounded)))
    #expect(coverage.intervals.map(\.steps) == [[.merged(horizon, .unbounded)]])
  }
}
