/// How many rows a batch of one table may have, as the batches before it have shown: as many as are written within the time that
/// locks may be held, and whose pages are still in memory then.
struct RowLimit: Sendable {
  /// As many rows as were seen to be written within the time that locks may be held, or are safe to begin with.
  private var forLocks: Int
  /// Fewer rows than this were seen to take as long: they would only make more batches of it.
  private var least = 1
  /// The last batch that held locks: rows that it wrote, and which part of their time it held them.
  private var lastHold: (writtenCount: Int, lockShare: Double)?
  /// Pages that there is memory for.
  private let cachePageCount: Int
  /// Pages that had to be read for a row, of a table that is larger than memory; nil of others.
  private var readsPerRow: Double?

  /// What a slow server writes. A batch that is too large for its time is written twice, one that is too small costs a
  /// round trip more, and each may have twice as many rows as the last.
  private static let rowsPerMillisecond = 20
  /// Batches are to hold locks for half the time that they may.
  private static let wantedLockShare = 0.5
  /// A page of the index and one of the table.
  private static let likelyReadsPerRow = 2.0
  /// Half of the memory: others want some too.
  private static let memoryShare = 0.5
  /// Arbitrary: with fewer rows a batch's own costs would count as much as pages.
  private static let leastColdRowCount = 500

  /// - Parameter lockLimit: how long a batch may hold locks; nil for no limit.
  init(lockLimit: Duration?, cache: CacheFit) {
    forLocks = lockLimit.map { max(Self.rowsPerMillisecond * $0.milliseconds, 1) } ?? .max
    cachePageCount = cache.cachePageCount
    readsPerRow = cache.isLikelyCold ? Self.likelyReadsPerRow : nil
  }

  /// How many rows the next batch may have, while so many workers share the memory.
  func rowCount(workerCount: Int) -> Int {
    guard let readsPerRow, cachePageCount > 0 else { return forLocks }
    let pages = Double(cachePageCount) * Self.memoryShare / Double(workerCount)
    return min(forLocks, max(Int(pages / max(readsPerRow, 0.01)), Self.leastColdRowCount))
  }

  /// A batch of so many rows was more than could be written in its time.
  mutating func halve(_ rowCount: Int) {
    forLocks = max(rowCount / 2, 1)
    least = 1
  }

  /// A batch has read so many pages from disk; nil of a table that lies in memory.
  mutating func learn(pageReads: Int?, rowCount: Int) {
    guard rowCount > 0 else { return }
    readsPerRow = pageReads.map { Double($0) / Double(rowCount) }
  }

  /// A batch of so many rows has held locks for a part of the time that it may.
  ///
  /// What a batch takes whatever its rows are, as a trigger of the statement or a standby that is waited for, can't be made less by
  /// fewer rows: batches would shrink to single ones, each as slow.
  mutating func learn(lockShare: Double, rowCount: Int, writtenCount: Int) {
    guard rowCount > 0 else { return }
    // What wrote nothing held no rows.
    let share = writtenCount == 0 ? 0 : lockShare
    let fitting = max(Int(Double(rowCount) * Self.wantedLockShare / max(share, 0.001)), 1)
    if share > Self.wantedLockShare {
      if let lastHold, writtenCount < lastHold.writtenCount {
        let expected = lastHold.lockShare * Double(writtenCount) / Double(lastHold.writtenCount)
        if share > (expected + lastHold.lockShare) / 2 { least = max(least, rowCount) }
      }
      // One long hold may be chance.
      forLocks = min(forLocks, max(fitting, rowCount / 2, least))
    } else if forLocks < Int.max {
      forLocks = max(forLocks, min(fitting, forLocks.multipliedReportingOverflow(by: 2).partialValue))
    }
    if writtenCount > 0 { lastHold = (writtenCount, share) }
  }
}
