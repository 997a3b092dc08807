/// Which of the rows that a rollback would delete refer to which others of them.
struct ReferenceGraph {
  /// A row that the run has inserted, by its image.
  struct Row: Sendable, Hashable {
    /// Which table of the rollback.
    let table: Int
    /// Where the image lies.
    let image: UInt64
  }

  private struct Edge {
    let parent: Int
    let reference: Int
  }

  private(set) var rows: [Row] = []
  private var numbers: [Row: Int] = [:]
  /// For each row, what it refers to.
  private var edges: [[Edge]] = []
  /// For each row that stays, the first of its table's references by which a row that stays refers to it.
  private var holders: [Int: Int] = [:]
  /// Rows that stay for another reason.
  private var refused: Set<Int> = []

  /// Remembers that a row refers to another one, by one of the references to the parent's table. To itself says nothing.
  mutating func add(_ child: Row, to parent: Row, by reference: Int) {
    guard child != parent else { return }
    edges[number(child)].append(Edge(parent: number(parent), reference: reference))
  }

  /// Remembers that somebody else's row refers to a row, by one of the references to its table.
  mutating func hold(_ row: Row, by reference: Int) {
    let number = number(row)
    holders[number] = min(reference, holders[number] ?? reference)
  }

  /// Remembers that the server keeps a row.
  mutating func refuse(_ row: Row) { refused.insert(number(row)) }

  private mutating func number(_ row: Row) -> Int {
    if let number = numbers[row] { return number }
    numbers[row] = rows.count
    rows.append(row)
    edges.append([])
    return rows.count - 1
  }

  /// Holds what is referred to by rows that stay, by rows that stay because of those, and so on.
  mutating func spread() {
    var open = Array(refused.union(holders.keys))
    while let child = open.popLast() {
      for edge in edges[child] {
        let holder = holders[edge.parent]
        holders[edge.parent] = min(edge.reference, holder ?? edge.reference)
        if holder == nil, !refused.contains(edge.parent) { open.append(edge.parent) }
      }
    }
  }

  /// Rows that are referred to by rows that stay, each with the first reference by which they are.
  var held: [(row: Row, reference: Int)] { holders.map { (rows[$0.key], $0.value) } }

  /// The rows that don't stay, those that refer to each other around a circle in one group, and each group after those whose
  /// rows refer to its own: Tarjan's strongly connected components.
  ///
  /// - Complexity: O(rows + references), without recursion.
  func groups() -> [[Row]] {
    /// By row, when it was found, from 1 on.
    var found = [Int](repeating: 0, count: rows.count)
    /// By row, the first found one of its group, as far as is known.
    var first = found
    var isOpen = [Bool](repeating: false, count: rows.count)
    var open: [Int] = []
    var foundCount = 0
    var groups: [[Row]] = []
    for root in rows.indices where found[root] == 0 && !stays(root) {
      var path = [(row: root, next: 0)]
      while let (row, next) = path.last {
        if next == 0 {
          foundCount += 1
          (found[row], first[row], isOpen[row]) = (foundCount, foundCount, true)
          open.append(row)
        }
        if next < edges[row].count {
          path[path.count - 1].next += 1
          let parent = edges[row][next].parent
          if found[parent] == 0, !stays(parent) {
            path.append((parent, 0))
          } else if isOpen[parent] {
            first[row] = min(first[row], found[parent])
          }
          continue
        }
        path.removeLast()
        if let child = path.last?.row { first[child] = min(first[child], first[row]) }
        guard first[row] == found[row], let start = open.lastIndex(of: row) else { continue }
        groups.append(open[start...].map { rows[$0] })
        for member in open[start...] { isOpen[member] = false }
        open.removeSubrange(start...)
      }
    }
    // A group is complete when all that it refers to is.
    return groups.reversed()
  }

  private func stays(_ row: Int) -> Bool { holders[row] != nil || refused.contains(row) }
}
