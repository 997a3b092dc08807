import MergeEngine
import TestSupport
import Testing

/// How a run ends that may not go on.
@Suite struct RunEndTests {
  @Test func `a run that is asked to stop is closed as ABORTED, and the next one ends the work`() async throws {
    try await TestDatabase.withRows(3000) { database in
      let cdc = try database.connect()
      try cdc.run("BEGIN; SELECT FROM production.t WHERE id = 2001 FOR UPDATE")
      let stop = StopSignal()
      let merge = database.start(stop: stop) {
        $0.batchRows = 100
        $0.workers = 2
      }
      try await database.waitForBlockedWorker()
      stop.request(signal: 15)
      let report = try await database.finish(merge)
      try cdc.run("COMMIT")
      #expect(report.status == .aborted)
      let merged = "SELECT id FROM staging.t WHERE _dms_processing_status = 'PROCESSED'"
      #expect(try database.difference(merged, "SELECT id FROM production.t WHERE v = 's'") == [])
      let second = try await database.merge()
      #expect(second.status == .success)
      #expect(report.totals.read + second.totals.read == 3000)
      try database.expectEverythingMerged()
    }
  }

  @Test func `two merges of one table at once are one too many`() async throws {
    try await TestDatabase.withRows(10) { database in
      let cdc = try database.connect()
      try cdc.run("BEGIN; SELECT FROM production.t WHERE id = 5 FOR UPDATE")
      let first = database.start()
      try await database.waitForBlockedWorker()
      let failure = await #expect(throws: MergeFailure.self) { try await database.merge() }
      guard case .busy(table: "t", by: let holder?) = failure else {
        Issue.record("\(String(describing: failure))")
        return
      }
      #expect(holder.runID == 1)
      let told = try await database.call("merge")
      #expect(told.status == 75)
      #expect(told.errors.contains("run 1, server process \(holder.processID), holds the table t."), "\(told.errors)")
      #expect(told.errors.contains("merge-engine control 1 --stop"))
      try cdc.run("COMMIT")
      #expect(try await database.finish(first).status == .success)
      try database.expectEverythingMerged()
    }
  }
}
