import TestSupport
import Testing

@testable import MergeEngine

@Suite struct TableOrderTests {
  @Test func `tables without foreign keys keep their order`() {
    let order = TableOrder([30, 10, 20], [])
    #expect(order.indices == [0, 1, 2])
    #expect(order.parents == [[], [], []])
  }

  @Test func `a chain goes from the parent down`() {
    let order = TableOrder([1, 2, 3], Self.keys((1, 2), (2, 3)))
    #expect(order.indices == [2, 1, 0])
    #expect(order.parents == [[], [0], [1]])
  }

  @Test func `a diamond waits for both sides`() {
    // 1 is below 2 and 3, which are below 4.
    let order = TableOrder([1, 2, 3, 4], Self.keys((1, 2), (1, 3), (2, 4), (3, 4)))
    #expect(order.indices == [3, 1, 2, 0])
    #expect(order.parents == [[], [0], [0], [1, 2]])
  }

  @Test func `a table that refers to itself waits for nobody`() {
    let order = TableOrder([1, 2], Self.keys((1, 1), (1, 2), (2, 2)))
    #expect(order.indices == [1, 0])
    #expect(order.parents == [[], [0]])
  }

  @Test func `several foreign keys between two tables are one wait`() {
    #expect(TableOrder([1, 2], Self.keys((1, 2), (1, 2))).parents == [[], [0]])
  }

  @Test func `tables that are not merged have no say`() {
    let order = TableOrder([1, 2], Self.keys((1, 99), (99, 2), (2, 98)))
    #expect(order.indices == [0, 1])
    #expect(order.parents == [[], []])
  }

  @Test func `in a circle the first in line goes first and the others wait for whom they can`() {
    let order = TableOrder([1, 2, 3], Self.keys((1, 2), (2, 3), (3, 1)))
    #expect(order.indices == [0, 2, 1])
    #expect(order.parents == [[], [0], [1]])
  }

  @Test func `a circle does not hold up who is outside of it`() {
    // 2 and 3 are a circle, 4 hangs below it, 1 above.
    let order = TableOrder([4, 2, 3, 1], Self.keys((2, 3), (3, 2), (4, 2), (2, 1)))
    let place = Dictionary(uniqueKeysWithValues: order.indices.enumerated().map { ([4, 2, 3, 1][$1], $0) })
    #expect(place[1] == 0)
    #expect(order.indices.sorted() == [0, 1, 2, 3])
  }

  @Test func `tables of one tree of partitions are waited for, and wait, together`() {
    // 7 twice: two partitions of it are merged by themselves.
    let order = TableOrder([1, 7, 3, 7], Self.keys((1, 7), (7, 3)))
    #expect(order.indices == [2, 1, 3, 0])
    #expect(order.parents == [[], [0], [0], [1, 2]])
    #expect(TableOrder([7, 7], Self.keys((7, 7))).circular == [0, 1])
  }

  @Test func `whatever the foreign keys, every table comes once and waits only for earlier ones`() {
    var generator = SeededGenerator.forTest("table order")
    for _ in 0..<500 {
      let tables = Array(1...UInt32(1 + generator.below(12)))
      // Only upwards, so without circles: then every parent must be waited for.
      let isAcyclic = generator.below(2) == 0
      let keys = (0..<generator.below(20)).map { _ in
        let child = UInt32(1 + generator.below(tables.count))
        return ForeignKey(child: child, parent: UInt32(1 + generator.below(isAcyclic ? Int(child) : tables.count)))
      }
      let shuffled = tables.shuffled(using: &generator)
      let order = TableOrder(shuffled, Set(keys))
      let parentsComeFirst = order.parents.enumerated().allSatisfy { place, parents in parents.allSatisfy { $0 < place }
      }
      let waited = order.parents.reduce(0) { $0 + $1.count }
      let wanted = Set(keys.filter { $0.child != $0.parent }).count
      guard order.indices.sorted() == Array(tables.indices), parentsComeFirst, !isAcyclic || waited == wanted else {
        Issue.record("\(shuffled), \(keys): \(order), seed \(generator.seed)")
        return
      }
    }
  }

  private static func keys(_ pairs: (child: UInt32, parent: UInt32)...) -> Set<ForeignKey> {
    Set(pairs.map { ForeignKey(child: $0.child, parent: $0.parent) })
  }
}
