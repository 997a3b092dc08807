import Libpq

/// What of a source's rows is merged, as the ledger's entries say it: for every place the entries that speak of it.
///
/// The last entry that speaks of a row decides. Places that no entry speaks of are unread.
struct Coverage: Sendable {
  /// What one entry says of the rows of a place.
  enum Step: Sendable, Hashable {
    /// Rows that the horizon has seen, if their version lies in the window, are merged.
    case merged(Horizon, VersionWindow)
    /// The same of those rows whose keys lie in a stretch.
    case mergedKeys(KeyRange, Horizon, VersionWindow)
    /// The same of rows that were read again.
    case mergedRows(Rows, Horizon, VersionWindow)
    /// Some of the rows are to be read again.
    case reopened(Rows)

    fileprivate var reopened: Rows? { if case .reopened(let rows) = self { rows } else { nil } }
  }

  /// Single rows, as an entry names them. Two are the same if as many are of one entry.
  struct Rows: Sendable, Hashable {
    /// The last one that has changed them.
    let entryID: Int
    /// Ascending.
    let addresses: [UInt64]

    static func == (left: Rows, right: Rows) -> Bool {
      left.entryID == right.entryID && left.addresses.count == right.addresses.count
    }
    func hash(into hasher: inout Hasher) { hasher.combine(entryID) }

    /// Those in `range`; nil if none lies there.
    func within(_ range: TupleRange) -> Rows? {
      let inside = addresses.filter { range.contains($0) }
      return inside.isEmpty ? nil : Rows(entryID: entryID, addresses: inside)
    }

    /// A condition on staging's alias `s`, for the rows of `range`: the row is not among them. nil if none lies there.
    func isAbsent(in range: TupleRange) -> SQL? {
      within(range).map { "s.ctid <> ALL (\(TupleAddress.list($0.addresses)))" }
    }
  }

  /// A place whose rows have the same history.
  struct Interval: Sendable, Hashable {
    var range: TupleRange
    var steps: [Step]
  }

  /// Without gaps, from the first address to beyond the last possible one.
  private(set) var intervals = [Interval(range: .everything, steps: [])]
  /// Transactions that did nothing to staging but mark rows that are merged, each with the last entry that names it.
  private var markers: [Int: Int] = [:]

  init() {}

  /// Adds what a later entry says.
  mutating func add(_ entry: LedgerEntry) {
    if let marker = entry.marker { markers[marker] = entry.id }
    switch entry.content {
    case .merged(let place, let horizon, let window):
      change(place ?? .everything) { steps in
        // Everything that such an entry could add is in the later one: horizons only move on.
        steps.removeAll { step in
          switch step {
          case .merged(_, let earlier), .mergedKeys(_, _, let earlier), .mergedRows(_, _, let earlier):
            window.isUnbounded || earlier == window
          case .reopened: window.isUnbounded
          }
        }
        steps.append(.merged(horizon, window))
      }
    case .mergedKeys(let range, let horizon, let window):
      change(.everything) { Self.join(range, horizon, window, into: &$0) }
    case .settled(let addresses, let horizon, let window):
      let settled = Set(addresses)
      change(.everything) { steps in
        steps = steps.compactMap { step in
          guard case .reopened(let reopened) = step else { return step }
          let left = reopened.addresses.filter { !settled.contains($0) }
          return left.isEmpty ? nil : .reopened(Rows(entryID: reopened.entryID, addresses: left))
        }
        steps = steps.reduce(into: []) { joined, step in
          guard case .mergedKeys(let range, let horizon, let window) = step else { return joined.append(step) }
          Self.join(range, horizon, window, into: &joined)
        }
        // Their places may say nothing of them: who reopens a row whose status is kept true makes a new one.
        Self.join(Rows(entryID: entry.id, addresses: addresses.sorted()), horizon, window, into: &steps)
      }
    case .reopened(let addresses) where addresses.isEmpty: break
    case .reopened(let addresses):
      let reopened = Rows(entryID: entry.id, addresses: addresses.sorted())
      // An unread place stays what it is.
      change(.everything) { if !$0.isEmpty { $0.append(.reopened(reopened)) } }
    }
  }

  /// Adds single rows, before all that is said of others: nothing that is left has reopened them.
  private static func join(_ rows: Rows, _ horizon: Horizon, _ window: VersionWindow, into steps: inout [Step]) {
    guard case .mergedRows(let earlier, horizon, window) = steps.first else {
      return steps.insert(.mergedRows(rows, horizon, window), at: 0)
    }
    let addresses = (earlier.addresses + rows.addresses).sorted()
    steps[0] = .mergedRows(Rows(entryID: rows.entryID, addresses: addresses), horizon, window)
  }

  /// Adds a stretch of keys. Those that meet become one, so that as many are left as there are gaps; what was said between them
  /// of single rows keeps its place.
  private static func join(_ range: KeyRange, _ horizon: Horizon, _ window: VersionWindow, into steps: inout [Step]) {
    var range = range
    while let last = steps.indices.reversed().prefix(while: { isOfKeys(steps[$0]) }).first(where: { index in
      guard case .mergedKeys(let other, horizon, window) = steps[index] else { return false }
      return range.joined(with: other) != nil
    }), case .mergedKeys(let other, _, _) = steps[last] {
      range = range.joined(with: other) ?? range
      steps.remove(at: last)
    }
    steps.append(.mergedKeys(range, horizon, window))
  }

  private static func isOfKeys(_ step: Step) -> Bool { if case .mergedKeys = step { true } else { false } }

  /// Rows that entries have reopened, and no later one has settled; ascending.
  var reopenedAddresses: [UInt64] {
    Set(intervals.flatMap(\.steps).compactMap(\.reopened).flatMap(\.addresses)).sorted()
  }

  /// Whether no entry speaks of any place.
  var isEmpty: Bool { intervals.allSatisfy(\.steps.isEmpty) }

  /// A condition on staging's alias `s`: the row lies in `range` and is not merged.
  ///
  /// - Parameter version: the row's version, as windows are compared with it.
  func isUnread(in range: TupleRange, version: VersionWindow.Version) -> SQL {
    let parts = intervals.compactMap { interval -> (TupleRange, SQL?, [Rows])? in
      interval.range.intersection(range).map { part in
        (
          part, Self.isMerged(interval.steps, in: part, version),
          interval.steps.compactMap { $0.reopened?.within(part) }
        )
      }
    }
    var condition = range.condition
    if parts.contains(where: { $0.1 != nil }) {
      let choices = parts.map { part, isMerged, _ -> SQL in
        let isHere: SQL = parts.count == 1 ? "true" : "(\(part.condition))"
        return isMerged.map { "\(isHere) AND NOT \($0)" } ?? isHere
      }
      condition = condition + " AND (\(choices.joined(" OR ")))"
    }
    guard !markers.isEmpty else { return condition }
    let isReopened = parts.flatMap(\.2).map { reopened -> SQL in
      let earlier = markers.filter { $0.value < reopened.entryID }.keys.sorted()
      return "s.xmin = ANY (\(Horizon.list(earlier))) AND \(SQL.rows(at: reopened.addresses))"
    }
    return condition
      + " AND (\((["s.xmin <> ALL (\(Horizon.list(markers.keys.sorted())))"] + isReopened).joined(" OR ")))"
  }

  /// Whether a row of `range` is merged, by what is said of it; nil if nothing is.
  private static func isMerged(_ steps: [Step], in range: TupleRange, _ version: VersionWindow.Version) -> SQL? {
    func hasSeen(_ horizon: Horizon, _ window: VersionWindow, _ condition: SQL? = nil) -> SQL {
      let isInWindow: SQL? = window.isUnbounded ? nil : "(\(window.condition(on: version))) IS TRUE"
      let conditions = [horizon.hasSeen(), condition, isInWindow].compactMap(\.self)
      return conditions.count == 1 ? horizon.hasSeen() : "(\(conditions.joined(" AND ")))"
    }
    func either(_ condition: SQL?, _ isMerged: SQL) -> SQL { condition.map { "(\($0) OR \(isMerged))" } ?? isMerged }
    return steps.reduce(nil as SQL?) { condition, step in
      switch step {
      case .merged(let horizon, let window): return either(condition, hasSeen(horizon, window))
      case .mergedKeys(let keys, let horizon, let window):
        return either(condition, hasSeen(horizon, window, "(\(keys.condition)) IS TRUE"))
      case .mergedRows(let rows, let horizon, let window):
        guard let inside = rows.within(range) else { return condition }
        return either(condition, hasSeen(horizon, window, SQL.rows(at: inside.addresses)))
      case .reopened(let reopened):
        guard let condition, let isAbsent = reopened.isAbsent(in: range) else { return condition }
        return "(\(condition) AND \(isAbsent))"
      }
    }
  }

  /// Splits the intervals at both ends of `range`, changes the steps of those inside, and joins what became alike.
  private mutating func change(_ range: TupleRange, _ body: (inout [Step]) -> Void) {
    var changed: [Interval] = []
    func append(_ interval: Interval) {
      if let last = changed.indices.last, changed[last].steps == interval.steps {
        changed[last].range = TupleRange(start: changed[last].range.start, end: interval.range.end)
      } else {
        changed.append(interval)
      }
    }
    for interval in intervals {
      guard let inside = interval.range.intersection(range) else {
        append(interval)
        continue
      }
      if interval.range.start < inside.start {
        append(Interval(range: TupleRange(start: interval.range.start, end: inside.start), steps: interval.steps))
      }
      var steps = interval.steps
      body(&steps)
      append(Interval(range: inside, steps: steps))
      if inside.end < interval.range.end {
        append(Interval(range: TupleRange(start: inside.end, end: interval.range.end), steps: interval.steps))
      }
    }
    intervals = changed
  }
}
