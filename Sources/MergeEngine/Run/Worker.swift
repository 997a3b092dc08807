import BinaryCopy
import Foundation
import Libpq
import Logging

/// One connection on one thread that carries batches until none is left.
final class Worker {
  private let number: Int
  private let context: RunContext
  private let queue: WorkQueue
  private var connections: WorkerConnections?
  private var stations: [Int: Stations] = [:]
  private var memory = BatchMemory()

  init(number: Int, _ context: RunContext, _ queue: WorkQueue) {
    self.number = number
    self.context = context
    self.queue = queue
  }

  /// Carries batches, each in a transaction of its own, or with `--atomic` all in one.
  ///
  /// - Throws: what ends the whole run: no connection within the time limit, or a failed atomic run. The failure of
  ///   one table is left with the queue.
  func run() throws {
    try connect()
    if context.isAtomic { try connections?.execute("BEGIN", "beginning the transaction") }
    while let item = queue.take() {
      context.pressure.waitForStandbys { queue.isStopped }
      try carry(item)
    }
    guard context.isAtomic else { return }
    let isWhole = context.stop.signal == nil && queue.snapshot.allSatisfy { $0.failure == nil && !$0.isSkipped }
    try connections?.commit(isWhole ? "COMMIT" : "ROLLBACK", "ending the transaction")
  }

  /// Carries one batch, again and again as long as there is hope.
  private func carry(_ item: WorkQueue.Item) throws {
    var mode = Stations.Mode.fast
    var attempt = 0
    while context.stop.signal == nil {
      do {
        let counts = try attemptBatch(item, mode)
        queue.complete(item, counts, byteCount: memory.batch.bytes.count)
        context.pressure.spend(rowCount: counts.read)
        memory.batch.shrink(above: 2 * Claim.batchByteLimit)
        return
      } catch is Claim.TooLarge {
        try undo()
        guard let (lower, upper) = item.place.halves else { preconditionFailure("a single row is never too large") }
        return queue.giveBack([upper, lower], of: item)
      } catch is Claim.RowsMoved {
        // The stations read whole rows from now on.
        try undo()
      } catch let error as PostgresError {
        guard context.stop.signal == nil else { break }
        attempt += 1
        switch reaction(to: error, mode, attempt) {
        case .endRound:
          context.logger.warning("connection lost, connecting again", metadata: ["reason": "\(error)"])
          return queue.suspend(item, error)
        case .carefully:
          try undo()
          mode = .careful
        case .retry:
          try undo()
          context.logger.debug("batch tried again", metadata: ["reason": "\(error)", "attempt": "\(attempt)"])
          context.stop.sleep(seconds: context.retries.waitSeconds(afterAttempt: attempt))
        case .fail: return try fail(item, error)
        }
      } catch {
        // Bytes that are no rows, or a file that can't be read: no other attempt would find it otherwise.
        guard error is BinaryCopyError || error is SnapshotError else { throw error }
        return try fail(item, error)
      }
    }
    // Interrupted: the batch is rolled back with the connection, if not before.
    queue.stop()
    if connections?.isBroken == false { try? undo() }
  }

  private enum Reaction {
    case retry, carefully, endRound, fail
  }

  private func reaction(to error: PostgresError, _ mode: Stations.Mode, _ attempt: Int) -> Reaction {
    switch error.origin {
    // A broken connection takes an atomic run's transaction with it.
    case .connectionLost, .connecting: return context.isAtomic ? .fail : .endRound
    case .malformedAnswer: return .fail
    case .server: break
    }
    guard let state = error.sqlState else { return .fail }
    if state.isWorthRetrying && attempt < context.retries.attemptLimit { return .retry }
    return error.refusesRow && mode == .fast ? .carefully : .fail
  }

  private func attemptBatch(_ item: WorkQueue.Item, _ mode: Stations.Mode) throws -> VerdictCounts {
    guard let connections else { throw PostgresError(.connectionLost, message: "no connection", operation: "merging") }
    return try connections.covered(by: context.stop) {
      if stations[item.table] == nil {
        stations[item.table] = try Stations(
          context.plan.tables[item.table],
          number: item.table,
          run: context.record,
          worker: number,
          admin: Identifier(context.schemas.admin),
          isAllOrNothing: context.isAtomic,
          connections
        )
      }
      try connections.execute(context.isAtomic ? "SAVEPOINT batch" : "BEGIN", "beginning a batch")
      let counts = try stations[item.table]?.carry(item.place, mode, &memory) ?? VerdictCounts()
      try connections.commit(context.isAtomic ? "RELEASE SAVEPOINT batch" : "COMMIT", "committing a batch")
      return counts
    }
  }

  private func undo() throws {
    try connections?.undo(
      context.isAtomic ? "ROLLBACK TO SAVEPOINT batch; RELEASE SAVEPOINT batch" : "ROLLBACK",
      "rolling back a batch"
    )
  }

  private func fail(_ item: WorkQueue.Item, _ error: any Error) throws {
    queue.fail(item.table, error)
    if connections?.isBroken == false { try undo() }
    guard context.isAtomic else { return }
    queue.stop()
  }

  private func connect() throws {
    connections = try context.retries.connectPatiently(context.stop) { () throws(PostgresError) in
      try context.session.connectWorker(number, runID: context.record.id)
    }
  }
}
