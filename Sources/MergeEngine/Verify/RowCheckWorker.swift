import Foundation
import Libpq

/// One thread of a verification: compares batches until none is left, then looks at suspects again.
final class RowCheckWorker {
  private let plan: MergePlan
  private let queue: WorkQueue
  /// The tables that are compared within the server, by their place in the plan.
  private let joined: [Int: JoinedTable]
  private let ranges: KeyRangeQueue
  private let pool: SuspectPool
  private let connections: WorkerConnections
  private let options: VerifyOptions
  private let stop: StopSignal
  private let output: VerifyOutput?
  private var memory = BatchMemory()
  private var checks: [Int: RowCheck] = [:]
  /// The tables whose values travel, since most of their digests differ.
  private var readByValue: Set<Int> = []
  private var outcomes: [RowCheckOutcome]
  private var suspects: [[SuspectRow]]
  private var suspectCount = 0
  private var lastSuspectedAt = ContinuousClock.now
  /// When the last batch was compared.
  private(set) var comparedAt = ContinuousClock.now

  /// With so many suspects the worker pauses and looks at them before it goes on; 8 bytes each. Which of them have one key is then
  /// known of these alone. Arbitrary.
  private static let suspectLimit = 1_000_000

  init(
    number: Int,
    _ plan: MergePlan,
    _ queue: WorkQueue,
    joined: [Int: JoinedTable],
    _ ranges: KeyRangeQueue,
    _ pool: SuspectPool,
    session: Session,
    options: VerifyOptions,
    output: VerifyOutput?,
    stop: StopSignal
  ) throws(PostgresError) {
    self.plan = plan
    self.queue = queue
    self.joined = joined
    self.ranges = ranges
    self.pool = pool
    self.options = options
    self.stop = stop
    self.output = output
    connections = try session.connectWorker(
      role: "verify worker \(number)",
      carriesText: plan.carriesText
    )
    outcomes = plan.tables.map { _ in RowCheckOutcome(sampleLimit: options.sampleLimit) }
    suspects = plan.tables.map { _ in [] }
  }

  /// - Returns: what this worker found, by table.
  func run() throws -> [RowCheckOutcome] {
    // Others wait for what this one has taken, or suspects.
    defer {
      if stop.signal != nil {
        queue.stop()
        ranges.stop()
        pool.stop()
      }
    }
    do {
      try join()
      while stop.signal == nil, let item = queue.take() { try carry(item) }
      comparedAt = .now
      try lookAtAllSuspects()
    } catch {
      // A statement that was cancelled because somebody asked to stop is no failure.
      guard stop.signal != nil else { throw error }
    }
    return outcomes
  }

  /// Compares ranges of keys within the server until none is left.
  private func join() throws {
    var check = JoinCheck(connections.production)
    while stop.signal == nil, let item = ranges.take() {
      guard let table = joined[item.table] else { preconditionFailure("only joined tables have ranges") }
      let countBefore = suspects[item.table].count
      let rowCount = try connections.covered(by: stop) {
        try check.look(
          table,
          item.range,
          counts: &outcomes[item.table].counts,
          suspects: &suspects[item.table]
        )
      }
      ranges.complete(item, rowCount: rowCount)
      try suspect(suspects[item.table].count - countBefore) { () throws(PostgresError) in try check.finish() }
    }
    try check.finish()
  }

  private func carry(_ item: WorkQueue.Item) throws {
    let table = plan.tables[item.table]
    guard let comparison = table.writing.ties else { preconditionFailure("the plan was made without comparisons") }
    var check =
      try checks[item.table]
      ?? RowCheck(
        table,
        comparison,
        number: item.table,
        sendsDigests: connections.isSplit && !readByValue.contains(item.table),
        on: connections
      )
    checks[item.table] = nil
    defer { if !check.usesDigests || !readByValue.contains(item.table) { checks[item.table] = check } }
    let countBefore = suspects[item.table].count
    var counts = VerdictCounts()
    do {
      counts.read = try connections.covered(by: stop) {
        try check.look(item.range, memory: &memory, outcome: &outcomes[item.table], suspects: &suspects[item.table])
      }
    } catch is Claim.TooLarge {
      return queue.divide(item)
    }
    queue.complete(item, Carried(counts: counts, place: item.place), byteCount: memory.batch.bytes.count)
    memory.batch.shrink(above: 2 * BatchLimit.byteCount)
    let newCount = suspects[item.table].count - countBefore
    // Equal values in other bytes, or a table that is different all over: its rows would travel twice.
    if check.usesDigests, newCount > counts.read / 4 { readByValue.insert(item.table) }
    try suspect(newCount)
  }

  /// So many rows more are to be looked at again; with too many of them at once.
  ///
  /// - Parameter prepare: gives the session back as the second look needs it.
  private func suspect(_ count: Int, _ prepare: () throws(PostgresError) -> Void = {}) throws {
    guard count > 0 else { return }
    suspectCount += count
    lastSuspectedAt = .now
    guard suspectCount > Self.suspectLimit else { return }
    try prepare()
    try lookAgain()
  }

  /// Waits until the last of its own suspects is old enough, and looks at them.
  private func lookAgain() throws {
    guard suspectCount > 0 else { return }
    let rest = try settle(SuspectPool.Suspects(rows: suspects, lastAt: lastSuspectedAt))
    for index in rest.indices { try look(rest[index][...], of: index) }
    forgetSuspects()
  }

  /// Gives its suspects to all workers, and looks at what they hand out.
  private func lookAtAllSuspects() throws {
    let own = SuspectPool.Suspects(rows: suspects, lastAt: suspectCount > 0 ? lastSuspectedAt : nil)
    forgetSuspects()
    if let all = pool.add(own) { pool.handOut(try settle(all)) }
    while let piece = pool.take() { try look(piece.suspects, of: piece.table) }
  }

  private func forgetSuspects() {
    for index in suspects.indices { suspects[index].removeAll(keepingCapacity: true) }
    suspectCount = 0
  }

  /// Waits until suspects are old enough, and leaves the newest of each key.
  private func settle(_ all: SuspectPool.Suspects) throws -> [[SuspectRow]] {
    if let last = all.lastAt {
      stop.sleep(seconds: options.recheckAfterSeconds - (ContinuousClock.now - last) / .seconds(1))
    }
    return try all.rows.enumerated().map { index, rows in
      let superseded = try connections.covered(by: stop) {
        try RepeatedKeys(plan: plan.tables[index], connections: connections).superseded(rows)
      }
      outcomes[index].counts.superseded += superseded.count
      return rows.filter { !superseded.contains($0.address) }
    }
  }

  private func look(_ suspects: ArraySlice<SuspectRow>, of index: Int) throws {
    guard !suspects.isEmpty, stop.signal == nil, let comparison = plan.tables[index].writing.ties else { return }
    try connections.covered(by: stop) {
      var look = try SecondLook(plan.tables[index], comparison, number: lookCount, output: output, on: connections)
      lookCount += 1
      try look.look(suspects, into: &memory.batch, outcome: &outcomes[index])
    }
  }

  /// Tells the prepared statements of second looks apart.
  private var lookCount = 0
}
