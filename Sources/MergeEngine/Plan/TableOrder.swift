/// Tables in an order in which every table comes after the ones its foreign keys point to.
///
/// A partition stands for the root of its tree: its rows are merged through the root, and a foreign key that is only on some
/// partitions, or points at one, makes all of the tree wait or be waited for. So several tables of one tree are one here.
struct TableOrder {
  /// Positions in the given list, parents first, otherwise as given.
  private(set) var indices: [Int] = []
  /// For each place in ``indices``, the places that must be done before it.
  private(set) var parents: [[Int]] = []
  /// Places in ``indices`` of tables that refer to themselves, directly or around a circle.
  private(set) var circular: Set<Int> = []

  /// - Parameters:
  ///   - tables: the tables' oids; of partitions those of their roots, which then come several times.
  ///   - foreignKeys: any; those to itself or to a table outside the list have no say, and of those that close a
  ///     circle the ones that would need a table not yet placed are left out.
  init(_ tables: [UInt32], _ foreignKeys: Set<ForeignKey>) {
    let known = Set(tables)
    let parentsOfChild = Dictionary(grouping: foreignKeys, by: \.child).mapValues { Set($0.map(\.parent)) }
    var remaining = Array(tables.indices)
    var unplacedCount = tables.reduce(into: [UInt32: Int]()) { $0[$1, default: 0] += 1 }
    var places: [UInt32: [Int]] = [:]
    func parents(of table: UInt32) -> Set<UInt32> {
      (parentsOfChild[table] ?? []).subtracting([table]).intersection(known)
    }
    while !remaining.isEmpty {
      let ready = remaining.firstIndex { index in parents(of: tables[index]).allSatisfy { unplacedCount[$0] == 0 } }
      // Nobody is ready in a circle: the first in line goes without the parents that are not placed yet; not one that only waits
      // for a circle.
      let left = ready == nil ? parentsOfChild.mapValues { $0.filter { unplacedCount[$0, default: 0] > 0 } } : [:]
      let ofCircle = remaining.firstIndex { index in
        let above = Self.ancestors(of: tables[index], left)
        return above.allSatisfy { Self.ancestors(of: $0, left).contains(tables[index]) }
      }
      let index = remaining.remove(at: ready ?? ofCircle ?? 0)
      self.parents.append(parents(of: tables[index]).flatMap { places[$0] ?? [] }.sorted())
      places[tables[index], default: []].append(indices.count)
      unplacedCount[tables[index], default: 0] -= 1
      indices.append(index)
    }
    circular = Set(known.filter { Self.reachesItself($0, parentsOfChild) }.flatMap { places[$0] ?? [] })
  }

  /// The order of tables of a database.
  init(_ tables: [UInt32], in catalog: Catalog) { self.init(tables.map(catalog.rootOid), catalog.foreignKeys) }

  private static func reachesItself(_ table: UInt32, _ parents: [UInt32: Set<UInt32>]) -> Bool {
    ancestors(of: table, parents).contains(table)
  }

  /// Parents, their parents, and so on.
  private static func ancestors(of table: UInt32, _ parents: [UInt32: Set<UInt32>]) -> Set<UInt32> {
    var seen: Set<UInt32> = []
    var open = [table]
    while let next = open.popLast() {
      for parent in parents[next] ?? [] where seen.insert(parent).inserted { open.append(parent) }
    }
    return seen
  }
}
