import Testing

@testable import MergeEngine

@Suite struct WaitsTests {
  @Test func `who waits for a row waits for what that waits for, too`() {
    let waits = Waits(holders: [1: [2], 2: [3], 5: [6], 7: [8, 2]])
    #expect(waits.waiting(for: [3]) == [1, 2, 3, 7])
    #expect(waits.waiting(for: []) == [])
  }

  @Test(
    arguments: [
      ([:], []), ([1: [2], 2: [3]], []), ([1: [2], 2: [1]], [[1, 2]]),
      ([1: [2, 4], 2: [3], 3: [1], 4: [5], 5: [4]], [[1, 2, 3], [4, 5]]),
      // Two circles that share a row are one.
      ([1: [2], 2: [1, 3], 3: [2]], [[1, 2, 3]]),
      // 1 waits for a circle, and 5 is waited for by one: neither is in it; nor is 3 between two.
      ([1: [2], 2: [3], 3: [2, 5]], [[2, 3]]),
      ([1: [2], 2: [1, 3], 3: [4], 4: [5], 5: [4]], [[1, 2], [4, 5]]),
    ] as [([Int: Set<Int>], [[Int]])]
  ) func `knots are the rows that can only be written at once`(
    _ holders: [Int: Set<Int>],
    _ knots: [[Int]]
  ) {
    #expect(Waits(holders: holders).knots.sorted { $0[0] < $1[0] } == knots)
  }

  @Test func `a chain of a hundred thousand rows is seen at once to be no knot`() {
    let waits = Waits(holders: Dictionary(uniqueKeysWithValues: (0..<100_000).map { ($0, Set([$0 + 1])) }))
    #expect(waits.knots.isEmpty)
    #expect(waits.waiting(for: [100_000]).count == 100_001)
  }

  @Test func `a long circle takes no deep stack`() {
    let count = 100_000
    let holders = Dictionary(uniqueKeysWithValues: (0..<count).map { ($0, [($0 + 1) % count] as Set) })
    #expect(Waits(holders: holders).knots.map(\.count) == [count])
  }
}
