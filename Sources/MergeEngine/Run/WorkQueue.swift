import Libpq

/// The block ranges that are still to be merged, handed out to the workers one batch at a time.
///
/// A table's turn comes when the tables that its foreign keys point to are done. Towards a table's end batches become
/// smaller, so that all workers end at about the same time.
final class WorkQueue: Steerable, Sendable {
  /// A batch to be carried.
  struct Item: Sendable {
    let table: Int
    let place: BatchPlace
    /// The rows of the place that are carried, at most.
    let rowLimit: Int

    /// The place of a batch that comes from staging.
    ///
    /// - Precondition: the queue was given no slices, as that of every command but `replay`.
    var range: TupleRange {
      guard case .blocks(let range) = place else { preconditionFailure("only a replay's queue hands out slices") }
      return range
    }
  }

  /// How far one table has come.
  struct TableState: Sendable {
    var progress: TableProgress
    /// Pages of production that its batches have visited.
    fileprivate(set) var pages = PageCounts()
    /// Some of its batches took production to be larger than memory.
    fileprivate(set) var isCold = false
    fileprivate var openParents: Set<Int>
    fileprivate var nextBlock = 0
    fileprivate let blockCount: Int
    /// Of a snapshot's file, the next one last; a table has these or blocks.
    fileprivate var slices: [SnapshotSlice]
    fileprivate let sliceRowCount: Int
    /// Of a table in key order, what is known so far; whoever reads the keys adds to it for as long as ``isFed``.
    fileprivate var fed: [BatchPlace] = []
    fileprivate var isFed = false
    fileprivate let keyedRowCount: Int
    fileprivate var givenBack: [BatchPlace] = []
    /// What could not be carried within its time, and comes last.
    fileprivate var waiting: [BatchPlace] = []
    fileprivate var inFlightCount = 0
    fileprivate var size: BatchSize
    fileprivate var rowLimit: RowLimit
    fileprivate(set) var failure: (any Error)?
    fileprivate(set) var startedAt: ContinuousClock.Instant?
    fileprivate(set) var finishedAt: ContinuousClock.Instant?
    /// A parent has failed, so this table is not begun.
    fileprivate(set) var isSkipped = false

    /// The progress with the clock read.
    var progressNow: TableProgress {
      var now = progress
      now.elapsedMilliseconds = startedAt.map { ((finishedAt ?? .now) - $0).milliseconds }
      now.isFinished = finishedAt != nil
      now.blockCount = blockCount + sliceRowCount + keyedRowCount
      return now
    }

    /// Rows that are neither merged nor in anybody's hands, about.
    fileprivate var remainingRowCount: Int {
      Int(Double(blockCount - nextBlock) * size.rowsPerBlock) + slices.reduce(0) { $0 + $1.rowCount }
        + max(keyedRowCount - progress.counts.read, 0)
    }
    fileprivate var isExhausted: Bool {
      nextBlock >= blockCount && slices.isEmpty && givenBack.isEmpty && waiting.isEmpty && fed.isEmpty && !isFed
    }
    fileprivate var isOver: Bool { finishedAt != nil || failure != nil || isSkipped }
  }

  private struct State {
    var tables: [TableState]
    var isStopped = false
    var isSealed = false
    var refusedCount = 0
    /// As many rows as a batch may have by the wanted rate.
    var batchRowLimit = Int.max
    /// How many take from the queue, about.
    var workerCount: Int
    var loss: RunOutcome.Loss?
  }

  private let monitor: Monitor<State>
  private let children: [[Int]]
  private let batchRows: Int
  private let refusalLimit: Int?

  /// Below this a batch's own costs count: planning, round trips, the commit.
  private static let leastBatchRows = 5000

  /// - Parameters:
  ///   - plan: all tables of the run.
  ///   - only: the tables to be merged now; nil for all.
  ///   - batchRows: rows to a batch, about.
  ///   - workerCount: how many take from the queue.
  ///   - lockLimit: how long a batch may hold locks; nil for no limit.
  ///   - refusalLimit: with more refused rows than this nothing is handed out any more.
  ///   - slices: by table, what is to be merged of a snapshot's files, in order.
  ///   - rows: by table, the addresses of the only rows that are to be merged of it, in batches.
  ///   - keyed: tables whose batches will be fed in key order, see ``feed(_:table:)``.
  init(
    _ plan: MergePlan,
    only: Set<Int>? = nil,
    batchRows: Int,
    workerCount: Int = 1,
    lockLimit: Duration? = nil,
    refusalLimit: Int? = nil,
    slices: [Int: [SnapshotSlice]] = [:],
    rows: [Int: [[UInt64]]] = [:],
    keyed: Set<Int> = []
  ) {
    self.batchRows = batchRows
    self.refusalLimit = refusalLimit
    children = plan.tables.indices.map { parent in plan.parents.indices.filter { plan.parents[$0].contains(parent) } }
    monitor = Monitor(
      State(
        tables: plan.tables.indices.map { index in
          let table = plan.tables[index]
          let isWanted = only?.contains(index) ?? true
          let tableSlices = isWanted ? slices[index] ?? [] : []
          let tableRows = table.reading.snapshot == nil ? rows[index] : nil
          let isKeyed = isWanted && tableRows == nil && keyed.contains(index)
          return TableState(
            progress: TableProgress(table: table.name, expectedRowCount: table.estimatedRowCount),
            openParents: Set(plan.parents[index]).intersection(only ?? Set(plan.tables.indices)),
            blockCount: isWanted && tableRows == nil && !isKeyed ? table.reading.state.source?.blockCount ?? 0 : 0,
            slices: tableSlices.reversed(),
            sliceRowCount: tableSlices.reduce(0) { $0 + $1.rowCount },
            isFed: isKeyed,
            keyedRowCount: isKeyed ? max(table.estimatedRowCount ?? 0, 0) : 0,
            givenBack: (tableRows ?? []).map { .rows($0) },
            size: BatchSize(
              blockCount: table.reading.state.source?.blockCount ?? 0,
              estimatedRowCount: table.estimatedRowCount
            ),
            rowLimit: RowLimit(lockLimit: lockLimit, cache: table.reading.cacheFit)
          )
        },
        workerCount: workerCount
      )
    )
  }

  /// The next batch.
  ///
  /// Blocks while all that is left waits for other workers.
  /// - Returns: nil when nothing is left, or the queue was stopped.
  func take() -> Item? {
    monitor.wait { state -> Item?? in
      guard !state.isStopped else { return .some(nil) }
      for index in state.tables.indices {
        self.finishIfDone(index, &state)
        if let place = self.nextPlace(index, &state) {
          return Item(table: index, place: place, rowLimit: self.batchRowCount(index, state))
        }
      }
      return state.tables.allSatisfy(\.isOver) ? .some(nil) : nil
    } ?? nil
  }

  // MARK: In key order

  /// Waits for a table's turn.
  ///
  /// - Returns: false when it will not come.
  func awaitTurn(of table: Int) -> Bool {
    monitor.wait { state -> Bool? in
      guard !state.isStopped, !state.tables[table].isOver else { return false }
      return state.tables[table].openParents.isEmpty ? true : nil
    } ?? false
  }

  /// How many rows the next batch of a table may have.
  func feedRowCount(of table: Int) -> Int { monitor.update { self.batchRowCount(table, $0) } }

  /// Adds a batch; waits while there are some already for every worker.
  ///
  /// - Returns: false when no more are wanted.
  func feed(_ rows: RowsByKey, table: Int) -> Bool {
    monitor.wait { state -> Bool? in
      guard !state.isStopped, !state.tables[table].isOver else { return false }
      guard state.tables[table].fed.count < 2 * state.workerCount else { return nil }
      state.tables[table].fed.append(.keys(rows))
      return true
    } ?? false
  }

  /// No more batches will be fed. What was not is left for another round.
  func endFeed(of table: Int) {
    monitor.update { state in
      state.tables[table].isFed = false
      finishIfDone(table, &state)
    }
  }

  /// A batch has been committed.
  ///
  /// - Parameters:
  ///   - carried: what was done. What of the item's place is beyond the part that was carried comes back, and so do the
  ///     rows that were set apart, a few at a time.
  ///   - byteCount: what the batch held in memory.
  ///   - lockShare: which part of the time that locks may be held they were held; nil if there is no limit.
  func complete(_ item: Item, _ carried: Carried, byteCount: Int, lockShare: Double? = nil) {
    let counts = carried.counts
    monitor.update { state in
      if let lockShare {
        state.tables[item.table].rowLimit.learn(
          lockShare: lockShare,
          rowCount: counts.read,
          writtenCount: counts.inserted + counts.updated
        )
      }
      state.tables[item.table].rowLimit.learn(
        pageReads: carried.isCold ? carried.pages.read : nil,
        rowCount: counts.read
      )
      state.tables[item.table].inFlightCount -= 1
      state.tables[item.table].progress.counts += counts
      state.tables[item.table].pages += carried.pages
      state.tables[item.table].isCold = state.tables[item.table].isCold || carried.isCold
      state.tables[item.table].progress.blocksDone += carried.place.progressCount
      if case .blocks(let whole) = item.place, case .blocks(let done) = carried.place {
        if done.end < whole.end {
          state.tables[item.table].givenBack.append(.blocks(TupleRange(start: done.end, end: whole.end)))
        }
        state.tables[item.table].size.learn(
          blockCount: done.blockCount,
          rowCount: counts.read,
          byteCount: byteCount
        )
      }
      state.refusedCount += counts.errors
      state.tables[item.table].givenBack += carried.setApart(atMost: fewRows(state)).map { .rows($0.sorted()) }
      if let refusalLimit, state.refusedCount > refusalLimit { state.isStopped = true }
      finishIfDone(item.table, &state)
    }
  }

  /// A batch could not be carried within its time: there were too many rows for it, or somebody holds one of them.
  ///
  /// Both halves come back when all else of the table is done. So a row that is held keeps only itself waiting, and whoever
  /// holds it has as long as the rest takes.
  ///
  /// - Parameters:
  ///   - middle: the address of the row in the middle, where the place is a stretch.
  ///   - rowCount: how many rows the batch had.
  func shrink(_ item: Item, at middle: UInt64?, rowCount: Int) {
    guard let (lower, upper) = item.place.halves(at: middle) else { return leave(item) }
    monitor.update { state in
      state.tables[item.table].inFlightCount -= 1
      state.tables[item.table].rowLimit.halve(rowCount)
      state.tables[item.table].waiting += [lower, upper]
    }
  }

  /// Rows of one key can't be divided by keys, and are left for the round after this one, which goes by addresses.
  private func leave(_ item: Item) {
    guard case .keys(let keyed) = item.place, keyed.addresses.count > 1 else {
      preconditionFailure("a single row waits by itself, and is never too large")
    }
    monitor.update { state in
      state.tables[item.table].inFlightCount -= 1
      finishIfDone(item.table, &state)
    }
  }

  /// A batch was not begun after all, and comes back whole.
  func giveBack(_ item: Item) {
    monitor.update { state in
      state.tables[item.table].inFlightCount -= 1
      state.tables[item.table].givenBack.append(item.place)
    }
  }

  /// A batch was too large, and comes back in halves.
  func divide(_ item: Item) {
    guard let (lower, upper) = item.place.halves else { return leave(item) }
    monitor.update { state in
      state.tables[item.table].inFlightCount -= 1
      state.tables[item.table].givenBack += [upper, lower]
      if case .blocks(let range) = item.place {
        state.tables[item.table].size.learnTooLarge(blockCount: range.blockCount)
      }
    }
  }

  /// The table can't go on; the tables that don't depend on it do.
  func fail(_ table: Int, _ error: any Error) {
    monitor.update { state in
      state.tables[table].inFlightCount -= 1
      state.tables[table].failure = state.tables[table].failure ?? error
      skipDescendants(of: table, &state)
    }
  }

  /// A connection was lost: the round ends, since the server may have lost what it had confirmed.
  ///
  /// - Parameters:
  ///   - item: the batch under way; nil for the control connection.
  ///   - error: what was said.
  func suspend(_ item: Item?, _ error: (any Error)?) {
    monitor.update { state in
      guard !state.isSealed else { return }
      state.isStopped = true
      var loss = state.loss ?? RunOutcome.Loss(tables: [], error: nil)
      if let item { loss.tables.insert(item.table) }
      loss.error = loss.error ?? error
      state.loss = loss
    }
  }

  /// The connections that were lost, if any were.
  var loss: RunOutcome.Loss? { monitor.update { $0.loss } }

  /// No batch has more rows than this from now on; nil for no limit beyond what the run was begun with.
  func limitBatches(to rowCount: Int?) {
    monitor.update { $0.batchRowLimit = rowCount ?? .max }
  }

  /// So many take from the queue from now on: towards a table's end all are to end at about the same time.
  func expectWorkers(_ count: Int) {
    monitor.update { $0.workerCount = count }
  }

  /// The first table that is not over; nil when all are.
  var firstOpenTable: Int? { monitor.update { $0.tables.firstIndex { !$0.isOver } } }

  /// Rows of the first table that is not over which nobody has in hand, about.
  var remainingRowCount: Int { monitor.update { $0.tables.first { !$0.isOver }?.remainingRowCount ?? 0 } }

  /// Hands out nothing any more.
  func stop() {
    monitor.update { $0.isStopped = true }
  }

  /// Whether every batch of every table is done, so that a transaction around all of them may be committed. If so, no
  /// loss of the control connection is counted any more: it comes too late to change anything.
  func seal() -> Bool {
    monitor.update { state in
      state.isSealed = !state.isStopped && state.tables.allSatisfy { $0.finishedAt != nil && $0.failure == nil }
      return state.isSealed
    }
  }

  /// Whether there is nothing left to be handed out.
  var isOver: Bool { monitor.update { state in state.isStopped || state.tables.allSatisfy(\.isOver) } }

  /// So many rows may be searched for the ones that are refused while their locks are held; no more than the limit of
  /// refused rows leaves, and one.
  var fewRows: Int { monitor.update { fewRows($0) } }

  /// Arbitrary: some ten milliseconds' worth.
  private static let fewRows = 64

  private func fewRows(_ state: State) -> Int {
    min(Self.fewRows, refusalLimit.map { max($0 - state.refusedCount, 0) + 1 } ?? .max)
  }

  /// Whether nothing is handed out any more.
  var isStopped: Bool { monitor.update { $0.isStopped } }

  /// Whether more rows were refused than the limit allows.
  var isOverRefusalLimit: Bool { monitor.update { state in refusalLimit.map { state.refusedCount > $0 } ?? false } }

  /// Where all tables stand.
  var snapshot: [TableState] { monitor.update { $0.tables } }

  // MARK: On the state, under the lock

  private func batchRowCount(_ index: Int, _ state: State) -> Int {
    let table = state.tables[index]
    return min(batchRows, state.batchRowLimit, table.rowLimit.rowCount(workerCount: state.workerCount))
  }

  private func nextPlace(_ index: Int, _ state: inout State) -> BatchPlace? {
    guard !state.tables[index].isOver, state.tables[index].openParents.isEmpty, !state.tables[index].isExhausted else {
      return nil
    }
    // Whoever reads the keys may have more.
    let waitsForFeed = state.tables[index].isFed && state.tables[index].fed.isEmpty
    guard !waitsForFeed || !state.tables[index].givenBack.isEmpty else { return nil }
    if state.tables[index].startedAt == nil { state.tables[index].startedAt = .now }
    state.tables[index].inFlightCount += 1
    if let place = state.tables[index].givenBack.popLast() { return place }
    if !state.tables[index].fed.isEmpty { return state.tables[index].fed.removeFirst() }
    if var slice = state.tables[index].slices.popLast() {
      while slice.rowCount > batchRowCount(index, state), let (lower, upper) = slice.halves {
        state.tables[index].slices.append(upper)
        slice = lower
      }
      return .slice(slice)
    }
    let table = state.tables[index]
    if table.nextBlock >= table.blockCount { return state.tables[index].waiting.removeFirst() }
    let end = min(
      table.nextBlock
        + table.size.blockCount(
          forRows: wantedRows(of: table, atMost: batchRowCount(index, state), workerCount: state.workerCount)
        ),
      table.blockCount
    )
    defer { state.tables[index].nextBlock = end }
    return .blocks(TupleRange(blocks: table.nextBlock..<end))
  }

  private func finishIfDone(_ index: Int, _ state: inout State) {
    let table = state.tables[index]
    guard !table.isOver, table.openParents.isEmpty, table.isExhausted, table.inFlightCount == 0 else { return }
    state.tables[index].startedAt = table.startedAt ?? .now
    state.tables[index].finishedAt = .now
    for child in children[index] { state.tables[child].openParents.remove(index) }
  }

  private func skipDescendants(of index: Int, _ state: inout State) {
    for child in children[index] where !state.tables[child].isOver {
      state.tables[child].isSkipped = true
      skipDescendants(of: child, &state)
    }
  }

  private func wantedRows(of table: TableState, atMost most: Int, workerCount: Int) -> Int {
    guard workerCount > 1 else { return most }
    return min(most, max(table.remainingRowCount / (2 * workerCount), Self.leastBatchRows))
  }
}
