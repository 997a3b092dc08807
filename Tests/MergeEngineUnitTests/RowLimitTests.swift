import Testing

@testable import MergeEngine

/// How many rows a batch may have follows what the batches before it have shown.
@Suite struct RowLimitTests {
  /// Begins with 2,000 rows.
  private func limit(cache: CacheFit = .unknown) -> RowLimit {
    RowLimit(lockLimit: .milliseconds(100), cache: cache)
  }

  @Test func `batches double while they hold locks for less than half of their time`() {
    var limit = limit()
    #expect(limit.rowCount(workerCount: 1) == 2000)
    limit.learn(lockShare: 0.1, rowCount: 2000, writtenCount: 2000)
    #expect(limit.rowCount(workerCount: 1) == 4000)
    limit.learn(lockShare: 0.4, rowCount: 4000, writtenCount: 4000)
    #expect(limit.rowCount(workerCount: 1) == 5000)
    limit.learn(lockShare: 5, rowCount: 5000, writtenCount: 0)
    #expect(limit.rowCount(workerCount: 1) == 10_000, "what wrote nothing held no rows")
  }

  @Test func `one long hold halves at most`() {
    var limit = limit()
    limit.learn(lockShare: 20, rowCount: 2000, writtenCount: 2000)
    #expect(limit.rowCount(workerCount: 1) == 1000)
  }

  @Test func `what every batch takes whatever its rows makes no small batches, until one is too large for its time`() {
    var limit = limit()
    for _ in 0..<20 {
      let rowCount = limit.rowCount(workerCount: 1)
      limit.learn(lockShare: 3, rowCount: rowCount, writtenCount: rowCount)
    }
    #expect(limit.rowCount(workerCount: 1) == 1000)
    limit.halve(1000)
    #expect(limit.rowCount(workerCount: 1) == 500)
  }

  @Test func `what takes as long a row as before goes on shrinking`() {
    var limit = limit()
    for _ in 0..<20 {
      let rowCount = limit.rowCount(workerCount: 1)
      limit.learn(lockShare: Double(rowCount) / 50, rowCount: rowCount, writtenCount: rowCount)
    }
    #expect((13...26).contains(limit.rowCount(workerCount: 1)))
  }

  @Test func `a table larger than memory has as many as half of it holds the pages of, shared among workers`() {
    var cache = CacheFit()
    cache.byteCount = 10 << 30
    cache.cacheByteCount = 64 << 20
    var limit = RowLimit(lockLimit: nil, cache: cache)
    let pages = Double(cache.cachePageCount) / 2
    #expect(cache.isLikelyCold && limit.rowCount(workerCount: 1) == Int(pages / 2))
    #expect(limit.rowCount(workerCount: 2) == Int(pages / 4))
    limit.learn(pageReads: 1000, rowCount: 4000)
    #expect(limit.rowCount(workerCount: 1) == Int(pages * 4))
    limit.learn(pageReads: nil, rowCount: 4000)
    #expect(limit.rowCount(workerCount: 1) == .max, "it lies in memory after all")
  }
}
