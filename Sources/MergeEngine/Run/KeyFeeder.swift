import Foundation
import Libpq
import Logging

/// Reads the keys of staging tables in order, and feeds the queue with batches that follow them.
///
/// The server sorts addresses and keys once, into a cursor that holds neither a snapshot nor a lock any more when it is open.
/// What it says is only where to look: which of the rows at these addresses are read is decided when a batch reads them, and
/// that these are all of a stretch of keys follows from the round's horizon, which was taken before (``KeyRange``). A crash
/// costs the sort.
final class KeyFeeder: Sendable {
  private struct State {
    var isDone = false
    /// Of the connection that is reading.
    var token: CancelToken?
  }

  private let context: RunContext
  private let queue: WorkQueue
  private let tables: [Int]
  private let state = Monitor(State())

  /// Rows that are fetched at a time. Arbitrary: some hundred kilobytes.
  private static let fetchRowCount = 5_000
  private static let cursor = Identifier("merge_engine_keys")

  init(_ context: RunContext, _ queue: WorkQueue, tables: Set<Int>) {
    self.context = context
    self.queue = queue
    self.tables = tables.sorted()
  }

  /// Begins, on a thread of its own.
  func start() {
    let thread = Thread { [self] in
      for table in tables {
        if queue.awaitTurn(of: table) { feedAll(of: table) }
        queue.endFeed(of: table)
      }
      state.update { $0.isDone = true }
    }
    thread.name = "key feeder"
    thread.start()
  }

  /// Ends it: nobody takes batches any more.
  func finish() {
    queue.stop()
    state.update { $0.token }?.cancel()
    _ = state.wait { $0.isDone ? true : nil }
  }

  private func feedAll(of table: Int) {
    do {
      try feed(table)
    } catch {
      guard context.stop.signal == nil, !queue.isStopped else { return }
      // What was not fed is read as it lies, in the next round.
      context.logger.warning(
        "staging can't be read in key order; reading it in physical order",
        metadata: ["table": "\(context.plan.tables[table].name)", "reason": "\(error)"]
      )
    }
  }

  private func feed(_ table: Int) throws {
    let plan = context.plan.tables[table]
    guard let form = plan.keyForm else { return }
    let operation = "reading the keys of \(plan.staging) in order"
    var session = context.session
    // However many there are to be sorted.
    session.statementTimeoutMilliseconds = 0
    let connection = try session.connect(
      session.stagingTarget ?? session.target,
      role: "run \(context.record.id) keys"
    )
    state.update { $0.token = connection.cancelToken }
    defer { state.update { $0.token = nil } }
    try context.stop.covering(connection) {
      try connection.execute(
        """
        BEGIN; SET LOCAL cursor_tuple_fraction = 1;
        DECLARE \(Self.cursor) NO SCROLL CURSOR WITH HOLD FOR \(ClaimSQL.inKeyOrder(plan, form)); COMMIT
        """,
        operation
      )
      var batches = KeyBatches(columns: plan.keyColumns.map(\.name.name), form: form)
      var isAtEnd = false
      while !isAtEnd {
        let rows = try connection.query("FETCH FORWARD \(Self.fetchRowCount) FROM \(Self.cursor)", operation)
        isAtEnd = rows.count < Self.fetchRowCount
        try batches.append(rows)
        while let batch = batches.next(rowLimit: queue.feedRowCount(of: table), isAtEnd: isAtEnd) {
          guard queue.feed(batch, table: table) else { return }
        }
      }
    }
  }
}
