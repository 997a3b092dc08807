/// Which of some rows wait for which, and which wait for somebody else.
struct Waits {
  /// By row, the rows that have what it wants.
  var holders: [Int: Set<Int>] = [:]
  /// Rows that want what a row has that does not wait, and so will keep it.
  var blocked: Set<Int> = []

  mutating func add(_ other: Waits) {
    holders.merge(other.holders) { $0.union($1) }
    blocked.formUnion(other.blocked)
  }

  /// What there is of it among some rows.
  func among(_ rows: Set<Int>) -> Waits {
    Waits(
      holders: holders.filter { rows.contains($0.key) }.mapValues { $0.intersection(rows) },
      blocked: blocked.intersection(rows)
    )
  }

  /// Rows, and whoever waits for one of them.
  func waiting(for rows: Set<Int>) -> Set<Int> {
    let back = Self.reversed(holders)
    var found = rows
    var open = Array(found)
    while let row = open.popLast() {
      for waiting in back[row] ?? [] where found.insert(waiting).inserted { open.append(waiting) }
    }
    return found
  }

  /// The rows from which a way leads on for ever.
  private static func unending(_ ways: [Int: Set<Int>]) -> Set<Int> {
    let back = reversed(ways)
    var onward = ways.mapValues(\.count)
    var ended = onward.filter { $0.value == 0 }.map(\.key) + back.keys.filter { onward[$0] == nil }
    while let row = ended.popLast() {
      for before in back[row] ?? [] {
        onward[before, default: 0] -= 1
        if onward[before] == 0 { ended.append(before) }
      }
    }
    return Set(onward.filter { $0.value > 0 }.keys)
  }

  private static func reversed(_ ways: [Int: Set<Int>]) -> [Int: Set<Int>] {
    ways.reduce(into: [:]) { back, way in for target in way.value { back[target, default: []].insert(way.key) } }
  }

  /// Rows that wait for each other, over however many others: each set can only be written at once. In no particular order.
  ///
  /// Tarjan's strongly connected components, by a stack of its own: a chain may be as long as a table.
  var knots: [[Int]] {
    // Whoever waits for nobody, or only for such, is in no circle; nor is for whom nobody waits.
    let inOrBefore = Self.unending(holders)
    let kept = holders.filter { inOrBefore.contains($0.key) }.mapValues { $0.intersection(inOrBefore) }
    let circles = Self.unending(Self.reversed(kept))
    var search = KnotSearch(holders: circles.reduce(into: [:]) { $0[$1] = holders[$1]?.intersection(circles) })
    return search.run()
  }
}

/// The search behind ``Waits/knots``.
private struct KnotSearch {
  let holders: [Int: Set<Int>]
  private var numbers: [Int: Int] = [:]
  private var lowest: [Int: Int] = [:]
  /// Rows seen whose knot is not known yet.
  private var open: [Int] = []
  private var isOpen: Set<Int> = []
  private var knots: [[Int]] = []

  init(holders: [Int: Set<Int>]) { self.holders = holders }

  mutating func run() -> [[Int]] {
    for row in holders.keys.sorted() where numbers[row] == nil { visit(row) }
    return knots.filter { $0.count > 1 }
  }

  private mutating func visit(_ first: Int) {
    var way: [(row: Int, left: [Int])] = [enter(first)]
    while let (row, left) = way.last {
      guard let next = left.last else {
        way.removeLast()
        leave(row)
        if let before = way.last?.row { lowest[before] = min(lowest[before] ?? 0, lowest[row] ?? 0) }
        continue
      }
      way[way.count - 1].left.removeLast()
      if numbers[next] == nil {
        way.append(enter(next))
      } else if isOpen.contains(next) {
        lowest[row] = min(lowest[row] ?? 0, numbers[next] ?? 0)
      }
    }
  }

  private mutating func enter(_ row: Int) -> (row: Int, left: [Int]) {
    (numbers[row], lowest[row]) = (numbers.count, numbers.count)
    open.append(row)
    isOpen.insert(row)
    return (row, (holders[row] ?? []).sorted())
  }

  /// Nothing leads on from the row: it ends a knot, unless one before it can be reached from it.
  private mutating func leave(_ row: Int) {
    guard lowest[row] == numbers[row], let start = open.lastIndex(of: row) else { return }
    knots.append(open[start...].sorted())
    isOpen.subtract(open[start...])
    open.removeSubrange(start...)
  }
}
