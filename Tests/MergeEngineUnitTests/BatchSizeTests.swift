import Testing

@testable import MergeEngine

@Suite struct BatchSizeTests {
  private static let limit = BatchLimit.byteCount

  @Test func `the server's estimate says how many blocks the first batch has`() {
    #expect(BatchSize(blockCount: 1000, estimatedRowCount: 50_000).blockCount(forRows: 10_000) == 200)
    #expect(BatchSize(blockCount: 1000, estimatedRowCount: nil).blockCount(forRows: 10_000) == 100)
  }

  @Test func `density is followed, by a factor of four a batch at most`() {
    var size = BatchSize(blockCount: 1000, estimatedRowCount: 100_000)
    size.learn(blockCount: 100, rowCount: 5000, byteCount: 5000 * 80)
    #expect(size.rowsPerBlock == 50)
    size.learn(blockCount: 100, rowCount: 1, byteCount: 80)
    #expect(size.rowsPerBlock == 12.5)
    size.learn(blockCount: 100, rowCount: 100_000, byteCount: 100_000 * 80)
    #expect(size.rowsPerBlock == 50)
  }

  @Test func `long rows make batches of fewer rows, below the limit of bytes`() {
    var size = BatchSize(blockCount: 50_000, estimatedRowCount: 200_000)
    size.learn(blockCount: 1000, rowCount: 4000, byteCount: 4000 * 1300)
    let blocks = size.blockCount(forRows: 50_000)
    #expect(blocks < 50_000 / 4, "50,000 rows would be 65 MB")
    #expect((Self.limit / 2...Self.limit).contains(blocks * 4 * 1300))
  }

  @Test func `a batch that was too large is not asked for again, and odd rows are forgotten`() {
    var size = BatchSize(blockCount: 10_000, estimatedRowCount: 1_000_000)
    let asked = size.blockCount(forRows: 50_000)
    #expect(asked == 500)
    size.learnTooLarge(blockCount: asked)
    #expect(size.blockCount(forRows: 50_000) <= asked / 2)
    for _ in 0..<3 { size.learn(blockCount: 10, rowCount: 1000, byteCount: 80_000) }
    #expect(size.blockCount(forRows: 50_000) == asked)
  }

  @Test func `a single row of any size is asked for`() {
    var size = BatchSize(blockCount: 10, estimatedRowCount: 10)
    size.learnTooLarge(blockCount: 1)
    #expect(size.blockCount(forRows: 50_000) == 1)
  }
}
