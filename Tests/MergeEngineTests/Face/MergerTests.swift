import Foundation
import MergeEngine
import TestSupport
import Testing

/// The library as a program has it that embeds it.
@Suite struct MergerTests {
  @Test func `initialise makes staging, plan foretells the merge, verify confirms it, status counts it`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production;
        CREATE TABLE production.t (id int PRIMARY KEY, updated_at int, v text);
        CREATE TABLE production.keyless (v text);
        INSERT INTO production.t SELECT n, 1, 'p' FROM generate_series(1, 100) n;
        """
      )
      let merger = try Merger(database)
      let made = try await merger.initialise()
      #expect(made.map(\.table).sorted() == ["keyless", "t"])
      #expect(made.first { $0.table == "t" }?.outcome == .created)
      let skipped = try #require(made.first { $0.table == "keyless" })
      #expect(skipped.outcome == .skipped)
      #expect(skipped.explanation.contains("key"))
      #expect(try await merger.initialise().first { $0.table == "t" }?.outcome == .present)

      try database.run("INSERT INTO staging.t SELECT n, 5, 's' FROM generate_series(51, 250) n")
      let plan = try await merger.plan()
      #expect(plan.status == .success)
      #expect((plan.totals.inserted, plan.totals.updated) == (150, 50))
      #expect(try await merger.status().tables.map(\.pending) == [200])
      let report = try await merger.merge()
      #expect(report.status == .success)
      #expect((report.totals.read, report.totals.inserted, report.totals.updated) == (200, 150, 50))
      #expect(report.pending == 0)
      let verification = try await merger.verify()
      #expect(verification.status == .success)
      #expect(verification.tables.first?.counts.equal == 200)
      let status = try await merger.status()
      #expect(status.tables.map(\.processed) == [200])
      #expect(status.lastRun?.runID == report.runID)
    }
  }

  @Test func `progress ends with the merge, and its last word is what the report says`() async throws {
    try await TestDatabase.withRows(5000) { database in
      let updates = ProgressUpdates()
      var options = MergeOptions()
      options.batchRows = 500
      let (merger, chosen) = (try Merger(database), options)
      async let merging = merger.merge(options: chosen, progress: updates)
      var last: RunProgress?
      for await progress in updates { last = progress }
      let report = try await merging
      // A batch that was divided counts here as it was tried, and there as it was committed.
      #expect(last?.tables.map(\.counts.read) == report.tables.map(\.counts.read))
      #expect(last?.tables.map(\.counts.inserted) == report.tables.map(\.counts.inserted))
      #expect(last?.runID == report.runID)
    }
  }

  @Test func `progress ends, too, when there is nothing to be done or nobody to ask`() async throws {
    let updates = ProgressUpdates()
    let nowhere = Merger(try ConnectionDescription("postgresql:///x?host=/nowhere&user=nobody"))
    let merging = Task { try await nowhere.merge(progress: updates) }
    for await _ in updates {}
    await #expect(throws: MergeError.self) { try await merging.value }
  }

  @Test func `rows come from another database, or from a snapshot's files`() async throws {
    try await TestDatabase.withPair { production, staging in
      try production.run("CREATE SCHEMA production; CREATE TABLE production.t (id int PRIMARY KEY, updated_at int)")
      try staging.run(
        """
        CREATE SCHEMA staging; CREATE TABLE staging.t (id int, updated_at int);
        INSERT INTO staging.t SELECT n, 1 FROM generate_series(1, 30) n;
        """
      )
      let merger = try Merger(production)
      let source = RowSource.database(try ConnectionDescription(staging.connectionString))
      #expect(try await merger.plan(from: source).totals.inserted == 30)
      #expect(try await merger.merge(from: source).totals.inserted == 30)
      #expect(try await merger.verify(from: source).status == .success)

      let folder = try SnapshotFolder()
      let url = folder.url
      let manifest = try await merger.snapshot(into: url, from: source)
      #expect(manifest.tables.map(\.rowCount) == [30])
      try production.run("TRUNCATE production.t")
      #expect(try await merger.replay(url).totals.inserted == 30)
      #expect(try await merger.merge(from: .snapshot(url)).totals.unchanged == 30)
      await #expect(throws: MergeError.invalidRequest("a plan is about staging tables: a snapshot can only be merged."))
      {
        try await merger.plan(from: .snapshot(url))
      }
    }
  }

  @Test func `what verify wrote is repaired, and a run with before-images is taken back`() async throws {
    try await TestDatabase.withRows(100) { database in
      let merger = try Merger(database)
      var options = MergeOptions()
      options.beforeImages = true
      let report = try await merger.merge(options: options)
      try database.run("DELETE FROM production.t WHERE id <= 10; UPDATE production.t SET v = 'x' WHERE id = 50")

      let folder = FileManager.default.temporaryDirectory.appending(path: "merge-engine-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(at: folder) }
      var comparing = VerifyOptions()
      comparing.recheckAfterSeconds = 0
      comparing.outputPath = folder.appending(path: "differences").path
      #expect(try await merger.verify(options: comparing).status == .different)
      var mending = RepairOptions(path: folder.appending(path: "differences").path)
      mending.isDryRun = true
      #expect(try await merger.repair(mending).inserted == 10)
      mending.isDryRun = false
      let repair = try await merger.repair(mending)
      #expect((repair.status, repair.inserted, repair.updated) == (.success, 10, 1))
      #expect(try database.difference("SELECT id, updated_at, v FROM staging.t", "TABLE production.t") == [])

      let undone = try await merger.rollback(RollbackOptions(runID: try #require(repair.runID)))
      #expect(undone.status == .success)
      #expect(try database.count("SELECT count(*) FROM production.t WHERE id <= 10") == 0)
      #expect(try await merger.rollback(RollbackOptions(runID: report.runID)).status == .partial)
    }
  }
}

extension Merger {
  /// As somebody has it who knows nothing but a connection string.
  init(_ database: TestDatabase) throws {
    self.init(try ConnectionDescription(database.connectionString))
  }
}
