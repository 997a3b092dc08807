import TestSupport
import Testing

@testable import MergeEngine

@Suite struct ReferenceGraphTests {
  private static func row(_ image: UInt64, of table: Int = 0) -> ReferenceGraph.Row {
    .init(table: table, image: image)
  }

  private static func graph(_ references: (UInt64, UInt64)...) -> ReferenceGraph {
    var graph = ReferenceGraph()
    for (child, parent) in references { graph.add(row(child), to: row(parent), by: 0) }
    return graph
  }

  private static func images(_ groups: [[ReferenceGraph.Row]]) -> [Set<UInt64>] { groups.map { Set($0.map(\.image)) } }

  @Test func `rows of a circle are one group, after those that refer to them and before those that they refer to`() {
    // 1 refers to the circle of 2, 3 and 4, and that to 5, which is its own parent.
    let graph = Self.graph((1, 2), (2, 3), (3, 4), (4, 2), (4, 5), (5, 5))
    #expect(Self.images(graph.groups()) == [[1], [2, 3, 4], [5]])
  }

  @Test func `circles that only refer to the same row are groups of their own`() {
    let graph = Self.graph((1, 2), (2, 1), (2, 9), (3, 4), (4, 3), (3, 9))
    let groups = Self.images(graph.groups())
    #expect(groups.count == 3 && Set(groups) == [[1, 2], [3, 4], [9]])
    #expect(groups.last == [9])
  }

  @Test func `circles that have a row in common are one group`() {
    #expect(Self.images(Self.graph((1, 2), (2, 1), (2, 3), (3, 2)).groups()) == [[1, 2, 3]])
  }

  @Test func `rows of the same address in two tables are two rows`() {
    var graph = ReferenceGraph()
    graph.add(Self.row(1), to: Self.row(1, of: 1), by: 0)
    graph.add(Self.row(1, of: 1), to: Self.row(1), by: 0)
    #expect(graph.groups().map(Set.init) == [[Self.row(1), Self.row(1, of: 1)]])
  }

  @Test func `what is held holds what it refers to, by the first reference that leads there`() {
    var graph = ReferenceGraph()
    graph.add(Self.row(1), to: Self.row(2), by: 1)
    graph.add(Self.row(3), to: Self.row(2), by: 0)
    graph.add(Self.row(2), to: Self.row(4), by: 2)
    graph.add(Self.row(5), to: Self.row(6), by: 0)
    graph.hold(Self.row(1), by: 3)
    graph.spread()
    #expect(graph.held.map { "\($0.row.image) by \($0.reference)" }.sorted() == ["1 by 3", "2 by 1", "4 by 2"])
    graph.refuse(Self.row(3))
    graph.spread()
    #expect(graph.held.map { "\($0.row.image) by \($0.reference)" }.sorted() == ["1 by 3", "2 by 0", "4 by 2"])
    #expect(Self.images(graph.groups()) == [[5], [6]])
  }

  @Test func `a chain and a circle of 200,000 rows need no deep stack`() {
    var graph = ReferenceGraph()
    let count: UInt64 = 200_000
    for row in 1..<count { graph.add(Self.row(row), to: Self.row(row + 1), by: 0) }
    #expect(graph.groups().count == Int(count))
    graph.add(Self.row(count), to: Self.row(1), by: 0)
    #expect(graph.groups().map(\.count) == [Int(count)])
  }
}
