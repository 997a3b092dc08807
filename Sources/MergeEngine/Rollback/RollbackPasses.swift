import Libpq
import Logging

/// Goes through the images of all tables, children before their parents, again and again while that helps.
///
/// Again, because a row may wait for another one: a parent for its children in the same table or around a circle, a
/// unique value for the row that has it now, an image for a later one of the same row. What then is left is left alone.
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
      if total == before { return }
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
    var attempt = 0
    let deadline = ContinuousClock.now + .seconds(retries.patienceSeconds)
    while !wasInterrupted {
      do {
        counts[index] += try connections.covered(by: stop) { try batches[index].undo(range) }
        return
      } catch let error as PostgresError {
        guard !wasInterrupted, error.origin == .server else { throw error }
        try batches[index].abandon()
        attempt += 1
        if error.sqlState?.isWorthRetrying == true && ContinuousClock.now < deadline {
          logger.debug("batch tried again", metadata: ["reason": "\(error)", "attempt": "\(attempt)"])
          stop.sleep(seconds: retries.waitSeconds(afterAttempt: attempt))
          continue
        }
        guard error.refusesRow else { throw error }
        guard let (lower, upper) = range.halves else {
          refusals[index][range] = error
          return
        }
        try carry(lower, index)
        return try carry(upper, index)
      }
    }
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
    left.released += right.released
  }
}
