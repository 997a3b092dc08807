import TestSupport
import Testing

@testable import MergeEngine

@Suite struct TupleRangeTests {
  /// No page, not even one of 32 KiB, has this many tuples.
  static let offsetLimit: UInt64 = 2048

  @Test func `a range of blocks is a condition on ctid`() {
    let range = TupleRange(blocks: 3..<100)
    #expect(range.blockCount == 97)
    #expect(range.condition.text == "s.ctid >= '(3,0)'::tid AND s.ctid < '(100,0)'::tid")
    #expect(TupleRange(start: 7 << 16 | 5, end: 7 << 16 | 6).condition.text.contains("'(7,5)'::tid AND"))
  }

  @Test func `the last block that PostgreSQL can have is in reach`() {
    let range = TupleRange(blocks: 4_294_967_293..<4_294_967_295)
    #expect(range.condition.text == "s.ctid >= '(4294967293,0)'::tid AND s.ctid < '(4294967295,0)'::tid")
  }

  @Test func `a single tuple and an empty range have no halves`() {
    #expect(TupleRange(start: 5, end: 6).halves == nil)
    #expect(TupleRange(start: 5, end: 5).halves == nil)
    #expect(TupleRange(blocks: 0..<0).halves == nil)
    #expect(TupleRange(blocks: 9..<9).halves == nil)
  }

  @Test func `several blocks are halved between blocks`() throws {
    let (lower, upper) = try #require(TupleRange(blocks: 10..<20).halves)
    #expect(lower == TupleRange(blocks: 10..<15))
    #expect(upper == TupleRange(blocks: 15..<20))
  }

  @Test func `halving two blocks to the end meets every tuple alone and once`() {
    var open = [TupleRange(blocks: 5..<7)]
    var next = UInt64(5) << 16
    var leafCount = 0
    while let range = open.popLast() {
      if let (lower, upper) = range.halves {
        open += [upper, lower]
        continue
      }
      #expect(range.start == next && Self.possibleTupleCount(range) <= 1)
      next = range.end
      leafCount += 1
    }
    #expect(next == UInt64(7) << 16)
    #expect(leafCount <= 2 * Int(Self.offsetLimit))
  }

  @Test func `both halves together are the range, and any tuple is alone after few steps`() {
    var generator = SeededGenerator.forTest("halves")
    for _ in 0..<2_000 {
      let first = generator.below(1 << (1 + generator.below(31)))
      let count = 1 + generator.below(1 << (1 + generator.below(30)))
      let target = UInt64(first + generator.below(count)) << 16 | UInt64(generator.below(Int(Self.offsetLimit)))
      var range = TupleRange(blocks: first..<(first + count))
      var steps = 0
      while let (lower, upper) = range.halves {
        guard lower.start == range.start, lower.end == upper.start, upper.end == range.end, lower.start < lower.end,
          upper.start < upper.end, steps < 64
        else {
          Issue.record("\(range) fell apart into \(lower) and \(upper), seed \(generator.seed)")
          return
        }
        range = target < lower.end ? lower : upper
        steps += 1
      }
      let stepLimit = Int.bitWidth - count.leadingZeroBitCount + 12
      guard (range.start..<range.end).contains(target), Self.possibleTupleCount(range) == 1, steps <= stepLimit else {
        Issue.record("\(target) ended in \(range) after \(steps) steps, seed \(generator.seed)")
        return
      }
    }
  }

  /// How many addresses of the range, all in one block, a page could have a tuple at.
  private static func possibleTupleCount(_ range: TupleRange) -> Int {
    let block = range.start >> 16
    guard (range.end - 1) >> 16 == block else { return .max }
    let limit = block << 16 + offsetLimit
    return range.start < limit ? Int(min(range.end, limit) - range.start) : 0
  }
}
