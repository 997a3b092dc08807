import Testing

@testable import MergeEngine

/// What is compared when workers are added, and when a table counts as cold.
@Suite struct WorkerTrialTests {
  private let start = ContinuousClock.now

  @Test func `rows a second are those of all workers, by their batches' own times`() throws {
    var trial = WorkerTrial(of: 2)
    trial.begin(at: start)
    trial.note(waitingCount: 1)
    trial.note(rowCount: 1000, since: start, at: start + .seconds(1))
    #expect(trial.figures(at: start + .seconds(1)) == nil)
    trial.note(rowCount: 1000, since: start, at: start + .seconds(1))
    let figures = try #require(trial.figures(at: start + .seconds(1)))
    #expect(figures.rowsPerSecond == 2000)
    #expect(figures.waitsAtATime == 1)
  }

  @Test func `batches that were begun before the last worker came don't count, nor do empty ones`() {
    var trial = WorkerTrial(of: 1)
    trial.note(rowCount: 5, since: start, at: start + .seconds(1))
    trial.begin(at: start + .seconds(2))
    trial.note(waitingCount: 0)
    trial.note(rowCount: 5, since: start + .seconds(1), at: start + .seconds(3))
    trial.note(rowCount: 0, since: start + .seconds(3), at: start + .seconds(4))
    #expect(trial.figures(at: start + .seconds(4)) == nil)
    trial.note(rowCount: 5, since: start + .seconds(4), at: start + .seconds(5))
    #expect(trial.figures(at: start + .seconds(5))?.rowsPerSecond == 5)
  }

  @Test func `a table is cold when many pages were read and took long, and warm again when they come fast or few are`()
  {
    var temperature = Temperature(CacheFit.unknown)
    #expect(!temperature.isCold)
    // What the operating system has in its memory.
    temperature.learn(PageCounts(visited: 10_000, read: 4000), lookUpTime: .milliseconds(20))
    #expect(!temperature.isCold)
    temperature.learn(PageCounts(visited: 10_000, read: 4000), lookUpTime: .milliseconds(400))
    #expect(temperature.isCold)
    // Read ahead, a disk's pages come faster.
    temperature.learn(PageCounts(visited: 10_000, read: 4000), lookUpTime: .milliseconds(80))
    #expect(temperature.isCold)
    temperature.learn(PageCounts(visited: 100, read: 0), lookUpTime: .zero)
    #expect(temperature.isCold)
    temperature.learn(PageCounts(visited: 10_000, read: 100), lookUpTime: .milliseconds(80))
    #expect(!temperature.isCold)
  }

  @Test func `a table that is larger than memory is expected to be cold`() {
    let fit = CacheFit(byteCount: 11, bufferByteCount: 1, cacheByteCount: 10, relations: [])
    #expect(Temperature(fit).isCold)
  }

  @Test func `pages are counted from one look to the next, also when the session begins at nothing`() {
    var counter = PageCounter()
    #expect(counter.advance(to: .init(visited: 100, hit: 60)) == PageCounts(visited: 100, read: 40))
    #expect(counter.advance(to: .init(visited: 150, hit: 90)) == PageCounts(visited: 50, read: 20))
    #expect(counter.advance(to: .init(visited: 30, hit: 30)) == PageCounts(visited: 30, read: 0))
  }
}
