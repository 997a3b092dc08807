import Testing

@testable import MergeEngine

/// How many rows may be read by when, on a clock of its own.
@Suite struct RowRateTests {
  private let start = ContinuousClock.now

  private func rate(_ rowsPerSecond: Int?) -> RowRate { RowRate(rowsPerSecond, batchRows: 500, now: start) }

  @Test func `of workers that ask at once one begins, and each other a batch's worth later`() {
    var rate = rate(1000)
    for (worker, seconds) in [(1, 0), (2, 0.5), (3, 1)] {
      #expect(!rate.mayBegin(start + .seconds(seconds - 0.1)))
      #expect(rate.mayBegin(start + .seconds(seconds)))
      rate.begin(worker: worker, start + .seconds(seconds))
    }
  }

  @Test func `where the rate is less than a batch, a batch counts as a second's worth`() {
    var rate = rate(100)
    rate.begin(worker: 1, start)
    #expect(!rate.mayBegin(start + .seconds(0.9)))
    #expect(rate.mayBegin(start + .seconds(1)))
  }

  @Test func `a batch counts from its beginning on for the rows that it had, fewer or more than were thought`() {
    for (rowCount, seconds) in [(100, 0.1), (500, 0.5), (2000, 2)] {
      var rate = rate(1000)
      rate.begin(worker: 1, start)
      rate.spend(rowCount: rowCount, worker: 1)
      rate.end(worker: 1)
      #expect(!rate.mayBegin(start + .seconds(seconds - 0.01)))
      #expect(rate.mayBegin(start + .seconds(seconds)))
    }
  }

  @Test func `a batch that is given up has had no rows, and what others are at counts on`() {
    var rate = rate(1000)
    rate.begin(worker: 1, start)
    rate.begin(worker: 2, start + .seconds(0.5))
    rate.end(worker: 2)
    #expect(rate.mayBegin(start + .seconds(0.5)))
    #expect(!rate.mayBegin(start + .seconds(0.4)))
  }

  @Test func `time in which nothing was read is not made up for`() {
    var rate = rate(1000)
    rate.begin(worker: 1, start + .seconds(60))
    rate.spend(rowCount: 500, worker: 1)
    rate.end(worker: 1)
    #expect(!rate.mayBegin(start + .seconds(60.4)))
  }

  @Test func `at another rate nothing is owed, and a batch that is under way counts at the new one`() {
    var rate = rate(1)
    rate.begin(worker: 1, start)
    rate.limit(to: 1000, start + .seconds(1))
    #expect(rate.mayBegin(start + .seconds(1)))
    rate.spend(rowCount: 500, worker: 1)
    #expect(!rate.mayBegin(start + .seconds(1.4)))
    #expect(rate.mayBegin(start + .seconds(1.5)))
  }

  @Test func `without a rate all workers begin`() {
    var rate = rate(nil)
    rate.begin(worker: 1, start)
    rate.spend(rowCount: 1_000_000, worker: 1)
    #expect(rate.mayBegin(start))
  }
}
