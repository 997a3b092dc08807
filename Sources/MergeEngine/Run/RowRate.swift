/// What `--max-rows-per-second` allows at a moment.
///
/// Workers begin their batches before anybody knows how many rows they have. So each counts as a full one from its beginning on, and is
/// put right when its rows are known: the rate is a limit for all workers together, however many begin at once.
struct RowRate {
  typealias Instant = ContinuousClock.Instant

  /// Nil for no limit.
  private(set) var rowsPerSecond: Int?
  /// The rows of a batch at most, where the rate allows a batch of more than a second's worth.
  private let batchRows: Int
  /// When the rows of the batches so far may be followed by more.
  private var paidUntil: Instant
  /// What of it stands for batches whose rows are not known yet, by worker.
  private var advances: [Int: Duration] = [:]

  init(_ rowsPerSecond: Int?, batchRows: Int, now: Instant) {
    self.rowsPerSecond = rowsPerSecond
    self.batchRows = batchRows
    paidUntil = now
  }

  func mayBegin(_ now: Instant) -> Bool { paidUntil <= now }

  /// A worker begins a batch.
  ///
  /// - Precondition: it may.
  mutating func begin(worker: Int, _ now: Instant) {
    guard let rowsPerSecond else { return }
    let advance = Self.worth(min(batchRows, rowsPerSecond), rowsPerSecond)
    advances[worker] = advance
    paidUntil = now + advance
  }

  /// The rows of a worker's batch are known: from its beginning on none may be read for as long as they are worth.
  mutating func spend(rowCount: Int, worker: Int) {
    guard let rowsPerSecond else { return }
    end(worker: worker)
    paidUntil += Self.worth(rowCount, rowsPerSecond)
  }

  /// A worker's batch has ended; one that was given up has had no rows.
  mutating func end(worker: Int) {
    if let advance = advances.removeValue(forKey: worker) { paidUntil -= advance }
  }

  /// From now on another rate holds: what is owed was reckoned at the one before.
  mutating func limit(to rows: Int?, _ now: Instant) { self = RowRate(rows, batchRows: batchRows, now: now) }

  private static func worth(_ rowCount: Int, _ rowsPerSecond: Int) -> Duration {
    .seconds(Double(rowCount) / Double(rowsPerSecond))
  }
}
