import Libpq
import Logging

/// One connection on one thread that applies batches until none is left.
final class RepairWorker {
  private let number: Int
  private let plan: RepairPlan
  private let context: Context
  private let queue: RepairQueue
  private let connections: WorkerConnections
  private var tables: [Int: RepairTable] = [:]
  private var memory = StagedBatch()

  /// What all workers know.
  struct Context: Sendable {
    let session: Session
    let schemas: Schemas
    let record: RunRecord
    let budget: LockBudget
    let pressure: Pressure
    let stop: StopSignal
    let logger: Logger
    let retries = RetryPolicy()
  }

  init(number: Int, _ plan: RepairPlan, _ context: Context, _ queue: RepairQueue) throws(PostgresError) {
    self.number = number
    self.plan = plan
    self.context = context
    self.queue = queue
    connections = try context.session.connectWorker(
      number,
      runID: context.record.id,
      marksRows: false,
      isAtomic: false,
      carriesText: plan.tables.carriesText,
      comparesText: plan.tables.comparesText
    )
  }

  /// - Throws: what ends the repair.
  func run() throws {
    do {
      while context.pressure.enter(worker: number, unless: { queue.isOver }) {
        defer { context.pressure.leave(worker: number) }
        guard let batch = queue.take() else { break }
        try carry(batch)
        queue.complete(batch)
        context.pressure.spend(rowCount: batch.lines.count, worker: number)
      }
    } catch {
      // A statement that was cancelled because somebody asked to stop is no failure.
      guard context.stop.signal != nil else { throw error }
    }
    if context.stop.signal != nil { queue.stop() }
  }

  /// Applies lines in one transaction; where that can't be, in halves, down to the rows that can't be mended.
  private func carry(_ batch: RepairQueue.Batch) throws {
    let differences = try plan.differences.differences(batch.lines)
    do {
      let carried = try attemptBatch(differences, of: batch.table)
      queue.add(carried.outcomes, of: differences, batch.lines, table: batch.table, alteredCount: carried.alteredCount)
    } catch let error as PostgresError where error.origin == .server && context.stop.signal == nil {
      try undo()
      let isHeldUp = error.isWorthRetrying || error.isCancelled
      guard isHeldUp || error.refusesRow else { throw error }
      if let halves = batch.halves {
        guard isHeldUp else { return try halves.forEach(carry) }
        if error.isCancelled { queue.learnTooLong(rowCount: batch.lines.count) }
        return queue.putBack(halves)
      }
      let heldSince = batch.heldSince ?? .now
      if isHeldUp, .now < heldSince + .seconds(context.retries.patienceSeconds) {
        context.logger.debug("row tried again", metadata: ["reason": "\(error)"])
        context.stop.sleep(seconds: context.retries.waitSeconds(afterAttempt: batch.attempt + 1))
        var again = batch
        again.attempt += 1
        again.heldSince = heldSince
        return queue.putBack([again])
      }
      let message = error.message + (error.sqlState.map { " (SQLSTATE \($0))" } ?? "")
      let reason = RepairOutcome.Reason.refused(
        message,
        dependsOnOtherRows: error.sqlState?.dependsOnOtherRows == true
      )
      queue.add([.left(reason)], of: differences, batch.lines, table: batch.table)
    } catch is RepairTable.TooLarge {
      try undo()
      guard let halves = batch.halves else { preconditionFailure("a single row is never too large") }
      try halves.forEach(carry)
    }
  }

  private func attemptBatch(_ differences: [Difference], of index: Int) throws -> RepairTable.Carried {
    try connections.covered(by: context.stop) {
      if tables[index] == nil { tables[index] = try prepare(index) }
      // A single row takes what it takes.
      var budget = differences.count > 1 ? context.budget : LockBudget(nil)
      try connections.execute("BEGIN", "beginning a batch")
      let carried = try tables[index]?.carry(differences, &budget, memory: &memory) ?? RepairTable.Carried()
      try connections.commit("COMMIT", "committing a batch")
      return carried
    }
  }

  private func prepare(_ index: Int) throws(PostgresError) -> RepairTable {
    let table = plan.tables.tables[index]
    guard let images = table.writing.images else { preconditionFailure("a repair keeps before-images") }
    let admin = Identifier(context.schemas.admin)
    let seen = plan.differences.header.tables.first { $0.table == table.plainName && $0.pair == table.pair.name }
    return try RepairTable(
      RepairSQL(
        plan: table,
        images: images,
        references: plan.references[index],
        needsStagedRows: seen?.askedKeyCount == nil,
        batchTable: Identifier("merge_engine_repair_\(index)")
      ),
      seen: seen,
      schemas: context.schemas,
      record: RepairRecord.Writer(
        table: table.production,
        logID: context.record.logIDs[table.name] ?? 0,
        run: context.record,
        worker: number,
        admin: admin,
        connection: connections.production
      ),
      on: connections
    )
  }

  private func undo() throws(PostgresError) { try connections.undo("ROLLBACK", "rolling back a batch") }
}
