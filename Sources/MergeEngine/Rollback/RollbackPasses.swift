import Libpq
import Logging

/// Goes through the images of all tables, children before their parents, again and again while that helps.
///
/// Again, because a row may wait for another one: a parent for its children in the same table, a unique value for the row that
/// has it now, an image for a later one of the same row. Rows that wait for each other around a circle go at once, when nothing
/// else helps any more. What then is left is left alone.
struct RollbackPasses {
  private let batches: [RollbackBatch]
  private let gate: RollbackGate
  private let connections: WorkerConnections
  private let retries = RetryPolicy()
  private let stop: StopSignal
  private let logger: Logger
  /// One entry a table, in the order of the batches.
  private(set) var counts: [RollbackBatch.Counts]
  /// What the server refused in the last pass, for each table by the address of its image.
  private(set) var refusals: [[TupleRange: PostgresError]]
  private(set) var failures: [PostgresError?]

  init(
    _ batches: [RollbackBatch],
    through gate: RollbackGate,
    on connections: WorkerConnections,
    stop: StopSignal,
    logger: Logger
  ) {
    self.batches = batches
    self.gate = gate
    self.connections = connections
    self.stop = stop
    self.logger = logger
    counts = batches.map { _ in RollbackBatch.Counts() }
    refusals = batches.map { _ in [:] }
    failures = batches.map { _ in nil }
  }

  var wasInterrupted: Bool { stop.signal != nil }

  /// Takes back what can be taken back.
  mutating func run() throws {
    while !wasInterrupted {
      let before = total
      for index in batches.indices where failures[index] == nil {
        refusals[index] = [:]
        try goThrough(index)
      }
      if total == before { try goAround() }
      if total == before { return }
    }
  }

  /// Tables whose rows may refer to each other around a circle.
  private var circular: [Int] {
    let oids = batches.map(\.table.entry.productionOid)
    let keys = batches.flatMap { batch in
      batch.table.references.flatMap { reference in
        oids.filter(reference.isFrom).map { ForeignKey(child: $0, parent: batch.table.entry.productionOid) }
      }
    }
    let order = TableOrder(oids, Set(keys))
    return order.circular.map { order.indices[$0] }.sorted().filter { failures[$0] == nil }
  }

  /// Deletes rows that refer to each other, and what only they refer to.
  private mutating func goAround() throws {
    let circular = circular
    guard !circular.isEmpty, !wasInterrupted else { return }
    do {
      guard try circular.contains(where: { try batches[$0].size().rowCount > 0 }) else { return }
      let together = RowsTogether(circular.map { (number: $0, batch: batches[$0]) }, on: connections)
      let refused = refusals.map { $0.keys.map(\.start) }
      let all = try connections.covered(by: stop) { try together.groups(without: refused) }
      var groups = all[...]
      while let first = groups.popFirst(), try gate.enter() {
        var stretch = [first]
        var rowCount = first.count
        while let next = groups.first, rowCount + next.count <= gate.batchRowCount {
          stretch.append(groups.removeFirst())
          rowCount += next.count
        }
        let before = total
        defer { gate.leave(rowCount: total - before) }
        try carry(stretch[...], together)
      }
    } catch let error as PostgresError {
      guard !wasInterrupted else { return try abandon(circular[0]) }
      for index in circular { failures[index] = error }
      try abandon(circular[0])
    }
  }

  private var total: Int { counts.reduce(0) { $0 + $1.restored + $1.deleted } }

  private mutating func goThrough(_ index: Int) throws {
    do {
      let size = try batches[index].size()
      var block = 0
      while try block < size.blockCount && gate.enter() {
        let end = min(block + size.blockCount(forRows: gate.batchRowCount), size.blockCount)
        let before = total
        defer { gate.leave(rowCount: total - before) }
        try carry(TupleRange(blocks: block..<end), index)
        guard !wasInterrupted else { return }
        block = end
      }
    } catch let error as PostgresError {
      guard !wasInterrupted else { return try abandon(index) }
      failures[index] = error
      try abandon(index)
    }
  }

  /// Takes a stretch back; where the server refuses a row, by halves, until it stands alone.
  private mutating func carry(_ range: TupleRange, _ index: Int) throws {
    switch try attempt({ try batches[index].undo(range, besides: counts[index].released) }, abandoning: index) {
    case .success(let undone)?: counts[index] += undone
    case .failure(let error)?:
      guard let (lower, upper) = range.halves else {
        refusals[index][range] = error
        return
      }
      try carry(lower, index)
      try carry(upper, index)
    case nil: break
    }
  }

  /// The same for groups of rows that can only go together: where the server refuses a row, its group stays.
  private mutating func carry(_ groups: ArraySlice<[ReferenceGraph.Row]>, _ together: RowsTogether) throws {
    let released = counts.map(\.released)
    switch try attempt({ try together.undo(groups.flatMap(\.self), besides: released) }, abandoning: together.first) {
    case .success(let undone)?: for (index, undone) in undone { counts[index] += undone }
    case .failure(let error)?:
      guard groups.count > 1 else {
        for row in groups.joined() { refusals[row.table][TupleRange(start: row.image, end: row.image + 1)] = error }
        return
      }
      let middle = groups.startIndex + groups.count / 2
      try carry(groups[..<middle], together)
      try carry(groups[middle...], together)
    case nil: break
    }
  }

  /// Tries until it is done, or the server refuses a row.
  ///
  /// - Returns: nil when somebody has asked to stop.
  private func attempt<Undone>(
    _ undo: () throws -> Undone,
    abandoning index: Int
  ) throws -> Result<Undone, PostgresError>? {
    var attempt = 0
    let deadline = ContinuousClock.now + .seconds(retries.patienceSeconds)
    while !wasInterrupted {
      do {
        return .success(try connections.covered(by: stop, undo))
      } catch let error as PostgresError {
        guard !wasInterrupted, error.origin == .server else { throw error }
        try batches[index].abandon()
        attempt += 1
        if error.isWorthRetrying && ContinuousClock.now < deadline {
          logger.debug("batch tried again", metadata: ["reason": "\(error)", "attempt": "\(attempt)"])
          stop.sleep(seconds: retries.waitSeconds(afterAttempt: attempt))
          continue
        }
        guard error.refusesRow else { throw error }
        return .failure(error)
      }
    }
    return nil
  }

  private func abandon(_ index: Int) throws {
    guard !connections.isBroken else { return }
    try batches[index].abandon()
  }
}

extension RollbackBatch.Counts {
  static func += (left: inout Self, right: Self) {
    left.restored += right.restored
    left.deleted += right.deleted
    left.altered += right.altered
    left.released.formUnion(right.released)
  }
}
