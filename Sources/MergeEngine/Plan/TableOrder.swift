/// Tables in an order in which every table comes after the ones its foreign keys point to.
struct TableOrder {
  /// Positions in the given list, parents first, otherwise as given.
  private(set) var indices: [Int] = []
  /// For each place in ``indices``, the places that must be done before it.
  private(set) var parents: [[Int]] = []
  /// Places in ``indices`` of tables that refer to themselves, directly or around a circle.
  private(set) var circular: Set<Int> = []

  /// - Parameters:
  ///   - tables: the tables' oids.
  ///   - foreignKeys: any; those to itself or to a table outside the list have no say, and of those that close a
  ///     circle the ones that would need a table not yet placed are left out.
  init(_ tables: [UInt32], _ foreignKeys: [ForeignKey]) {
    var remaining = Array(tables.indices)
    var place: [UInt32: Int] = [:]
    func parents(of table: UInt32) -> Set<UInt32> {
      Set(foreignKeys.filter { $0.child == table && $0.parent != table && tables.contains($0.parent) }.map(\.parent))
    }
    while !remaining.isEmpty {
      let ready = remaining.firstIndex { index in parents(of: tables[index]).allSatisfy { place[$0] != nil } }
      // Nobody is ready in a circle: the first in line goes without the parents that are not placed yet.
      let index = remaining.remove(at: ready ?? 0)
      self.parents.append(parents(of: tables[index]).compactMap { place[$0] }.sorted())
      place[tables[index]] = indices.count
      indices.append(index)
    }
    circular = Set(tables.filter { Self.reachesItself($0, foreignKeys) }.compactMap { place[$0] })
  }

  private static func reachesItself(_ table: UInt32, _ foreignKeys: [ForeignKey]) -> Bool {
    var seen: Set<UInt32> = []
    var open = [table]
    while let next = open.popLast() {
      for parent in foreignKeys.filter({ $0.child == next }).map(\.parent) {
        if parent == table { return true }
        if seen.insert(parent).inserted { open.append(parent) }
      }
    }
    return false
  }
}
