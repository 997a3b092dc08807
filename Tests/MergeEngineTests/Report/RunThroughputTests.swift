import Testing

@testable import MergeEngine

/// Rates over time from the times and rows of batches.
@Suite struct RunThroughputTests {
  private func stretch(_ worker: Int, _ table: String, _ start: Double, _ end: Double, _ rows: Int)
    -> RunThroughput.Stretch
  {
    RunThroughput.Stretch(worker: worker, table: table, startSeconds: start, endSeconds: end, rowCount: rows)
  }

  @Test func `without a batch there is nothing to draw`() {
    #expect(RunThroughput([]) == nil)
  }

  @Test func `the rows of a batch are spread evenly over its time, and workers stand apart`() throws {
    let throughput = try #require(
      RunThroughput([stretch(1, "a", 0, 6, 600), stretch(2, "b", 30, 60, 6000)])
    )
    #expect(throughput.intervalSeconds == 1)
    #expect(throughput.total.rowsPerSecond.count == 60)
    #expect(throughput.workers.map(\.name) == ["worker 1", "worker 2"])
    #expect(throughput.tables.map(\.name) == ["a", "b"])
    #expect(throughput.workers[0].rowsPerSecond[0...5].allSatisfy { abs($0 - 100) < 0.01 })
    #expect(throughput.workers[0].rowsPerSecond[7...].allSatisfy { $0 == 0 })
    #expect(throughput.total.rowsPerSecond[30...59].allSatisfy { abs($0 - 200) < 0.01 })
  }

  @Test(arguments: [(0.0, 0.0), (0.0, 0.000_4), (0.3, 0.31), (0.0, 59.9), (0.1, 61.3), (7.0, 86_400.0)])
  func `no row is lost or doubled, however long the run was and wherever a batch ends`(start: Double, end: Double)
    throws
  {
    let batches = [stretch(1, "a", 0, end, 1234), stretch(2, "a", start, end, 77), stretch(2, "b", start, start, 5)]
    let throughput = try #require(RunThroughput(batches))
    #expect(throughput.total.rowsPerSecond.count <= RunThroughput.intervalLimit)
    for (series, rows) in [(throughput.total, 1316), (throughput.workers[0], 1234), (throughput.workers[1], 82)] {
      #expect(series.rowCount == rows)
      let drawn = series.rowsPerSecond.reduce(0) { $0 + $1 * throughput.intervalSeconds }
      #expect(abs(drawn - Double(rows)) < 0.001 * Double(rows))
    }
  }
}
