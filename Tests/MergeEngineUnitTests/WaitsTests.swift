import Testing

@testable import MergeEngine

@Suite struct WaitsTests {
  struct Case: Sendable {
    let holders: [Int: Set<Int>]
    var blocked: Set<Int> = []
    var circles: Set<Int> = []
    var hopeless: Set<Int> = []
    /// Where circles can be written together.
    var hopelessOutsideOfCircles: Set<Int> = []
  }

  @Test(arguments: [
    Case(holders: [:]),
    // A chain has a free end.
    Case(holders: [1: [2], 2: [3], 3: [4]]),
    // Or one that somebody else keeps.
    Case(holders: [1: [2], 2: [3], 5: [6]], blocked: [3], hopeless: [1, 2, 3], hopelessOutsideOfCircles: [1, 2, 3]),
    Case(holders: [1: [2], 2: [1]], circles: [1, 2], hopeless: [1, 2]),
    Case(holders: [1: [2], 2: [3], 3: [1]], circles: [1, 2, 3], hopeless: [1, 2, 3]),
    // 1 waits for a circle, and 5 is waited for by one: neither is in it.
    Case(holders: [1: [2], 2: [3], 3: [2, 5]], circles: [2, 3], hopeless: [1, 2, 3]),
    // A circle of which one waits for somebody else, too.
    Case(
      holders: [1: [2], 2: [3], 3: [2]],
      blocked: [3],
      circles: [2, 3],
      hopeless: [1, 2, 3],
      hopelessOutsideOfCircles: [1, 2, 3]
    ),
    // Two circles beside each other, and a chain.
    Case(holders: [1: [2], 2: [1], 3: [4], 4: [3], 7: [8]], circles: [1, 2, 3, 4], hopeless: [1, 2, 3, 4]),
  ]) func `only rows that wait for themselves are in a circle, and who waits for such has no hope`(_ expected: Case) {
    let waits = Waits(holders: expected.holders, blocked: expected.blocked)
    #expect(waits.circles == expected.circles)
    #expect(waits.hopeless == expected.hopeless)
    #expect(waits.hopelessOutsideOfCircles == expected.hopelessOutsideOfCircles)
  }

  @Test func `a chain of a hundred thousand rows is seen at once to be no circle, and to be one`() {
    var waits = Waits(holders: Dictionary(uniqueKeysWithValues: (0..<100_000).map { ($0, Set([$0 + 1])) }))
    #expect(waits.circles.isEmpty && waits.hopeless.isEmpty)
    waits.holders[100_000] = [0]
    #expect(waits.circles.count == 100_001 && waits.hopeless.count == 100_001)
  }

  @Test(
    arguments: [
      ([:], []), ([1: [2], 2: [3]], []), ([1: [2], 2: [1]], [[1, 2]]),
      ([1: [2, 4], 2: [3], 3: [1], 4: [5], 5: [4]], [[1, 2, 3], [4, 5]]),
      // Two circles that share a row are one.
      ([1: [2], 2: [1, 3], 3: [2]], [[1, 2, 3]]),
    ] as [([Int: Set<Int>], [[Int]])]
  ) func `knots are the rows that can only be written at once`(
    _ holders: [Int: Set<Int>],
    _ knots: [[Int]]
  ) {
    #expect(Waits(holders: holders).knots.sorted { $0[0] < $1[0] } == knots)
  }

  @Test func `a long circle takes no deep stack`() {
    let count = 100_000
    let holders = Dictionary(uniqueKeysWithValues: (0..<count).map { ($0, [($0 + 1) % count] as Set) })
    #expect(Waits(holders: holders).knots.map(\.count) == [count])
  }
}
