import Foundation
import MergeEngine
import TestSupport
import Testing

/// Cancelling the task is what Ctrl-C is to the command.
@Suite struct CancellationTests {
  @Test func `a merge cancelled in the middle is closed as ABORTED, and the next one goes on to the exact end`()
    async throws
  {
    try await TestDatabase.withRows(3000, in: .sleeping) { database in
      let merger = try Merger(database)
      var options = MergeOptions()
      options.batchRows = 100
      options.maxRowsPerSecond = 100
      let updates = ProgressUpdates()
      let (slow, observed) = (options, updates)
      let merging = Task { try await merger.merge(options: slow, progress: observed) }
      for await progress in updates where progress.tables[0].counts.batches > 0 { merging.cancel() }
      let first = try await merging.value
      #expect(first.status == .aborted)
      #expect((1..<3000).contains(first.totals.read))
      #expect(try await merger.status().tables.map(\.pending) == [3000 - first.totals.read])
      #expect(try database.value("SELECT status FROM admin.merge_summary WHERE id = \(first.runID)") == "ABORTED")

      options.maxRowsPerSecond = nil
      let second = try await merger.merge(options: options)
      #expect(second.status == .success)
      #expect(first.totals.read + second.totals.read == 3000)
      #expect(first.totals.inserted + second.totals.inserted == 1500)
      #expect(first.totals.updated + second.totals.updated == 1500)
      try database.expectEverythingMerged()
    }
  }

  @Test func `a task that is cancelled before its operation begins connects nowhere`() async throws {
    try await TestDatabase.withRows(10) { database in
      let before = try database.contents()
      let merger = try Merger(database)
      let updates = ProgressUpdates()
      let merging = Task {
        while !Task.isCancelled { await Task.yield() }
        return try await merger.merge(progress: updates)
      }
      merging.cancel()
      await #expect(throws: CancellationError.self) { try await merging.value }
      for await _ in updates {}
      #expect(try database.contents() == before)
    }
  }

  @Test func `an operation that waits for a lock ends when its task is cancelled`() async throws {
    try await TestDatabase.withRows(10) { database in
      let merger = try Merger(database)
      try database.run("BEGIN; LOCK TABLE staging.t IN ACCESS EXCLUSIVE MODE")
      for operation in Operation.allCases {
        let other = try database.connect()
        let working = Task { try await operation.run(merger) }
        try await other.wait(for: TestDatabase.somebodyWaitsForALock)
        working.cancel()
        await #expect(throws: CancellationError.self, "\(operation)") { try await working.value }
      }
      try database.run("ROLLBACK")
      #expect(try await merger.merge().status == .success)
    }
  }

  /// Those that have no report of what they were interrupted in.
  private enum Operation: CaseIterable {
    case status, snapshot

    func run(_ merger: Merger) async throws {
      switch self {
      case .status: _ = try await merger.status()
      case .snapshot:
        let folder = try SnapshotFolder()
        let url = folder.url
        _ = try await merger.snapshot(into: url)
        withExtendedLifetime(url) {}
      }
    }
  }

  @Test func `more operations than cores block, and Swift's own threads go on`() async throws {
    try await TestDatabase.withRows(10) { database in
      let merger = try Merger(database)
      let count = ProcessInfo.processInfo.activeProcessorCount * 2 + 2
      let blocker = try database.connect()
      try blocker.run("BEGIN; LOCK TABLE staging.t IN ACCESS EXCLUSIVE MODE")
      try await withThrowingTaskGroup(of: MergeStatus.self) { group in
        for _ in 0..<count { group.addTask { try await merger.status() } }
        // Were the pool's threads blocked, nobody would get here.
        try await database.wait(
          for: """
            (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock') = \(count)
            """
        )
        try blocker.run("ROLLBACK")
        for try await status in group { #expect(status.tables.map(\.total) == [10]) }
      }
    }
  }
}
