import BinaryCopy
import Testing

@testable import MergeEngine

@Suite struct DenseKeysTests {
  private static let plan = TablePlan.handMade()

  private static func divide(_ keys: [Int64?]) throws -> DenseKeys {
    let batch = try StagedBatch.arranged(keys.map { HandMadeRow($0, version: 1) }, plan)
    var dense = DenseKeys()
    try dense.divide(batch)
    let positions = dense.stretches.flatMap { Array($0.candidates) } + dense.others
    #expect(positions.sorted() == Array(batch.candidates.indices), "every candidate is in one place")
    return dense
  }

  @Test func `keys one after the other are one stretch`() throws {
    let dense = try Self.divide((1...1000).map { $0 })
    #expect(dense.stretches == [.init(candidates: 0..<1000, lowest: 1, highest: 1000)])
    #expect(dense.others == [])
  }

  @Test(arguments: [(2, true), (3, false)])
  func `one key in two is dense, one in three is not`(_ step: Int64, isDense: Bool) throws {
    let dense = try Self.divide((0..<1000).map { $0 * step })
    #expect(dense.stretches.count == (isDense ? 1 : 0))
  }

  @Test(arguments: [(199, false), (200, true)])
  func `a stretch of fewer than 200 keys is not worth a statement`(_ count: Int64, isWorthIt: Bool) throws {
    let dense = try Self.divide((0..<count).map { $0 })
    #expect(dense.stretches.count == (isWorthIt ? 1 : 0))
  }

  @Test func `a gap divides, and each side is judged by itself`() throws {
    let keys: [Int64] = (0..<300).map { -1000 + $0 } + (0..<50).map { 5000 + $0 } + (0..<400).map { 9000 + 2 * $0 }
    let dense = try Self.divide(keys)
    #expect(
      dense.stretches == [
        .init(candidates: 0..<300, lowest: -1000, highest: -701),
        .init(candidates: 350..<750, lowest: 9000, highest: 9798),
      ]
    )
    #expect(dense.others == Array(300..<350))
  }

  @Test func `a batch is read in eight stretches at most, the rest is looked up`() throws {
    let dense = try Self.divide((0..<10).flatMap { part in (0..<200).map { Int64(part * 10_000 + $0) } })
    #expect(dense.stretches.count == 8)
    #expect(dense.others == Array(1600..<2000))
  }

  @Test func `a missing key stands with the others, and the extremes of bigint don't overflow`() throws {
    // In key order NULL stands right behind the lowest number, which it cuts off.
    let low: [Int64?] = (0...250).map { Int64.min + $0 }
    let high: [Int64?] = (0..<250).map { Int64.max - $0 }
    let dense = try Self.divide(low + [nil, nil] + high)
    #expect(dense.stretches.map(\.lowest) == [Int64.min + 1, Int64.max - 249])
    #expect(dense.stretches.map(\.highest) == [Int64.min + 250, Int64.max])
    #expect(dense.others == [0, 1, 2])
  }

  @Test func `candidates out of order are looked up one by one`() throws {
    var batch = try StagedBatch.arranged((0..<1000).map { HandMadeRow($0, version: 1) }, Self.plan)
    batch.candidates.reverse()
    var dense = DenseKeys()
    try dense.divide(batch)
    #expect(dense.stretches == [])
    #expect(dense.others == Array(0..<1000))
  }
}
