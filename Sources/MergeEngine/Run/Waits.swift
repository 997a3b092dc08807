/// Which of some rows wait for which, and which wait for somebody else.
struct Waits {
  /// By row, the rows that have what it wants.
  var holders: [Int: Set<Int>] = [:]
  /// Rows that want what a row has that does not wait, and so will keep it.
  var blocked: Set<Int> = []

  /// Rows that will never have what they want: blocked ones, those in a circle, and whoever waits for such.
  var hopeless: Set<Int> { waitingFor(blocked.union(Self.unending(holders))) }

  /// The same where rows that wait for each other in a circle can be written together.
  var hopelessOutsideOfCircles: Set<Int> { waitingFor(blocked) }

  /// Rows, and whoever waits for one of them.
  private func waitingFor(_ rows: Set<Int>) -> Set<Int> {
    let back = Self.reversed(holders)
    var found = rows
    var open = Array(found)
    while let row = open.popLast() {
      for waiting in back[row] ?? [] where found.insert(waiting).inserted { open.append(waiting) }
    }
    return found
  }

  /// Rows that wait, over however many others, for themselves, or stand between two that do.
  var circles: Set<Int> {
    // Whoever waits for nobody, or only for such, is in no circle; nor is for whom nobody waits.
    let inOrBefore = Self.unending(holders)
    let kept = holders.filter { inOrBefore.contains($0.key) }.mapValues { $0.intersection(inOrBefore) }
    return Self.unending(Self.reversed(kept))
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
}
